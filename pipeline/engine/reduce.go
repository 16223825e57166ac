package engine

import (
	"math/bits"
	"slices"
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
//
// A rank of several has a range of the leaves. It sums the largest nodes whose leaves are all its
// own, its tops: of the leaves 1 to 4 these are 1, 23 and 4. They need a buffer each.
type Reducer struct {
	tree
	first, end int    // the leaves of this reducer
	tops       []node // in the order of their leaves
	add        func(dst, src []float32)

	mu      sync.Mutex
	freed   sync.Cond // there is a buffer, or none is needed any more
	topped  sync.Cond // there is one more top, or there will be none
	pool    []*Partial
	waiting [][]*Partial // waiting[level][i] is a node whose sibling is not there yet
	next    int          // the micro-batch to hand out next
	aborted bool
	sums    []*Partial // of the tops; nil where it is not there yet
}

// A tree is the shape of the sums over its number of leaves.
type tree int

// A node is a node of a tree, by its level and its place in it.
type node struct{ level, index int }

// count returns the number of nodes of a level.
func (t tree) count(level int) int { return (int(t) + 1<<level - 1) >> level }

// leaves returns the leaves first..end-1 that meet in a node.
func (t tree) leaves(n node) (first, end int) {
	return n.index << n.level, min((n.index+1)<<n.level, int(t))
}

// parent returns the node in which a node and its sibling meet.
func (n node) parent() node { return node{n.level + 1, n.index / 2} }

// raise moves a node up to the level where it has a sibling, or is the root.
func (t tree) raise(n node) node {
	for n.index^1 >= t.count(n.level) && t.count(n.level) > 1 {
		n = n.parent()
	}
	return n
}

// tops returns the largest nodes whose leaves all lie in first..end-1.
func (t tree) tops(first, end int) []node {
	var all []node
	for first < end {
		top := t.raise(node{0, first})
		for t.count(top.level) > 1 {
			if from, to := t.leaves(top.parent()); from < first || to > end {
				break
			}
			top = t.raise(top.parent())
		}
		all = append(all, top)
		_, first = t.leaves(top)
	}
	return all
}

// A merge is a sum of two nodes in a list of nodes: from is added to into.
type merge struct{ into, from int }

// merges returns the sums that lead from nodes to the root, which is at the end in the place of the
// first node. The nodes have all leaves, in their order.
func (t tree) merges(nodes []node) []merge {
	var all []merge
	var open []int // places of nodes that wait for their siblings
	nodes = slices.Clone(nodes)
	for i := range nodes {
		open = append(open, i)
		for len(open) > 1 {
			into, from := open[len(open)-2], open[len(open)-1]
			if nodes[into].parent() != nodes[from].parent() {
				break
			}
			all = append(all, merge{into, from})
			nodes[into] = t.raise(nodes[into].parent())
			open = open[:len(open)-1]
		}
	}
	return all
}

// NewReducer makes a reducer for n micro-batches, with buffers for gradients of the given length.
// add adds src to dst.
func NewReducer(n, workers, length int, add func(dst, src []float32)) *Reducer {
	return newReducer(n, 0, n, workers, length, add)
}

// newReducer makes a reducer for the micro-batches first..end-1 of n.
func newReducer(n, first, end, workers, length int, add func(dst, src []float32)) *Reducer {
	r := &Reducer{tree: tree(n), first: first, end: end, add: add}
	r.tops = r.tree.tops(first, end)
	r.sums = make([]*Partial, len(r.tops))
	r.freed.L, r.topped.L = &r.mu, &r.mu
	own := end - first
	// One buffer is there without leaves too: see Scratch of Trainer.
	for range max(min(own, min(workers, own)+bits.Len(uint(own))+max(len(r.tops), 1)), 1) {
		r.pool = append(r.pool, &Partial{Grad: make([]float32, length)})
	}
	for level := 0; ; level++ {
		r.waiting = append(r.waiting, make([]*Partial, r.count(level)))
		if r.count(level) == 1 {
			return r
		}
	}
}

// reset starts a step. The buffers of the last tops return to the pool.
func (r *Reducer) reset() {
	r.next, r.aborted = r.first, false
	for i, p := range r.sums {
		if p != nil {
			r.pool, r.sums[i] = append(r.pool, p), nil
		}
	}
}

// Take returns the index of the next micro-batch and a buffer for its gradient, with old content.
// ok is false when all micro-batches are handed out, or after Abort.
func (r *Reducer) Take() (p *Partial, index int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.pool) == 0 && r.next < r.end && !r.aborted {
		r.freed.Wait()
	}
	if r.next == r.end || r.aborted {
		return nil, 0, false
	}
	p, r.pool = r.pool[len(r.pool)-1], r.pool[:len(r.pool)-1]
	index = r.next
	r.next++
	if r.next == r.end {
		r.freed.Broadcast() // no worker needs to wait for a buffer any more
	}
	return p, index, true
}

// Deliver puts a finished micro-batch into the tree, and adds it to its sibling if that is there,
// and so on up the tree.
func (r *Reducer) Deliver(p *Partial, index int) {
	at := r.raise(node{0, index})
	for {
		if top := slices.Index(r.tops, at); top >= 0 {
			r.finish(p, top)
			return
		}
		other := r.meet(p, at)
		if other == nil {
			return
		}
		if at.index&1 == 1 {
			p, other = other, p
		}
		r.add(p.Grad, other.Grad)
		p.Loss += other.Loss
		r.release(other)
		at = r.raise(at.parent())
	}
}

// meet returns the sibling of a node. If the sibling is not there yet, meet leaves the node for it
// and returns nil.
func (r *Reducer) meet(p *Partial, at node) *Partial {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes, sibling := r.waiting[at.level], at.index^1
	other := nodes[sibling]
	if other == nil {
		nodes[at.index] = p
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

// finish keeps the sum of a top.
func (r *Reducer) finish(p *Partial, top int) {
	r.mu.Lock()
	r.sums[top] = p
	r.mu.Unlock()
	r.topped.Broadcast()
}

// await waits for a top, and returns nil after Abort.
func (r *Reducer) await(top int) *Partial {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.sums[top] == nil && !r.aborted {
		r.topped.Wait()
	}
	return r.sums[top]
}

// whole reports whether all tops are there.
func (r *Reducer) whole() bool { return !slices.Contains(r.sums, nil) }

// Root returns the sum of all micro-batches once all are delivered, nil before that and after
// Abort.
func (r *Reducer) Root() *Partial { return r.sums[0] }

// Abort makes every Take fail until the next step.
func (r *Reducer) Abort() {
	r.mu.Lock()
	r.aborted = true
	r.mu.Unlock()
	r.freed.Broadcast()
	r.topped.Broadcast()
}
