package unet

import (
	"errors"
	"math/rand/v2"
)

// FlowMapInputs say what a flow map takes beside a state, its time, its class and a length.
type FlowMapInputs struct {
	NullClass bool // "no class", where the network that it is made from takes it
	Guidance  bool // the weight of guidance
}

// FlowMap returns a network that also takes the length of a jump and starts with this network's
// weights. Until it is trained its mean velocity over a jump of any length is this network's
// velocity at the start of the jump. It has the real classes. rng draws the weights that this
// network does not have.
func (m *Model) FlowMap(rng *rand.Rand, takes FlowMapInputs) (*Model, error) {
	cfg := m.cfg
	if cfg.FlowMap {
		return nil, errors.New("the network is a flow map already")
	}
	cfg.FlowMap, cfg.GuidanceEmbed = true, takes.Guidance
	if !takes.NullClass {
		cfg.NumClasses, cfg.NullClass = cfg.Classes(), false
	}
	student, err := New(cfg, m.isa, rng)
	if err != nil {
		return nil, err
	}
	for _, p := range m.params.List {
		// A student without "no class" lacks the last row of label_emb: copy stops before it.
		copy(student.params.Lookup(p.Name).Of(student.params.Values), p.Of(m.params.Values))
	}
	student.Repack(0, 1)
	return student, nil
}
