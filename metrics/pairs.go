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

// largest bounds ‖x‖², so that no inner product, nor a part of its sum, overflows float32.
const largest = 1e38

// A reference is one of the rows that a sweep shows to its queries.
type reference struct {
	index int
	row   []float32
	norm  float64 // ‖row‖²
}

// A visitor is given the inner products of a reference with the queries from first on. Each group of
// queries is one goroutine's at a time, and sees the references in order.
type visitor func(first int, products []float32, r reference)

// A sweep takes references by blocks, [blockChunks][chunkRows][D], and multiplies each with one group of
// packed queries after another.
type sweep struct {
	refs   References
	groups []group
	block  kernels.Map
	norms  []float64 // ‖row‖² of the block's
	first  int       // index of the block's first row
	rows   int       // in the block
}

// A group is some queries, packed, and room for their products with a chunk of references.
type group struct {
	first, n int
	queries  kernels.MatMul
	scratch  kernels.Scratch
	products kernels.Map // [chunkRows][n]
}

// norms returns ‖x‖² of each row, or which row cannot be used.
func (f Features) norms(on Compute) ([]float64, error) {
	norms := make([]float64, f.N)
	err := on.each((f.N+chunkRows-1)/chunkRows, func(k int) error {
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

// usable returns an error when row i with ‖x‖² = norm has numbers that are not finite, or too large.
func usable(i int, norm float64) error {
	switch {
	case !finite(norm):
		return fmt.Errorf("row %d has a number that is not finite: look for what made it", i)
	case norm > largest:
		return fmt.Errorf("row %d has a norm above %g, beyond float32: scale the numbers down", i, 1e19)
	}
	return nil
}

// overPairs shows visit the inner products of all queries and references.
func overPairs(queries Features, refs References, on Compute, visit visitor) error {
	queries.mustFit()
	mustMatch(queries.D, refs.D)
	s := &sweep{
		refs: refs, groups: make([]group, (queries.N+groupQueries-1)/groupQueries),
		block: kernels.NewDense(blockChunks, 1, chunkRows, refs.D), norms: make([]float64, blockChunks*chunkRows),
	}
	if err := on.each(len(s.groups), func(i int) error { s.groups[i].pack(queries, i, on.ISA); return nil }); err != nil {
		return err
	}
	for ; s.first < refs.N; s.first += s.rows {
		s.rows = min(blockChunks*chunkRows, refs.N-s.first)
		if err := on.each((s.rows+chunkRows-1)/chunkRows, s.load); err != nil {
			return fmt.Errorf("references: %w", err)
		}
		if err := on.each(len(s.groups), func(i int) error { s.multiply(&s.groups[i], visit); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// pack takes over the i-th group of the queries.
func (g *group) pack(queries Features, i int, isa kernels.ISA) {
	g.first = i * groupQueries
	g.n = min(groupQueries, queries.N-g.first)
	g.queries.ISA = isa
	g.queries.Pack(queries.Data[g.first*queries.D:][:g.n*queries.D], queries.D)
	g.products = kernels.NewDense(1, 1, chunkRows, g.n)
}

// chunk returns rows of the block, one line of pixels.
func (s *sweep) chunk(k int) kernels.Map {
	return s.block.Images(k, k+1).FirstPixels(min(chunkRows, s.rows-k*chunkRows))
}

// load fills a chunk of the block.
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

// multiply shows a group's products with the block.
func (s *sweep) multiply(g *group, visit visitor) {
	for k := range (s.rows + chunkRows - 1) / chunkRows {
		rows := s.chunk(k)
		products := g.products.FirstPixels(rows.W)
		g.queries.Mul(&g.scratch, products, rows)
		for i := range rows.W {
			at := k*chunkRows + i
			visit(g.first, products.At(0, 0, i), reference{s.first + at, rows.At(0, 0, i), s.norms[at]})
		}
	}
}

// A rounding bounds the error of float32 inner products p of D numbers: |p − x·y| ≤ γ‖x‖‖y‖ + tiny ≤
// γ(‖x‖² + ‖y‖²)/2 + tiny, γ = n·u/(1 − n·u) with u = 2⁻²⁴ and n roundings on each number's way into the
// sum, in whatever order (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1). n is D and
// some more, which also covers the rounding of all that is computed in float64. tiny is for products that underflow.
type rounding struct{ gamma, tiny float64 }

func roundingOf(d int) rounding {
	const u = 0x1p-24
	n := float64(d) + 8
	return rounding{gamma: n * u / (1 - n*u), tiny: n * 0x1p-126}
}

var errNoRows = errors.New("no rows: there is nothing to measure")
