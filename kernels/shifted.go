package kernels

// A shifted convolution is a 3x3 convolution to very few channels, for which a tile of the direct
// convolution would be nearly empty. It multiplies each pixel with the weights of all nine taps at
// once, z = x·w, [IC] by [9·OC], and then sums up y[p] = Σ_tap z[p + tap][tap].
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
	buf := s.take(x.H*x.W*taps + x.W*c.oc)
	z, line := buf[:x.H*x.W*taps], buf[x.H*x.W*taps:]
	products := Map{
		N: 1, H: x.H, W: x.W, C: taps,
		Pixel: taps, Row: x.W * taps, Image: x.H * x.W * taps, data: z,
	}
	for n := range x.N {
		g := gather{in: all(x.image(n)), win: window{1, 1}, b: &c.weights, out: all(products)}
		g.run(isa, s)
		for i := range y.H {
			clear(line)
			for ky := range 3 {
				if row := i + ky - 1; row >= 0 && row < x.H {
					c.addLine(line, z[row*x.W*taps:][:x.W*taps], ky*3)
				}
			}
			for j := range y.W {
				sum := line[j*c.oc:][:c.oc]
				if bias != nil {
					addVector(sum, bias[:c.oc])
				}
				if residual != nil { // residual may be y itself
					addVector(sum, residual.At(n, i, j))
				}
				copy(y.At(n, i, j), sum)
			}
		}
	}
}

func addVector(dst, src []float32) {
	for i := range dst {
		dst[i] += src[i]
	}
}

// addLine adds a line of products z to the line of the output that it belongs to. tap is the first
// of the three taps in a row of the kernel.
func (c *shifted) addLine(line, z []float32, tap int) {
	taps, w := 9*c.oc, len(line)/c.oc
	for kx := range 3 {
		first, last := max(0, 1-kx), min(w, w+1-kx) // pixels whose neighbour is inside
		if first >= last {
			continue
		}
		for o := range c.oc {
			src := z[(first+kx-1)*taps+(tap+kx)*c.oc+o:]
			for j := first; j < last; j++ {
				line[j*c.oc+o] += src[(j-first)*taps]
			}
		}
	}
}
