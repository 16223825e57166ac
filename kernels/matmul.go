package kernels

import "fmt"

// A MatMul is the matrix product c = a·bᵀ with b packed for one instruction set: all inner products of
// the rows of a and of b. After Pack it may be used by several goroutines at once, each with its own
// Scratch.
type MatMul struct {
	ISA ISA

	panel panel
}

// Pack takes over b, [N][K], row after row.
func (m *MatMul) Pack(b []float32, k int) {
	if k < 1 || len(b)%k != 0 {
		panic(fmt.Sprintf("kernels: matrix of %d elements in rows of %d", len(b), k))
	}
	m.panel.reshape(m.ISA, k, len(b)/k)
	m.panel.setColumns(0, b, k, false)
}

// Mul computes c, N channels, from a, K channels. A row of a matrix is a pixel of its map.
func (m *MatMul) Mul(s *Scratch, c, a Map) {
	if a.C != m.panel.k || c.C != m.panel.n || a.N != c.N || a.H != c.H || a.W != c.W {
		panic(fmt.Sprintf("kernels: product with a matrix of %d rows of %d: shapes %v and %v", m.panel.n, m.panel.k, a.shape(), c.shape()))
	}
	g := gather{in: all(a), win: window{1, 1}, b: &m.panel, out: all(c)}
	g.run(m.ISA, s)
}
