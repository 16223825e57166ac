package kernels

// A shifted convolution is a 3x3 convolution to so few channels that a tile of the implicit product
// would be nearly empty. It is a product of each pixel with the weights of all nine taps at once,
// z = x·w, [IC] by [9·OC], and then the sum y[p] = Σ_tap z[p + tap][tap].
type shifted struct {
	weights panel
	oc      int
}

// pack takes over a weight [3][3][ic][oc].
func (c *shifted) pack(isa ISA, weight []float32, ic, oc int) {
	c.oc = oc
	c.weights.reshape(isa, ic, 9*oc)
	for tap := range 9 {
		for i := range ic {
			for o := range oc {
				c.weights.set(i, tap*oc+o, weight[(tap*ic+i)*oc+o])
			}
		}
	}
}

// set writes one element of the panel.
func (p *panel) set(i, j int, v float32) {
	p.data[j/p.cols*p.cols*p.k+i*p.cols+j%p.cols] = v
}

// convolve computes y = conv(x) + bias + residual; bias and residual may be nil.
func (c *shifted) convolve(isa ISA, s *Scratch, y, x Map, bias []float32, residual *Map) {
	taps := 9 * c.oc
	z := s.take(x.H * x.W * taps)
	products := Map{N: 1, H: x.H, W: x.W, C: taps, Pixel: taps, Row: x.W * taps, Image: x.H * x.W * taps, data: z}
	for n := range x.N {
		g := gather{in: all(x.image(n)), win: window{1, 1}, b: &c.weights, out: all(products)}
		g.run(isa, s)
		for i := range y.H {
			for j := range y.W {
				out := y.At(n, i, j)
				for o := range out {
					var sum float32
					if residual != nil {
						sum = residual.At(n, i, j)[o]
					}
					if bias != nil {
						sum += bias[o]
					}
					out[o] = sum + c.sum(z, i, j, o, x.H, x.W)
				}
			}
		}
	}
}

// sum adds up what the nine taps around pixel (i, j) have for channel o.
func (c *shifted) sum(z []float32, i, j, o, h, w int) float32 {
	taps := 9 * c.oc
	at := (i*w+j)*taps + o
	var sum float32
	for ky := range 3 {
		if row := i + ky - 1; row < 0 || row >= h {
			continue
		}
		for kx := range 3 {
			if col := j + kx - 1; col >= 0 && col < w {
				sum += z[at+((ky-1)*w+kx-1)*taps+(ky*3+kx)*c.oc]
			}
		}
	}
	return sum
}
