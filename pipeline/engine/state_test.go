package engine

import "testing"

// Swapped twice, parameters and averages are as before. Without averages there is nothing to swap.
func TestStateSwap(t *testing.T) {
	values := []float32{1, 2, 3}
	s := newState(values, true)
	s.Average[1] = 7
	s.Swap()
	if values[1] != 7 || s.Average[1] != 2 {
		t.Errorf("swapped: values %v, averages %v", values, s.Average)
	}
	s.Swap()
	if values[1] != 2 || s.Average[1] != 7 {
		t.Errorf("swapped twice: values %v, averages %v", values, s.Average)
	}
	plain := newState(values, false)
	if plain.Swap(); values[1] != 2 || &plain.Average[0] != &values[0] {
		t.Errorf("without averages: %v", values)
	}
}
