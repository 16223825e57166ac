package kernels

import "fmt"

// A MatMul multiplies matrices with one instruction set. A matrix is a map [NewDense](1, 1, rows,
// columns), or a view of some of its channels: a pixel is a row, and a channel is a column. The
// right factor is packed first. Between Pack and the next method that packs, several goroutines may
// call Mul at once, each with its own Scratch.
type MatMul struct {
	ISA ISA
	// Pairs rounds the factors of Times, TimesTransposed and AddTransposedTimes to bfloat16 and
	// multiplies them as pairs, with sums in float32. The factors may then be maps of bfloat16; so
	// may the result of the first two.
	Pairs bool

	panel panel
	pairs pairFactors
}

// Pack takes over b, [N][K], for c = a·bᵀ: the inner products of each row of a with each row of
// b.
func (m *MatMul) Pack(b []float32, k int) {
	if k < 1 || len(b)%k != 0 {
		panic(fmt.Sprintf("kernels: matrix of %d elements in rows of %d", len(b), k))
	}
	m.panel.reshape(m.ISA, k, len(b)/k)
	m.panel.setColumns(0, b, k, false)
}

// Mul computes c, N channels, from a, K channels, and the packed factor.
func (m *MatMul) Mul(s *Scratch, c, a Map) {
	if a.C != m.panel.k || c.C != m.panel.n || a.N != c.N || a.H != c.H || a.W != c.W {
		panic(fmt.Sprintf("kernels: product with a matrix of %d rows of %d: shapes %v and %v",
			m.panel.n, m.panel.k, a.shape(), c.shape()))
	}
	g := gather{in: all(a), win: window{1, 1}, b: &m.panel, out: all(c)}
	g.run(m.ISA, s)
}

// Times packs b and computes c = a·b.
func (m *MatMul) Times(s *Scratch, c, a, b Map) {
	mustMultiply("times", c.W == a.W && a.C == b.W && c.C == b.C, c, a, b)
	if m.Pairs {
		m.pairs.times(m.ISA, s, c, a, b)
		return
	}
	m.panel.reshape(m.ISA, a.C, b.C)
	for i := range b.W {
		m.panel.setRows(i, b.At(0, 0, i), false)
	}
	m.Mul(s, c, a)
}

// TimesTransposed packs b and computes c = a·bᵀ. c may have more columns than b has rows: the
// columns beyond become zero.
func (m *MatMul) TimesTransposed(s *Scratch, c, a, b Map) {
	mustMultiply("times transposed", c.W == a.W && a.C == b.C && c.C >= b.W, c, a, b)
	if m.Pairs {
		m.pairs.timesTransposed(m.ISA, s, c, a, b)
		return
	}
	m.panel.reshape(m.ISA, a.C, c.C)
	for j := range b.W {
		m.panel.setColumn(j, b.At(0, 0, j))
	}
	for j := b.W; j < c.C; j++ {
		m.panel.clearColumn(j)
	}
	m.Mul(s, c, a)
}

// AddTransposedTimes adds aᵀ·b to c.
func (m *MatMul) AddTransposedTimes(s *Scratch, c, a, b Map) {
	mustMultiply("transposed times", c.W == a.C && a.W == b.W && c.C == b.C, c, a, b)
	if m.Pairs {
		m.pairs.addTransposedTimes(m.ISA, s, c, a, b)
		return
	}
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
