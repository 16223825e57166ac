package engine

import (
	"math/bits"
	"sync"
)

// A Partial is the gradient of some micro-batches of a step, and their share of the loss.
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
// Which worker adds two siblings depends on time, the sums do not. Workers take a buffer first and
// the next micro-batch then, so finished micro-batches are a prefix but for the ones at work, and
// workers + log2(n) + 2 buffers are enough: a worker that finds none waits for others to merge.
type Reducer struct {
	n   int // micro-batches of a step
	add func(dst, src []float32)

	mu      sync.Mutex
	freed   sync.Cond
	pool    []*Partial
	waiting [][]*Partial // waiting[level][i] is a node whose sibling is not there yet
	next    int          // the next micro-batch to hand out
	aborted bool
	root    *Partial
}

// NewReducer makes the buffers for gradients of the given length.
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

// reset starts a step; the last root's buffer returns to the pool.
func (r *Reducer) reset() {
	r.next, r.aborted = 0, false
	if r.root != nil {
		r.pool = append(r.pool, r.root)
		r.root = nil
	}
}

// Take returns the next micro-batch and a buffer for it, whose content is old; false when all
// micro-batches are handed out or the step was aborted.
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
		r.freed.Broadcast() // nobody needs to wait for a buffer any more
	}
	return p, index, true
}

// Deliver puts a finished micro-batch into the tree and adds up what it completes.
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

// meet returns the sibling of a node, or nil after leaving the node for its sibling to find.
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

func (r *Reducer) release(p *Partial) {
	r.mu.Lock()
	r.pool = append(r.pool, p)
	r.mu.Unlock()
	r.freed.Signal()
}

// Root returns the sum of all micro-batches, once all are delivered; nil before, and after Abort.
func (r *Reducer) Root() *Partial { return r.root }

// Abort makes every take fail until the next step.
func (r *Reducer) Abort() {
	r.mu.Lock()
	r.aborted = true
	r.mu.Unlock()
	r.freed.Broadcast()
}
