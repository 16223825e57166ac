package engine

import "slices"

// A State is everything that steps change, as flat vectors of one length.
type State struct {
	Values  []float32 // the parameters, which belong to the model
	Average []float32 // the running average of Values; without averaging, Values itself
	// Moment and Square are AdamW's moments. A matrix that Muon steps has its momentum in Moment,
	// and zeros in Square.
	Moment, Square []float32
}

// newState makes the state before the first step.
func newState(values []float32, averaged bool) State {
	s := State{
		Values: values, Average: values,
		Moment: make([]float32, len(values)), Square: make([]float32, len(values)),
	}
	if averaged {
		s.Average = slices.Clone(values)
	}
	return s
}

// Swap exchanges the parameters and their averages. After it the model must be repacked.
func (s *State) Swap() {
	for i := range s.Values {
		s.Values[i], s.Average[i] = s.Average[i], s.Values[i]
	}
}

// A Vector is a part of a [State], with the prefix of its tensors in a file.
type Vector struct {
	Prefix string
	Flat   []float32
}

// Vectors returns all parts of the state.
func (s *State) Vectors() []Vector {
	return []Vector{{"weights.", s.Values}, {"average.", s.Average}, {"adam_m.", s.Moment}, {"adam_v.", s.Square}}
}
