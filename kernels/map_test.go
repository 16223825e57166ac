package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// counted numbers the elements of a map from 1 on, and returns the same numbers as a dense slice.
func counted(m Map) (Map, []float32) {
	x := make([]float32, m.N*m.H*m.W*m.C)
	for i := range x {
		x[i] = float32(i + 1)
	}
	m.Load(x)
	return m, x
}

func TestMapLoadAndStore(t *testing.T) {
	for _, m := range []Map{NewMap(2, 3, 4, 5), NewDense(2, 3, 4, 5), NewMap(2, 3, 4, 9).Channels(3, 8)} {
		m, x := counted(m)
		mustBeSame(t, "what was loaded", dense(m), x)
		if got, want := m.At(1, 2, 3), x[len(x)-5:]; !slices.Equal(got, want) || cap(got) != 5 {
			t.Errorf("the last pixel is %v (capacity %d), want %v", got, cap(got), want)
		}
		m.At(0, 1, 2)[3] = -7 // pixel (1, 2) is the seventh
		if got := dense(m)[(1*4+2)*5+3]; got != -7 {
			t.Errorf("an element written through At is %g", got)
		}
	}
}

func TestMapViews(t *testing.T) {
	m, x := counted(NewMap(3, 2, 2, 4))
	if got, want := dense(m.Channels(1, 3)), []float32{2, 3, 6, 7, 10, 11, 14, 15}; !slices.Equal(got[:8], want) {
		t.Errorf("channels 1 and 2 of the first image are %v, want %v", got[:8], want)
	}
	if got := dense(m.Channels(1, 4).Channels(1, 2)); got[0] != 3 || got[1] != 7 {
		t.Errorf("a view of a view begins with %v", got[:2])
	}
	mustBeSame(t, "First", dense(m.First(2)), x[:2*16])
	mustBeSame(t, "image", dense(m.image(2)), x[2*16:])
	rows, y := counted(NewDense(1, 1, 5, 3))
	mustBeSame(t, "FirstPixels", dense(rows.FirstPixels(2)), y[:6])
	mustBeSame(t, "Flat", rows.FirstPixels(2).Flat(), y[:6])
	mustBeSame(t, "First of a dense map", NewDense(3, 2, 2, 4).First(2).Flat(), make([]float32, 32))
}

// The methods that fill a map leave its halo and the memory around it alone.
func TestMapWritesStayInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, sides := range []int{0, 3} { // without and with other channels beside it
		m, intact := testMap(rng, 2, 3, 4, 5, sides, sides, 1)
		for _, halo := range []int{0, 1} {
			for _, beside := range []int{0, 2} {
				src, srcOK := testMap(rng, 2, 3, 4, 5, beside, beside, halo)
				m.Copy(src)
				mustBeSame(t, "a copy", dense(m), dense(src))
				mustBeIntact(t, intact, srcOK)
			}
		}
		m.Clear()
		mustBeSame(t, "what was cleared", dense(m), make([]float32, 2*3*4*5))
		m.Load(randoms(rng, 2*3*4*5))
		mustBeIntact(t, intact)
	}
}

func TestMapsBeginAtACacheLine(t *testing.T) {
	for n := range 20 {
		if m := NewDense(1, 1, 1, n+1); uintptr(m.ptr(0, 0, 0))%64 != 0 {
			t.Errorf("a map of %d elements begins at %p", n+1, m.ptr(0, 0, 0))
		}
	}
}

func TestMapPanics(t *testing.T) {
	m := NewMap(2, 3, 4, 5)
	mustPanic(t, "Load", func() { m.Load(make([]float32, 119)) }, "119", "[2 3 4 5]")
	mustPanic(t, "Store", func() { m.Store(make([]float32, 121)) }, "121", "[2 3 4 5]")
	mustPanic(t, "Copy", func() { m.Copy(NewMap(2, 3, 5, 4)) }, "[2 3 4 5]", "[2 3 5 4]")
	mustPanic(t, "Channels", func() { m.Channels(2, 6) }, "[2, 6)", "5")
	mustPanic(t, "First", func() { m.First(3) }, "images [0, 3)", "of 2")
	mustPanic(t, "FirstPixels", func() { m.FirstPixels(5) }, "5 pixels", "4")
	mustPanic(t, "Flat of a map with a halo", func() { m.Flat() }, "side by side")
	mustPanic(t, "Flat of a view", func() { NewDense(1, 1, 1, 3).Channels(0, 2).Flat() }, "side by side")
	mustPanic(t, "AddMap", func() { Generic.AddMap(m, NewMap(1, 3, 4, 5)) }, "[2 3 4 5]", "[1 3 4 5]")
}

func TestConvPanicsWithBothShapes(t *testing.T) {
	conv := NewConv(Generic, ConvShape{Same3, 4, 4, 2, 3}, Plan{}, false)
	back := NewConv(Generic, ConvShape{Down3, 4, 4, 2, 3}, Plan{}, true)
	conv.Pack(make([]float32, 54), make([]float32, 3))
	back.Pack(make([]float32, 54), make([]float32, 3))
	var s Scratch
	x, y := NewMap(1, 4, 4, 2), NewMap(1, 4, 4, 3)
	mustPanic(t, "Pack", func() { conv.Pack(make([]float32, 53), make([]float32, 3)) }, "53", "2 to 3 channels")
	mustPanic(t, "Forward", func() { conv.Forward(&s, x, x, nil) }, "[1 4 4 2]", "2 to 3 channels")
	mustPanic(t, "Forward of another size", func() { back.Forward(&s, y, x, nil) }, "[1 4 4 2]", "[1 4 4 3]")
	mustPanic(t, "Forward without halo", func() { conv.Forward(&s, y, NewDense(1, 4, 4, 2), nil) }, "halo")
	mustPanic(t, "WeightGrad", func() { conv.WeightGrad(&s, nil, nil, y, y) }, "weight gradient", "[1 4 4 3]")
	mustPanic(t, "InputGrad", func() { conv.InputGrad(&s, x, y, false) }, "without the gradient's weights")
}
