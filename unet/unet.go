package unet

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A Model is a network's configuration and parameters. Replicas share it; they may run side by side
// as long as nobody changes the parameters.
type Model struct{}

// New builds a network and draws its first parameters as PyTorch would.
func New(cfg Config, isa kernels.ISA, rng *rand.Rand) (*Model, error) { panic("TODO") }

// Config returns the configuration with all defaults filled in.
func (m *Model) Config() Config { panic("TODO") }

// ISA returns the instruction set that the model's replicas use.
func (m *Model) ISA() kernels.ISA { panic("TODO") }

// Params returns the parameters. After a change of Params().Values, Repack must run.
func (m *Model) Params() *nn.Params { panic("TODO") }

// Repack rebuilds the forms of the parameters that kernels read: share part of parts, so that
// several goroutines can divide the work (Repack(0, 1) does it all).
func (m *Model) Repack(part, parts int) { panic("TODO") }

// A Replica holds the activations of one worker. It is not safe for concurrent use.
type Replica struct{}

// NewReplica makes room for up to images images; train says whether Backward will be called.
func (m *Model) NewReplica(images int, train bool) *Replica { panic("TODO") }

// Forward computes v(x, t, y) for n = len(t) images, n at most the replica's size.
// x and v are [n, H, W, C] with channels contiguous; y are rows of label_emb, nil for an
// unconditional network.
func (r *Replica) Forward(v, x, t []float32, y []int32) { panic("TODO") }

// Backward adds the gradient of the parameters to grad (flat, as long as Params().Values), for dv
// the gradient of the last Forward's v. When dx is not nil it receives the gradient of x.
func (r *Replica) Backward(dx, dv, grad []float32) { panic("TODO") }
