package engine

import (
	"math/bits"
	"sync"
)

// A Partial is the sum of the gradients of some micro-batches of a step, and of their losses.
type Partial struct {
	Grad []float32
	Loss float64
}

// A Reducer hands out the micro-batches of a step and sums their gradients over a fixed binary
// tree: leaf i is micro-batch i, and nodes 2i and 2i+1 of a level meet in node i of the next.
//
//	level 2            0123 ─┐
//	level 1      01 ─┴─ 23   4    a node without a sibling moves up as it is
//	level 0    0 ┴ 1   2 ┴ 3   4
//
// Time decides which worker adds two siblings, but the sums do not depend on it. Workers take a
// buffer first and the next micro-batch then. So the finished micro-batches are all the first ones,
// except those that workers have in hand, and workers + log2(n) + 2 buffers are enough. A worker
// that finds no buffer waits until others merge.
type Reducer struct {
	n   int // micro-batches of a step
	add func(dst, src []float32)

	mu      sync.Mutex
	freed   sync.Cond
	pool    []*Partial
	waiting [][]*Partial // waiting[level][i] is a node whose sibling is not there yet
	next    int          // the micro-batch to hand out next
	aborted bool
	root    *Partial
}

// NewReducer makes a reducer for n micro-batches, with buffers for gradients of the given length.
// add adds src to dst.
func NewReducer(n, workers, length int, add func(dst, src []float32)) *Reducer {
	r := &Reducer{n: n, add: add}
	r.freed.L = &r.mu
	for range min(n, min(workers, n)+bits.Len(uint(n))+1) {
		r.pool = append(r.pool, &Partial{Grad: make([]float32, length)})
	}
	for count := n; ; count = (count + 1) / 2 {
		r.waiting = append(r.waiting, make([]*Partial, count))
		if count == 1 {
			return r
		}
	}
}

// reset starts a step. The buffer of the last root returns to the pool.
func (r *Reducer) reset() {
	r.next, r.aborted = 0, false
	if r.root != nil {
		r.pool = append(r.pool, r.root)
		r.root = nil
	}
}

// Take returns the index of the next micro-batch and a buffer for its gradient, with old content.
// ok is false when all micro-batches are handed out, or after Abort.
func (r *Reducer) Take() (p *Partial, index int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.pool) == 0 && r.next < r.n && !r.aborted {
		r.freed.Wait()
	}
	if r.next == r.n || r.aborted {
		return nil, 0, false
	}
	p, r.pool = r.pool[len(r.pool)-1], r.pool[:len(r.pool)-1]
	index = r.next
	r.next++
	if r.next == r.n {
		r.freed.Broadcast() // no worker needs to wait for a buffer any more
	}
	return p, index, true
}

// Deliver puts a finished micro-batch into the tree, and adds it to its sibling if that is there,
// and so on up the tree.
func (r *Reducer) Deliver(p *Partial, index int) {
	for level := 0; level < len(r.waiting)-1; level++ {
		if sibling := index ^ 1; sibling < len(r.waiting[level]) {
			other := r.meet(p, level, index, sibling)
			if other == nil {
				return
			}
			if index&1 == 1 {
				p, other = other, p
			}
			r.add(p.Grad, other.Grad)
			p.Loss += other.Loss
			r.release(other)
		}
		index /= 2
	}
	r.mu.Lock()
	r.root = p
	r.mu.Unlock()
}

// meet returns the sibling of a node. If the sibling is not there yet, meet leaves the node for it
// and returns nil.
func (r *Reducer) meet(p *Partial, level, index, sibling int) *Partial {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes := r.waiting[level]
	other := nodes[sibling]
	if other == nil {
		nodes[index] = p
	}
	nodes[sibling] = nil
	return other
}

// release returns a buffer to the pool.
func (r *Reducer) release(p *Partial) {
	r.mu.Lock()
	r.pool = append(r.pool, p)
	r.mu.Unlock()
	r.freed.Signal()
}

// Root returns the sum of all micro-batches once all are delivered, nil before that and after
// Abort.
func (r *Reducer) Root() *Partial { return r.root }

// Abort makes every Take fail until the next step.
func (r *Reducer) Abort() {
	r.mu.Lock()
	r.aborted = true
	r.mu.Unlock()
	r.freed.Broadcast()
}
