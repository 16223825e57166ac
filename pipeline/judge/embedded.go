package judge

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/classify"
)

// The networks of MNIST that are part of the program, besides classify's. mnist/README.md says how
// they were trained.
var (
	//go:embed mnist/pooled.safetensors
	mnistPooled []byte
	//go:embed mnist/self.safetensors
	mnistSelf []byte
	//go:embed mnist/deep.safetensors
	mnistDeep []byte
)

// The names of judges of MNIST.
const (
	ClassifierName = "classifier" // the classifier of package classify
	PooledName     = "pooled"     // max-pooling and a fully connected layer
	KeptName       = "deep"       // for final figures alone
)

// MNISTNames returns the names of the judges of MNIST's digits that look unless others are named.
// The first one finds the classes too.
func MNISTNames() []string { return []string{ClassifierName, PooledName, SelfName, RandomName} }

// MNISTClasses returns the names of the classes of MNIST.
func MNISTClasses() []string { return []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} }

// MNIST returns a judge of MNIST's digits by its name, one of [MNISTNames] or [KeptName]. Another
// name is an [*option.Error] that lists them.
//
// The judge KeptName is for figures that are final. Whoever chooses a setting by it has no
// independent judge left.
func MNIST(name string, isa kernels.ISA) (*Classifier, error) {
	switch name {
	case ClassifierName:
		net, err := classify.EmbeddedMNIST(isa)
		return &Classifier{Title: name, Network: net}, err
	case PooledName:
		return embedded(name, mnistPooled, isa)
	case SelfName:
		return embedded(name, mnistSelf, isa)
	case KeptName:
		return embedded(name, mnistDeep, isa)
	case RandomName:
		return NewRandom(28, 28, 1, isa)
	}
	return nil, option.OneOf("judges", name, append(MNISTNames(), KeptName)...)
}

// embedded reads a network that is part of the program.
func embedded(name string, file []byte, isa kernels.ISA) (*Classifier, error) {
	net, err := classify.Read(bytes.NewReader(file), isa)
	if err != nil {
		return nil, fmt.Errorf("embedded judge %s of MNIST: %w; get the program again", name, err)
	}
	return &Classifier{Title: name, Network: net}, nil
}
