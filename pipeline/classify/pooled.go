package classify

import (
	"fmt"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// buildPooled makes the layers of a [Pooled] network after its stem, from x on.
func (r *Replica) buildPooled(b *nn.Builder, cfg *Config, x nn.Act) {
	for level, width := range cfg.Widths {
		if level > 0 {
			y := b.Act(x.X.H, x.X.W, width)
			r.layers = append(r.layers, nn.NewResample(b, fmt.Sprintf("levels.%d", level), kernels.Same3, x, y, false))
			x = y
		}
		y := b.Act(halved(x.X.H), halved(x.X.W), width)
		r.layers = append(r.layers, &maxPool{x, y})
		x = y
	}
	row, z := b.Rows(x.X.H*x.X.W*x.X.C), b.Rows(cfg.Features)
	r.layers = append(r.layers,
		&flatten{x, row}, nn.NewReadout(b, "features", row, z), &rectify{z, r.features},
		nn.NewReadout(b, "readout", r.features, r.logits))
}

// A maxPool is y = max(0, the largest of 2x2 pixels), channel by channel. At an odd side the last
// pixels have no partner.
type maxPool struct{ x, y nn.Act }

// Forward computes y from x.
func (l *maxPool) Forward(r *nn.Run) {
	l.eachWindow(r.N, func(n, y, x int, window [][3]int) {
		out := l.y.X.At(n, y, x)
		clear(out)
		for _, at := range window {
			for c, v := range l.x.X.At(at[0], at[1], at[2]) {
				out[c] = max(out[c], v)
			}
		}
	})
}

// Backward gives the gradient of y to the pixel that was the largest, to each of equals, and zero
// to all others. Where no pixel is above zero, ReLU has no slope.
func (l *maxPool) Backward(r *nn.Run) {
	l.eachWindow(r.N, func(n, y, x int, window [][3]int) {
		out, dy := l.y.X.At(n, y, x), l.y.D.At(n, y, x)
		for _, at := range window {
			dx := l.x.D.At(at[0], at[1], at[2])
			for c, v := range l.x.X.At(at[0], at[1], at[2]) {
				dx[c] = 0
				if v == out[c] && v > 0 {
					dx[c] = dy[c]
				}
			}
		}
	})
}

// eachWindow calls f for each pixel (y, x) of the result of image n, with the places (n, y, x) of
// the pixels that it is the largest of.
func (l *maxPool) eachWindow(images int, f func(n, y, x int, window [][3]int)) {
	var places [4][3]int
	for n := range images {
		for y := range l.y.X.H {
			for x := range l.y.X.W {
				window := places[:0]
				for row := 2 * y; row < min(2*y+2, l.x.X.H); row++ {
					for col := 2 * x; col < min(2*x+2, l.x.X.W); col++ {
						window = append(window, [3]int{n, row, col})
					}
				}
				f(n, y, x, window)
			}
		}
	}
}

// A flatten lays the pixels of a map side by side: y[n] = x[n, :, :, :].
type flatten struct{ x, y nn.Act }

// Forward computes y from x.
func (l *flatten) Forward(r *nn.Run) { l.x.X.First(r.N).Store(l.y.X.FirstPixels(r.N).Flat()) }

// Backward computes the gradient of x.
func (l *flatten) Backward(r *nn.Run) { l.x.D.First(r.N).Load(l.y.D.FirstPixels(r.N).Flat()) }

// A rectify is y = max(0, x), row by row.
type rectify struct{ x, y nn.Act }

// Forward computes y from x.
func (l *rectify) Forward(r *nn.Run) {
	y := l.y.X.FirstPixels(r.N).Flat()
	for i, v := range l.x.X.FirstPixels(r.N).Flat() {
		y[i] = max(v, 0)
	}
}

// Backward computes the gradient of x.
func (l *rectify) Backward(r *nn.Run) {
	y, dx := l.y.X.FirstPixels(r.N).Flat(), l.x.D.FirstPixels(r.N).Flat()
	for i, v := range l.y.D.FirstPixels(r.N).Flat() {
		dx[i] = 0
		if y[i] > 0 {
			dx[i] = v
		}
	}
}
