package nn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParamsAddAndLookup(t *testing.T) {
	var p Params
	a := p.Add("a", Plain, 3)
	b := p.Add("b", HWIO, 4, 2, 3, 3)
	if p.Len() != 3+72 || a.Len() != 3 || b.Len() != 72 || b.Off != 3 || len(p.List) != 2 {
		t.Errorf("two parameters have %d elements: %+v, %+v", p.Len(), a, b)
	}
	if p.Add("b", HWIO, 4, 2, 3, 3) != b || p.Lookup("b") != b || p.Lookup("c") != nil || p.Len() != 75 {
		t.Error("Add or Lookup found a wrong parameter")
	}
	b.Of(p.Values)[0] = 5
	if p.Values[3] != 5 || cap(b.Of(p.Values)) != 72 {
		t.Error("Of is not the parameter's own part of the flat vector")
	}
}

func TestParamsPanic(t *testing.T) {
	mustPanic := func(f func(), part string) {
		t.Helper()
		defer func() {
			t.Helper()
			if message := fmt.Sprint(recover()); !strings.Contains(message, part) {
				t.Errorf("panic %q, want one that says %q", message, part)
			}
		}()
		f()
	}
	var p Params
	a := p.Add("a", Plain, 3, 2)
	mustPanic(func() { p.Add("a", Plain, 2, 3) }, "parameter a has shape [3 2], asked for [2 3]")
	mustPanic(func() { p.Add("a", HWIO, 3, 2) }, "parameter a")
	mustPanic(func() { a.Import(p.Values, make([]float32, 5)) }, "6 elements, given 5")
}

// PyTorch's [OC, IC, KH, KW] is [KH][KW][IC][OC] here.
func TestExportPermutes(t *testing.T) {
	const oc, ic, kh, kw = 4, 3, 2, 5
	var p Params
	w := p.Add("w", HWIO, oc, ic, kh, kw)
	for i := range p.Values {
		p.Values[i] = float32(i)
	}
	out := w.Export(p.Values)
	for i := range out {
		x, y, c, o := i%kw, i/kw%kh, i/kw/kh%ic, i/kw/kh/ic
		if want := float32(((y*kw+x)*ic+c)*oc + o); out[i] != want {
			t.Fatalf("[%d, %d, %d, %d] is element %g, want %g", o, c, y, x, out[i], want)
		}
	}
}

// Export inverts Import, and neither touches the elements of other parameters.
func TestImportRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var p Params
		p.Add("before", Plain, 1+rng.IntN(5))
		layout := []Layout{Plain, HWIO}[rng.IntN(2)]
		shape := []int{1 + rng.IntN(6), 1 + rng.IntN(6), 1 + rng.IntN(3), 1 + rng.IntN(3)}[:2+rng.IntN(3)]
		w := p.Add("w", layout, shape...)
		p.Add("after", Plain, 1+rng.IntN(5))

		values, flat := make([]float32, w.Len()), make([]float32, p.Len())
		for i := range values {
			values[i] = rng.Float32()
		}
		w.Import(flat, values)
		if got := w.Export(flat); !slices.Equal(got, values) {
			t.Fatalf("shape %v, layout %d: %v became %v", shape, layout, values, got)
		}
		clear(w.Of(flat))
		if !slices.Equal(flat, make([]float32, p.Len())) {
			t.Fatalf("shape %v, layout %d: Import wrote outside of its parameter", shape, layout)
		}
	}
}
