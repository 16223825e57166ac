package judge

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/classify"
)

// RandomName is the name of the judge that [NewRandom] makes.
const RandomName = "random"

// randomSeed is the seed of the weights of random networks.
const randomSeed = 20

// NewRandom returns a judge that nobody trained, for images of the given shape: a network of the
// kind classify.Pooled with random weights, which are the same each time. What it sees depends on
// no data and no labels (Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative
// Models", section 4.3). The weights are normal, scaled by √(2/inputs), so that images keep their
// contrast from layer to layer (He et al. 2015, "Delving Deep into Rectifiers", equation 10).
//
// Images that are too large for the network are an error.
func NewRandom(h, w, c int, isa kernels.ISA) (*Classifier, error) {
	cfg := classify.Pooled.Config(h, w, c, []string{"", ""}) // which nobody asks it for
	net, err := classify.NewNetwork(cfg, isa, nil)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(randomSeed, 0))
	p := net.Params()
	for _, param := range p.List {
		values := make([]float32, param.Len()) // a bias stays zero
		if strings.HasSuffix(param.Name, ".weight") {
			inputs := param.Len() / param.Shape[0]
			for i := range values {
				values[i] = float32(rng.NormFloat64() * math.Sqrt(2/float64(inputs)))
			}
		}
		param.Import(p.Values, values)
	}
	net.Repack(0, 1)
	return &Classifier{Title: RandomName, Network: net}, nil
}
