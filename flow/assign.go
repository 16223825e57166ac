package flow

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// An Assigner solves the assignment problem exactly: which permutation p of n columns minimises Σ_i
// cost[i][p[i]]. The zero value is ready. It keeps its memory, so a problem that is not larger than
// an earlier one allocates nothing.
//
// Minibatch optimal transport takes ‖x0_i − x1_j‖² as the cost of noise i and image j. The pairs
// that it finds have straighter paths, with fewer crossings, than independent pairs (Tong et al.
// 2024, "Improving and generalizing flow-based generative models with minibatch optimal transport",
// section 3.2; Pooladian et al. 2023).
type Assigner struct {
	rowPrice, colPrice []float64 // potentials of the dual problem
	slack              []float64 // reduced cost that separates a column from the tree of paths
	rowOf, from        []int     // of each column: its row, and the column before it on the path
	result             []int
	done               []bool // whether a column is in the tree
}

// Assign returns the column of each row, valid until the next call. cost is [n][n], row after row.
// Assign panics when a cost is not finite.
//
// Rows are added one at a time. Each follows the cheapest path of alternating free and taken pairs
// to a free column: the Hungarian method by shortest paths (Kuhn 1955, Tomizawa 1971). A row takes
// O(n²), and all take O(n³).
func (a *Assigner) Assign(cost []float64, n int) []int {
	if len(cost) != n*n {
		panic(fmt.Sprintf("flow: assignment of %d rows: %d costs", n, len(cost)))
	}
	for i, c := range cost {
		if !states.Finite(c) {
			panic(fmt.Sprintf("flow: assignment of %d rows: cost %d is %v", n, i, c))
		}
	}
	a.Reserve(n)
	for row := range n {
		a.add(cost, n, row)
	}
	for col := range n {
		a.result[a.rowOf[col]] = col
	}
	return a.result[:n]
}

// free marks a column without a row.
const free = -1

// Reserve makes room for problems of n rows.
func (a *Assigner) Reserve(n int) {
	if cap(a.slack) < n+1 {
		a.rowPrice, a.colPrice, a.slack = make([]float64, n), make([]float64, n+1), make([]float64, n+1)
		a.rowOf, a.from, a.result, a.done = make([]int, n+1), make([]int, n+1), make([]int, n), make([]bool, n+1)
	}
	clear(a.rowPrice)
	clear(a.colPrice)
	for i := range a.rowOf {
		a.rowOf[i] = free
	}
}

// add finds a column for one more row. Column n stands for the begin of the path.
func (a *Assigner) add(cost []float64, n, row int) {
	for col := range n + 1 {
		a.slack[col], a.done[col] = math.Inf(1), false
	}
	at := n
	a.rowOf[at] = row
	for a.rowOf[at] != free {
		at = a.grow(cost, n, at)
	}
	for at != n { // the rows on the path move on by one column
		before := a.from[at]
		a.rowOf[at] = a.rowOf[before]
		at = before
	}
}

// grow adds the row of a column to the tree of paths. It raises the prices until the tree reaches
// another column, and returns that column.
func (a *Assigner) grow(cost []float64, n, at int) (nearest int) {
	a.done[at] = true
	row := a.rowOf[at]
	nearest, step := n, math.Inf(1)
	for col := range n {
		if a.done[col] {
			continue
		}
		if reduced := cost[row*n+col] - a.rowPrice[row] - a.colPrice[col]; reduced < a.slack[col] {
			a.slack[col], a.from[col] = reduced, at
		}
		if a.slack[col] < step {
			step, nearest = a.slack[col], col
		}
	}
	for col := range n + 1 {
		if a.done[col] {
			a.rowPrice[a.rowOf[col]] += step
			a.colPrice[col] -= step
		} else {
			a.slack[col] -= step
		}
	}
	return nearest
}
