package engine

import "slices"

// A State is everything that a step changes, as flat vectors of one length.
type State struct {
	Values         []float32 // the parameters, which are the model's
	Average        []float32 // their running average; without averaging, Values itself
	Moment, Square []float32 // AdamW's moments; of a matrix that Muon steps, its momentum and zeros
}

// newState makes the state of parameters that nobody has trained yet.
func newState(values []float32, averaged bool) State {
	s := State{Values: values, Average: values, Moment: make([]float32, len(values)), Square: make([]float32, len(values))}
	if averaged {
		s.Average = slices.Clone(values)
	}
	return s
}

// Swap exchanges the parameters with their averages. The model must be repacked then.
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
