package classify

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// ConfigKey is the metadata entry of a classifier's file that holds its [Config] as JSON.
const ConfigKey = "fmimg.classifier"

// referenceKey is the metadata entry that holds the [Reference] as JSON, if there is one.
const referenceKey = "fmimg.reference"

// The tensors of a reference, [D] and [D, D].
const (
	referencePrefix = "reference."
	meanName        = referencePrefix + "mean"
	covarianceName  = referencePrefix + "covariance"
)

// mnistFile is the file of a classifier of MNIST. mnist/README.md says how it was trained.
//
//go:embed mnist/classifier.safetensors
var mnistFile []byte

// EmbeddedMNIST returns the classifier of MNIST's digits that is part of the program. Its reference
// holds the statistics of the 10,000 test images.
func EmbeddedMNIST(isa kernels.ISA) (*Network, error) {
	c, err := Read(bytes.NewReader(mnistFile), isa)
	if err != nil {
		return nil, fmt.Errorf("embedded classifier of MNIST: %w; get the program again", err)
	}
	return c, nil
}

// Read reads the file of a classifier, safetensors of float16 or float32, up to the end of r. It
// refuses a file with other tensors.
func Read(r io.Reader, isa kernels.ISA) (*Network, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, err
	}
	text, ok := f.Metadata[ConfigKey]
	if !ok {
		return nil, option.Faultf("the metadata has no %q: this is no classifier made by %v",
			ConfigKey, option.Action{Command: "classifier"})
	}
	cfg, err := parseConfig(text)
	if err != nil {
		return nil, err
	}
	weights, statistics := split(f)
	// Compare before taking memory for a network that the file does not hold.
	if n := weights.Len(); n != cfg.Parameters() {
		return nil, fmt.Errorf("its network has %d parameters, the file holds %d", cfg.Parameters(), n)
	}
	c, err := NewNetwork(cfg, isa, nil)
	if err != nil {
		return nil, err
	}
	if err := c.params.SetValues(weights, "", c.params.Values); err != nil {
		return nil, err
	}
	c.Repack(0, 1)
	c.reference, err = readReference(statistics, c.Dim())
	return c, err
}

// split separates the tensors of the network from the tensors of the reference.
func split(f *safetensors.File) (weights, statistics *safetensors.File) {
	weights, statistics = &safetensors.File{Metadata: f.Metadata}, &safetensors.File{Metadata: f.Metadata}
	for _, t := range f.Tensors {
		to := weights
		if strings.HasPrefix(t.Name, referencePrefix) {
			to = statistics
		}
		to.Tensors = append(to.Tensors, t)
	}
	return weights, statistics
}

// readReference reads the reference from a file that has no other tensors. A file without any
// tensor has no reference, which is nil.
func readReference(f *safetensors.File, dim int) (*Reference, error) {
	text, ok := f.Metadata[referenceKey]
	if !ok && len(f.Tensors) == 0 {
		return nil, nil
	}
	r := &Reference{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", referenceKey, err)
	}
	var err error
	if r.Mean, err = f.Floats(meanName, dim); err != nil {
		return nil, err
	}
	if r.Covariance, err = f.Floats(covarianceName, dim, dim); err != nil {
		return nil, err
	}
	if len(f.Tensors) != 2 {
		return nil, fmt.Errorf("tensors %s*: %d in place of 2", referencePrefix, len(f.Tensors))
	}
	if err := r.check(dim); err != nil {
		return nil, err
	}
	return r, nil
}

// File returns the classifier's file, for [safetensors.Write]. values is a flat vector like
// Params().Values, and dtype says how the file holds it. The reference, unless it is nil, is
// float32. meta is added to the metadata.
func (c *Network) File(
	values []float32, dtype safetensors.DType, reference *Reference, meta map[string]string,
) *safetensors.File {
	f := safetensors.NewFile(ConfigKey, c.cfg, meta)
	c.params.AppendTensors(f, "", dtype, values)
	if reference != nil {
		dim := c.Dim()
		f.SetJSON(referenceKey, reference)
		add := func(name string, values []float32, shape ...int) {
			t := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, F32: values}
			f.Tensors = append(f.Tensors, t)
		}
		add(meanName, reference.Mean, dim)
		add(covarianceName, reference.Covariance, dim, dim)
	}
	return f
}
