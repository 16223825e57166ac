package metrics

import (
	"errors"
	"fmt"

	"github.com/fmimg/fmimg/kernels"
)

// The blocks of the matrix products.
const (
	groupQueries = kernels.PairQueries
	chunkRows    = kernels.PairRows
	blockChunks  = kernels.PairChunks
)

// largest bounds ‖x‖², so that inner products and their partial sums do not overflow float32.
const largest = 1e38

// A reference is a row that a sweep shows to its queries.
type reference struct {
	index int
	row   []float32
	norm  float64 // ‖row‖²
}

// A visitor receives the inner products of a reference with some queries, from query first on. A
// group of queries belongs to one goroutine at a time, and sees the references in their order.
type visitor func(first int, products []float32, r reference)

// A sweep reads references in blocks of [blockChunks][chunkRows][D]. It multiplies each block with
// one group of packed queries after another.
type sweep struct {
	refs   References
	groups []group
	block  kernels.Map
	norms  []float64 // ‖row‖² of the rows of the block
	first  int       // index of the block's first row
	rows   int       // rows in the block
}

// A group holds some queries, packed, and room for their products with a chunk of references.
type group struct {
	first, n int
	queries  kernels.MatMul
	scratch  kernels.Scratch
	products kernels.Map // [chunkRows][n]
}

// squaredNorms returns ‖x‖² of each row. A row that cannot be used is an error.
func (f Features) squaredNorms(on Compute) ([]float64, error) {
	norms := make([]float64, f.N)
	err := on.each(parts(f.N, chunkRows), func(k int) error {
		for i := k * chunkRows; i < min((k+1)*chunkRows, f.N); i++ {
			norms[i] = normSquared(f.Row(i))
			if err := usable(i, norms[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return norms, err
}

// usable fails when row i, whose ‖x‖² is norm, has numbers that are not finite or too large.
func usable(i int, norm float64) error {
	switch {
	case !finite(norm):
		return fmt.Errorf("row %d has a number that is not finite: look for what made it", i)
	case norm > largest:
		return fmt.Errorf("row %d has a norm above %g, beyond float32: scale the numbers down", i, 1e19)
	}
	return nil
}

// overPairs calls visit with the inner products of all queries and references.
func overPairs(queries Features, refs References, on Compute, visit visitor) error {
	queries.mustFit()
	mustMatch(queries.D, refs.D)
	s := &sweep{
		refs: refs, groups: make([]group, parts(queries.N, groupQueries)),
		block: kernels.NewDense(blockChunks, 1, chunkRows, refs.D), norms: make([]float64, blockChunks*chunkRows),
	}
	overGroups := func(f func(i int, g *group)) error {
		return on.each(len(s.groups), func(i int) error { f(i, &s.groups[i]); return nil })
	}
	if err := overGroups(func(i int, g *group) { g.pack(queries, i, on.ISA) }); err != nil {
		return err
	}
	for ; s.first < refs.N; s.first += s.rows {
		s.rows = min(blockChunks*chunkRows, refs.N-s.first)
		if err := on.each(parts(s.rows, chunkRows), s.load); err != nil {
			return fmt.Errorf("references: %w", err)
		}
		if err := overGroups(func(_ int, g *group) { s.multiply(g, visit) }); err != nil {
			return err
		}
	}
	return nil
}

// pack packs group i of the queries.
func (g *group) pack(queries Features, i int, isa kernels.ISA) {
	g.first = i * groupQueries
	g.n = min(groupQueries, queries.N-g.first)
	g.queries.ISA = isa
	g.queries.Pack(queries.Data[g.first*queries.D:][:g.n*queries.D], queries.D)
	g.products = kernels.NewDense(1, 1, chunkRows, g.n)
}

// chunk returns chunk k of the block, whose rows are the pixels of one line.
func (s *sweep) chunk(k int) kernels.Map {
	return s.block.Images(k, k+1).FirstPixels(min(chunkRows, s.rows-k*chunkRows))
}

// load fills chunk k of the block.
func (s *sweep) load(k int) error {
	m, first := s.chunk(k), s.first+k*chunkRows
	if err := s.refs.Rows(first, m.Flat()); err != nil {
		return fmt.Errorf("rows %d to %d: %w", first, first+m.W-1, err)
	}
	for i := range m.W {
		norm := normSquared(m.At(0, 0, i))
		if err := usable(first+i, norm); err != nil {
			return err
		}
		s.norms[k*chunkRows+i] = norm
	}
	return nil
}

// multiply calls visit with the products of a group and the block.
func (s *sweep) multiply(g *group, visit visitor) {
	for k := range parts(s.rows, chunkRows) {
		rows := s.chunk(k)
		products := g.products.FirstPixels(rows.W)
		g.queries.Mul(&g.scratch, products, rows)
		for i := range rows.W {
			at := k*chunkRows + i
			visit(g.first, products.At(0, 0, i), reference{s.first + at, rows.At(0, 0, i), s.norms[at]})
		}
	}
}

// A rounding bounds the error of an inner product p of D numbers in float32:
//
//	|p − x·y| ≤ γ‖x‖‖y‖ + tiny ≤ γ(‖x‖² + ‖y‖²)/2 + tiny,   γ = n·u/(1 − n·u),   u = 2⁻²⁴
//
// A number meets n roundings at most on its way into the sum, whatever the order of the sum (Higham
// 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1). n is a little more than D,
// which covers the rounding of the float64 terms too. tiny covers products that underflow.
type rounding struct{ gamma, tiny float64 }

// roundingOf returns the bound for rows of d numbers.
func roundingOf(d int) rounding {
	const u = 0x1p-24
	n := float64(d) + 8
	return rounding{gamma: n * u / (1 - n*u), tiny: n * 0x1p-126}
}

// errNoRows refuses an empty set.
var errNoRows = errors.New("no rows: there is nothing to measure")
