package kernels

import "fmt"

// A Matmul multiplies matrices with one instruction set. The rows of a matrix are the pixels of a map of one image
// and one line, its columns the channels: [NewDense](1, 1, rows, columns), or a view of some of its channels.
// It keeps memory between calls, for the packed form of a factor, and is not safe for concurrent use.
type Matmul struct {
	ISA ISA

	panel panel
}

// Times computes c = a·b.
func (m *Matmul) Times(s *Scratch, c, a, b Map) {
	mustMultiply("times", c.W == a.W && a.C == b.W && c.C == b.C, c, a, b)
	m.panel.reshape(m.ISA, a.C, b.C)
	for i := range b.W {
		m.panel.setRows(i, b.At(0, 0, i), false)
	}
	m.run(s, c, a)
}

// TimesTransposed computes c = a·bᵀ. c may have more columns than b has rows: those become zero.
func (m *Matmul) TimesTransposed(s *Scratch, c, a, b Map) {
	mustMultiply("times transposed", c.W == a.W && a.C == b.C && c.C >= b.W, c, a, b)
	m.panel.reshape(m.ISA, a.C, c.C)
	for j := range b.W {
		m.panel.setColumn(j, b.At(0, 0, j))
	}
	for j := b.W; j < c.C; j++ {
		m.panel.clearColumn(j)
	}
	m.run(s, c, a)
}

// run computes c = a times the panel.
func (m *Matmul) run(s *Scratch, c, a Map) {
	g := gather{in: all(a), win: window{1, 1}, b: &m.panel, out: all(c)}
	g.run(m.ISA, s)
}

// AddTransposedTimes adds aᵀ·b to c.
func (m *Matmul) AddTransposedTimes(s *Scratch, c, a, b Map) {
	mustMultiply("transposed times", c.W == a.C && a.W == b.W && c.C == b.C, c, a, b)
	start := c.index(0, 0, 0)
	g := scatter{a: all(a), b: all(b), m: a.C, n: b.C, dst: c.data[start:], row: c.Pixel, col: 1}
	g.run(m.ISA, s)
}

func mustMultiply(what string, fits bool, c, a, b Map) {
	if !fits || c.N*c.H*a.N*a.H*b.N*b.H != 1 {
		panic(fmt.Sprintf("kernels: %s: matrices %v and %v into %v", what, a.shape(), b.shape(), c.shape()))
	}
}

// setColumn writes column j of the panel.
func (p *panel) setColumn(j int, column []float32) {
	block := p.data[j/p.cols*p.cols*p.k+j%p.cols:]
	for i, v := range column {
		block[i*p.cols] = v
	}
}

// clearColumn writes zeros to column j of the panel.
func (p *panel) clearColumn(j int) {
	block := p.data[j/p.cols*p.cols*p.k+j%p.cols:]
	for i := range p.k {
		block[i*p.cols] = 0
	}
}
