package unet

import (
	"errors"
	"math/rand/v2"
)

// FlowMap returns a network that starts as this one and takes the length of a jump too: for every length its mean
// velocity is this network's velocity at the start of the jump. Its classes are the real ones: "no class" is left out.
// rng draws what has no weight yet.
func (m *Model) FlowMap(rng *rand.Rand) (*Model, error) {
	cfg := m.cfg
	if cfg.FlowMap {
		return nil, errors.New("the network is a flow map already")
	}
	cfg.FlowMap, cfg.NumClasses, cfg.NullClass = true, cfg.Classes(), false
	student, err := New(cfg, m.isa, rng)
	if err != nil {
		return nil, err
	}
	for _, p := range m.params.List {
		// Rows of classes are in PyTorch's order, and the one that is left out is the last.
		copy(student.params.Lookup(p.Name).Of(student.params.Values), p.Of(m.params.Values))
	}
	student.Repack(0, 1)
	return student, nil
}
