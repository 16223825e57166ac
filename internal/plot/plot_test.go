package plot

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"
)

func TestRoundAxis(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{[]float64{0.03, 0.0072, 0.4}, "[0.005 0.01 0.02 0.05 0.1 0.2 0.5]"},
		{[]float64{1, 10}, "[1 2 5 10]"},
		{[]float64{2}, "[2 5]"},
		{[]float64{3, 3}, "[2 5]"},
		{[]float64{0.3, 40000}, "[0.1 1 10 100 1000 10000 100000]"},
	} {
		a := roundAxis(c.values, 0, 100)
		var ticks []float64
		for _, v := range a.ticks {
			ticks = append(ticks, math.Round(v*1e6)/1e6)
		}
		if got := fmt.Sprint(ticks); got != c.want {
			t.Errorf("%v: ticks %s, want %s", c.values, got, c.want)
		}
	}
}

// Equal ratios are equal distances, upwards or downwards.
func TestPixel(t *testing.T) {
	a := axis{low: 0.01, high: 100, from: 400, to: 0}
	for v, want := range map[float64]int{0.01: 400, 0.1: 300, 1: 200, 10: 100, 100: 0} {
		if got := a.pixel(v); got != want {
			t.Errorf("%v lies at %d, want %d", v, got, want)
		}
	}
	b := measuredAxis([]float64{8, 2, 8}, 0, 1000)
	// 6 % of the measured range on each side: 0.06/1.12 of 1000 pixels.
	if !slices.Equal(b.ticks, []float64{2, 8}) || b.pixel(2) != 54 || b.pixel(8) != 946 || b.pixel(4) != 500 {
		t.Errorf("ticks %v at %d and %d", b.ticks, b.pixel(2), b.pixel(8))
	}
	if one := measuredAxis([]float64{3}, 0, 1000); one.pixel(3) != 500 {
		t.Errorf("a single value lies at %d, want the middle", one.pixel(3))
	}
}

func TestLabel(t *testing.T) {
	for v, want := range map[float64]string{1: "1", 1.0 / 3: "0.333", 5 * math.Pow(10, -3): "0.005",
		0.00072: "0.00072", 10.0 / 3: "3.33", 10: "10", 12345: "12345", 1e6: "1000000"} {
		if got := label(v); got != want {
			t.Errorf("%v is spelt %s, want %s", v, got, want)
		}
	}
}

func TestMeans(t *testing.T) {
	got := means([]Point{{3, 5}, {1, 2}, {1, 8}, {2, 7}})
	want := []Point{{1, 4}, {2, 7}, {3, 5}}
	for i := range want {
		if len(got) != len(want) || got[i].X != want[i].X || math.Abs(got[i].Y-want[i].Y) > 1e-12 {
			t.Fatalf("means %v, want %v", got, want)
		}
	}
}

// The picture has a dot at each point in the colour of its curve. A level and points without a
// logarithm have no dots.
func TestWritePNG(t *testing.T) {
	c := Chart{Title: "FID", XTitle: "minutes", Curves: []Curve{
		{Name: "nothing", Points: []Point{{0, 1}, {1, -1}, {math.NaN(), 1}, {1, math.Inf(1)}}},
		{Name: "a", Points: []Point{{1, 0.4}, {10, 0.03}}},
		{Name: "b", Points: []Point{{1, 2}, {10, 0.5}, {10, 0.7}}},
		{Name: "floor", Points: []Point{{1, 0.007}}, Level: true},
	}}
	var file bytes.Buffer
	if err := c.WritePNG(&file); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&file)
	if err != nil || m.Bounds() != image.Rect(0, 0, width, height) {
		t.Fatalf("%v, %v", m.Bounds(), err)
	}
	s, err := c.layOut()
	if err != nil || len(s.curves) != 3 {
		t.Fatalf("%d curves, %v", len(s.curves), err)
	}
	for i, curve := range s.curves[:2] {
		for _, p := range curve.Points {
			at, want := s.place(p), s.theme.GetSeriesColor(i)
			if got := color.NRGBAModel.Convert(m.At(at.X, at.Y)); got != (color.NRGBA{want.R, want.G, want.B, 0xff}) {
				t.Errorf("curve %d: %v has the colour %v, want %v", i, p, m.At(at.X, at.Y), want)
			}
		}
	}
	// The level is a dashed line over the whole frame: 8 of 13 pixels, and softened ends.
	drawn, y := 0, s.place(Point{1, 0.007}).Y
	for x := s.x.from; x < s.x.to; x++ {
		if r, g, b, _ := m.At(x, y).RGBA(); min(r, g, b) < 0xc000 {
			drawn++
		}
	}
	if share := float64(drawn) / float64(s.x.to-s.x.from); share < 0.5 || share > 0.8 {
		t.Errorf("the level covers %.2f of the width", share)
	}
	if err := (&Chart{Curves: c.Curves[:1]}).WritePNG(&file); err == nil {
		t.Error("a chart of nothing was drawn")
	}
}
