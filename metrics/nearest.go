package metrics

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Neighbours are the K nearest references of each query, the nearest first. Of references at one
// distance the lower index comes first.
type Neighbours struct {
	K        int
	Index    []int     // [N][K], indices of references
	Distance []float64 // [N][K], Euclidean
}

// Nearest finds the k nearest references of each query. It computes and compares distances as
// float64 does, on every instruction set. Most pairs cost a product in float32 alone. Rows that are
// equal, or too near to each other for float32, cost a distance in float64 for each pair.
//
// Errors are fewer than k references, and a number that is not finite.
func Nearest(queries Features, refs References, k int, on Compute) (*Neighbours, error) {
	return findNearest(queries, refs, k, false, on)
}

// findNearest is Nearest. With others it leaves out the reference that has the query's own index.
func findNearest(queries Features, refs References, k int, others bool, on Compute) (*Neighbours, error) {
	queries.mustFit()
	have := refs.N
	if others {
		have--
	}
	switch {
	case k < 1:
		return nil, fmt.Errorf("%d nearest neighbours: 1 is the least", k)
	case have < k:
		return nil, fmt.Errorf("%d nearest neighbours among %d rows: take more rows, or fewer neighbours",
			k, max(have, 0))
	}
	norms, err := queries.squaredNorms(on)
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	s := newSearch(queries, norms, k, others)
	if err := overPairs(queries, refs, on, s.visit); err != nil {
		return nil, err
	}
	for i, d := range s.found.Distance {
		s.found.Distance[i] = math.Sqrt(d)
	}
	return s.found, nil
}

// A search keeps the nearest references so far. From d² = ‖x‖² + ‖y‖² − 2x·y follows that a
// reference y is nearer to a query x than the k-th so far only if x·y ≥ (‖x‖² − d_k²)/2 + ‖y‖²/2.
// The first term, minus the rounding of x·y, is the bound of the query.
type search struct {
	rounding
	queries Features
	others  bool
	norms   []float64 // ‖x‖² of each query
	bounds  []float64
	found   *Neighbours // whose distances are squares until the end
}

func newSearch(queries Features, norms []float64, k int, others bool) *search {
	s := &search{
		rounding: roundingOf(queries.D), queries: queries, others: others, norms: norms,
		bounds: make([]float64, queries.N),
		found:  &Neighbours{K: k, Index: make([]int, queries.N*k), Distance: make([]float64, queries.N*k)},
	}
	for i := range s.bounds {
		s.bounds[i] = math.Inf(-1)
	}
	for i := range s.found.Distance {
		s.found.Distance[i], s.found.Index[i] = math.Inf(1), -1
	}
	return s
}

// visit is the visitor of the search's sweep.
func (s *search) visit(first int, products []float32, r reference) {
	half := r.norm * (1 - s.gamma) / 2
	bounds := s.bounds[first:][:len(products)]
	for i, p := range products {
		if float64(p) >= bounds[i]+half {
			s.consider(first+i, r)
		}
	}
}

// consider computes a distance in float64, and takes the reference if it is nearer than the k-th.
func (s *search) consider(query int, r reference) {
	if s.others && query == r.index {
		return
	}
	d := distanceSquared(s.queries.Row(query), r.row)
	k := s.found.K
	distance, index := s.found.Distance[query*k:][:k], s.found.Index[query*k:][:k]
	if !(d < distance[k-1]) {
		return
	}
	i := k - 1
	for ; i > 0 && d < distance[i-1]; i-- {
		distance[i], index[i] = distance[i-1], index[i-1]
	}
	distance[i], index[i] = d, r.index
	s.bounds[query] = (s.norms[query]*(1-s.gamma)-distance[k-1])/2 - s.tiny
}

// Distances describe a set of distances. The quantile of a share is the least distance that this
// share of the set does not exceed.
type Distances struct {
	Mean         float64 `json:"mean"`
	Min          float64 `json:"min"`
	Quantile5    float64 `json:"quantile_5"`
	Quantile25   float64 `json:"quantile_25"`
	Median       float64 `json:"median"`
	Quantile75   float64 `json:"quantile_75"`
	Quantile95   float64 `json:"quantile_95"`
	Max          float64 `json:"max"`
	NearestQuery int     `json:"nearest_query"` // index of the query with the least distance
}

// Summary describes the distances of the queries to their nearest references. No queries are an
// error.
func (n *Neighbours) Summary() (Distances, error) {
	if len(n.Distance) == 0 {
		return Distances{}, errNoRows
	}
	first := make([]float64, 0, len(n.Distance)/n.K)
	for i := 0; i < len(n.Distance); i += n.K {
		first = append(first, n.Distance[i])
	}
	d := Distances{Mean: stat.Mean(first, nil), NearestQuery: slices.Index(first, slices.Min(first))}
	slices.Sort(first)
	at := func(share float64) float64 { return stat.Quantile(share, stat.Empirical, first, nil) }
	d.Min, d.Quantile5, d.Quantile25, d.Median = at(0), at(0.05), at(0.25), at(0.5)
	d.Quantile75, d.Quantile95, d.Max = at(0.75), at(0.95), at(1)
	return d, nil
}
