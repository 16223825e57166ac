package unet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// Until a flow map is trained, its mean velocity over a jump of any length is the velocity of the
// network that it was made from, to the bit.
func TestFlowMapStartsAsTheVelocity(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for name, cfg := range smallConfigs {
			if cfg.FlowMap {
				continue
			}
			p := newProblem(randomModel(t, isa, cfg), 3, 11)
			for i := range p.y {
				p.y[i] %= int32(cfg.Classes())
			}
			p.value()
			for _, guidance := range []bool{false, true} {
				var weights []float32
				if guidance {
					weights = []float32{1, 1.3, -2}
				}
				m, err := p.m.FlowMap(rand.New(rand.NewPCG(1, 1)), FlowMapInputs{Guidance: guidance})
				if err != nil {
					t.Fatal(err)
				}
				if c := m.Config(); !c.FlowMap || c.NullClass || c.GuidanceEmbed != guidance || c.Classes() != cfg.Classes() {
					t.Fatalf("%s: configuration %+v", name, c)
				}
				r, u := m.NewReplica(3, false), make([]float32, len(p.v))
				r.Jump(u, p.x, p.t, []float32{1, 0.5, 0.125}, weights, p.y)
				if !slices.Equal(u, p.v) {
					t.Errorf("%s: the mean velocity differs from the velocity", name)
				}
				r.Forward(u, p.x, p.t, p.y)
				if !slices.Equal(u, p.v) {
					t.Errorf("%s: the velocity differs", name)
				}
			}
		}
	})
}

// When the weights of jump_embed are not zero, the length of the jump matters for each image on its
// own. Forward is a jump of length 0.
func TestJumpsMatter(t *testing.T) {
	p := newProblem(randomModel(t, kernels.Best(), smallConfigs["flow map"]), 2, 12)
	size := p.m.Config().ImageLen()
	p.d = []float32{0, 0.5}
	p.value()
	v := make([]float32, len(p.v))
	p.r.Forward(v, p.x, p.t, p.y)
	if !slices.Equal(v[:size], p.v[:size]) {
		t.Error("a jump of length 0 is not the velocity")
	}
	if slices.Equal(v[size:], p.v[size:]) {
		t.Error("a jump of length 1/2 is the velocity")
	}
}

func TestFlowMapOfAFlowMap(t *testing.T) {
	_, err := randomModel(t, kernels.Best(), smallConfigs["flow map"]).FlowMap(nil, FlowMapInputs{})
	mustFail(t, "a flow map of a flow map", err, "already")
}

// When the weights of guidance_embed are not zero, the weight of guidance matters for each image on
// its own. No weights are weights of 1.
func TestWeightsOfGuidanceMatter(t *testing.T) {
	p := newProblem(randomModel(t, kernels.Best(), smallConfigs["guided map"]), 2, 13)
	size := p.m.Config().ImageLen()
	p.w = []float32{1, 1.25}
	p.value()
	u := make([]float32, len(p.v))
	p.r.Jump(u, p.x, p.t, p.d, nil, p.y)
	if !slices.Equal(u[:size], p.v[:size]) {
		t.Error("no weight is not the weight 1")
	}
	if slices.Equal(u[size:], p.v[size:]) {
		t.Error("a weight of 1.25 is one of 1")
	}
}
