package nn

import "github.com/fmimg/fmimg/kernels"

// An image that outgrows the second-level cache goes from one step of a layer to the next in bands
// of lines. A 3x3 convolution of a band reads one line beyond, so what it reads is made one line
// ahead. The bytes of the results do not depend on the bands.

// bandLines returns the lines of a band of an image of h x w pixels: a multiple of 4, the tile of
// Winograd's convolution, or all lines.
func bandLines(h, w int) int {
	most := roundUp(max(kernels.BandPixels/w, 1), 4)
	bands := (h + most - 1) / most
	return roundUp((h+bands-1)/bands, 4)
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// eachBand calls f for the bands of an image of h lines. The band is the lines [from, to), and
// [ready, next) are those lines up to one beyond the band that no band before has had.
func eachBand(h, lines int, f func(b band)) {
	for b := (band{}); b.from < h; {
		b.to = min(b.from+lines, h)
		b.next = min(b.to+1, h)
		f(b)
		b.from, b.ready = b.to, b.next
	}
}

// A band is the lines [from, to) of the images, and the lines [ready, next) that have to be made
// before a convolution reads the band.
type band struct{ from, to, ready, next int }

func (b band) of(m kernels.Map) kernels.Map    { return m.Lines(b.from, b.to) }
func (b band) ahead(m kernels.Map) kernels.Map { return m.Lines(b.ready, b.next) }

// A normConvStep is y = conv(a) + residual, a = act(norm(x)), for the images of the batch from
// index first on. The norm has measured x.
type normConvStep struct {
	norm     *GroupNorm
	conv     *Conv
	first    int
	y, a, x  kernels.Map
	mod      kernels.Modulation
	add      bool        // whether there is a residual
	residual kernels.Map // may be y
	skip     *Conv       // computes y from skipped before the step; may be nil
	skipped  kernels.Map
}

// run takes the step, a band at a time where the convolution can.
func (s *normConvStep) run(r *Run) {
	lines := s.x.H
	if s.conv.op.ForwardByLines() {
		lines = bandLines(s.x.H, s.x.W)
	}
	if lines >= s.x.H {
		s.lines(r, band{to: s.x.H, next: s.x.H}, s.y)
		return
	}
	eachBand(s.x.H, lines, func(b band) { s.lines(r, b, b.of(s.y)) })
}

// lines takes the step for a band, whose result is y.
func (s *normConvStep) lines(r *Run, b band, y kernels.Map) {
	if b.ready < b.next {
		s.norm.Apply(r, s.first, b.ahead(s.a), b.ahead(s.x), s.mod)
	}
	if s.skip != nil {
		s.skip.Forward(r, y, b.of(s.skipped), nil)
	}
	if !s.add {
		s.conv.Forward(r, y, b.of(s.a), nil)
		return
	}
	residual := b.of(s.residual)
	s.conv.Forward(r, y, b.of(s.a), &residual)
}
