package engine

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/fmimg/fmimg/cluster"
)

// A team is the ranks that take the steps of a run together, as one of them sees it. Alone it has
// one member, and passes nothing on.
//
// A member sums a range of the micro-batches. It also has a share of the flat vectors, of whole
// pieces of the optimiser, for which it brings all sums together and steps the parameters. What is
// computed with what, in which order, is the same for any number of members.
//
//	micro-batches ──► tops ──┬─ numbers of share 0 ──► member 0 ──► values of share 0 ──┐
//	of this member           └─ numbers of share 1 ──► member 1 ──► values of share 1 ──┴─► all
type team struct {
	comm    cluster.Comm
	members []member // by rank
	tops    int      // most of a member
	parts   int      // most of a member
	merges  []merge  // of the tops of all members, in the order of their leaves

	// What the step brings together: for each top its numbers wide.from..wide.to-1 of this member,
	// and its loss.
	nodes  [][]float32
	losses []float64

	records [][]byte   // of the members: see pack
	waiting chan error // what the work in the background returns
}

// A member is what one rank does of a step.
type member struct {
	first, end int    // its micro-batches
	tops       []node // of them
	base       int    // the place of its first top among those of all members
	share      span   // of the flat vectors
	wide       span   // the share, widened to whole chunks
	chunks     span   // those whose sums of squares it tells the others
	parts      []span // of the share, which are passed on one after the other
}

// A span is the range from..to-1 of a vector.
type span struct{ from, to int }

func (s span) of(x []float32) []float32 { return x[s.from:s.to] }

// Parts of a share: at most so many, and each of at least so many numbers on average. A small part
// takes longer to announce than to send.
const (
	mostParts = 4
	leastPart = 1 << 16
)

// Divide cuts the micro-batches of a step among ranks, in proportion to their threads: rank r takes
// cuts[r]..cuts[r+1]-1. Collective.
func Divide(ranks cluster.Comm, microBatches, threads int) (cuts []int, err error) {
	all, err := cluster.Gather(ranks, 0, binary.LittleEndian.AppendUint64(nil, uint64(threads)))
	if err != nil {
		return nil, err
	}
	cuts, sum := []int{0}, 0
	for _, t := range all {
		sum += int(binary.LittleEndian.Uint64(t))
		cuts = append(cuts, sum)
	}
	for i := range cuts {
		cuts[i] = (microBatches*cuts[i] + sum/2) / max(sum, 1)
	}
	err = cluster.BroadcastValue(ranks, 0, &cuts)
	return cuts, err
}

// newTeam makes a team. cuts divide its micro-batches, and pieces are the optimiser's.
func newTeam(comm cluster.Comm, cuts []int, pieces []piece, length int) *team {
	t := &team{comm: comm, members: make([]member, comm.Size()), waiting: make(chan error, 1)}
	flat := slices.SortedFunc(slices.Values(pieces), func(a, b piece) int { return a.from - b.from })
	shares := divide(flat, len(t.members))
	shares[len(shares)-1].to = length
	shape, nodes := tree(cuts[len(cuts)-1]), []node(nil)
	for rank := range t.members {
		m := &t.members[rank]
		m.first, m.end, m.share, m.base = cuts[rank], cuts[rank+1], shares[rank], len(nodes)
		m.tops = shape.tops(m.first, m.end)
		nodes = append(nodes, m.tops...)
		m.chunks = span{chunksTo(m.share.from), chunksTo(m.share.to)}
		if m.share.from < m.share.to {
			m.wide = span{m.share.from / chunkLen * chunkLen, min(m.chunks.to*chunkLen, length)}
		}
		within := slices.DeleteFunc(slices.Clone(flat), func(p piece) bool { return !m.share.has(p) })
		m.parts = divide(within, t.partsOf(m.share))
		t.tops, t.parts = max(t.tops, len(m.tops)), max(t.parts, len(m.parts))
		t.records = append(t.records, make([]byte, 1+8*(len(m.tops)+m.chunks.to-m.chunks.from)))
	}
	t.merges, t.losses, t.nodes = shape.merges(nodes), make([]float64, len(nodes)), make([][]float32, len(nodes))
	for i := range t.nodes { // those of this member are set in each step
		if own := t.own(); i < own.base || i >= own.base+len(own.tops) {
			t.nodes[i] = make([]float32, own.wide.to-own.wide.from)
		}
	}
	return t
}

// partsOf returns the number of parts of a share. Alone there is nothing to pass on.
func (t *team) partsOf(share span) int {
	if t.alone() {
		return 1
	}
	return max(1, min(mostParts, (share.to-share.from)/leastPart))
}

// chunksTo returns the number of chunks that begin before a place of a flat vector.
func chunksTo(place int) int { return (place + chunkLen - 1) / chunkLen }

// has reports whether a piece lies in a span.
func (s span) has(p piece) bool { return p.from >= s.from && p.to <= s.to }

// own returns the member that this rank is.
func (t *team) own() *member { return &t.members[t.comm.Rank()] }

// alone reports whether there is one member.
func (t *team) alone() bool { return len(t.members) == 1 }

// divide cuts pieces, in the order in which they lie, into so many runs, of which the costliest
// costs as little as can be. It returns the ranges that they take.
func divide(pieces []piece, runs int) []span {
	least, most := 0, 0
	for _, p := range pieces {
		least, most = max(least, p.cost()), most+p.cost()
	}
	for least < most {
		if middle := (least + most) / 2; len(fill(pieces, middle)) <= runs {
			most = middle
		} else {
			least = middle + 1
		}
	}
	spans := fill(pieces, least)
	end := 0
	if n := len(spans); n > 0 {
		end = spans[n-1].to
	}
	for len(spans) < runs {
		spans = append(spans, span{end, end})
	}
	return spans
}

// fill cuts pieces into runs, each of which is as long as a bound on its cost lets it be.
func fill(pieces []piece, bound int) []span {
	var spans []span
	cost := 0
	for _, p := range pieces {
		if cost += p.cost(); len(spans) == 0 || cost > bound {
			spans, cost = append(spans, span{from: p.from}), p.cost()
		}
		spans[len(spans)-1].to = p.to
	}
	return spans
}

// start does work in the background, while this rank computes; alone there is none.
func (t *team) start(work func() error) {
	if !t.alone() {
		go func() { t.waiting <- work() }()
	}
}

// wait waits for the work in the background.
func (t *team) wait() error {
	if t.alone() {
		return nil
	}
	return <-t.waiting
}

// passSums passes the tops on as they are done: to each member the numbers of its share. After the
// reducer has aborted, it sends numbers without a meaning: the other ranks wait for them, and learn
// afterwards that the step is void.
func (t *team) passSums(sums *Reducer) error {
	own := t.own()
	for i := range t.tops {
		var grad []float32
		if i < len(own.tops) {
			p := sums.await(i)
			if p == nil {
				p = &Partial{Grad: make([]float32, t.members[len(t.members)-1].share.to)}
			}
			grad = p.Grad
		}
		send := func(peer int) []byte {
			if grad == nil {
				return nil
			}
			return cluster.FloatBytes(t.members[peer].wide.of(grad))
		}
		receive := func(peer int) []byte {
			if m := &t.members[peer]; i < len(m.tops) {
				return cluster.FloatBytes(t.nodes[m.base+i])
			}
			return nil
		}
		if err := cluster.Trade(t.comm, send, receive); err != nil {
			return err
		}
	}
	return nil
}

// passValues passes the parts of a flat vector on, each after ready said that this rank has it.
func (t *team) passValues(values []float32, ready func(part int)) error {
	for i := range t.parts {
		part := func(rank int) []byte {
			if m := &t.members[rank]; i < len(m.parts) {
				return cluster.FloatBytes(m.parts[i].of(values))
			}
			return nil
		}
		if i < len(t.own().parts) {
			ready(i)
		}
		mine := part(t.comm.Rank())
		if err := cluster.Trade(t.comm, func(int) []byte { return mine }, part); err != nil {
			return err
		}
	}
	return nil
}

// take puts the tops of this member into their places.
func (t *team) take(sums *Reducer) {
	own := t.own()
	for i, p := range sums.sums {
		t.nodes[own.base+i], t.losses[own.base+i] = own.wide.of(p.Grad), p.Loss
	}
}

// sum brings a range of this member's wide share together, and leaves it in the first node.
func (t *team) sum(from, to int, add func(dst, src []float32)) []float32 {
	from, to = from-t.own().wide.from, to-t.own().wide.from
	for _, m := range t.merges {
		add(t.nodes[m.into][from:to], t.nodes[m.from][from:to])
	}
	return t.nodes[0][from:to]
}

// loss returns the loss of the step, once all know each other's.
func (t *team) loss() float64 {
	for _, m := range t.merges {
		t.losses[m.into] += t.losses[m.from]
	}
	return t.losses[0]
}

// agree tells the others how this rank's part of the step went, and learns how theirs did: see
// [cluster.Agree]. Where all went well, every rank has all losses and sums of squares then.
func (t *team) agree(own error, squares []float64) error {
	if t.alone() {
		return own
	}
	t.pack(own != nil, squares)
	record := func(rank int) []byte { return t.records[rank] }
	if err := cluster.Trade(t.comm, func(int) []byte { return record(t.comm.Rank()) }, record); err != nil {
		return err
	}
	for rank := range t.members {
		if t.records[rank][0] != 0 {
			return cluster.Agree(t.comm, own)
		}
	}
	t.unpack(squares)
	return nil
}

// pack writes the record of this rank: whether it failed, the losses of its tops, and the sums of
// squares of its chunks.
func (t *team) pack(failed bool, squares []float64) {
	own, record := t.own(), t.records[t.comm.Rank()][:1]
	record[0] = 0
	if failed {
		record[0] = 1
	}
	for _, numbers := range [][]float64{t.losses[own.base:][:len(own.tops)], squares[own.chunks.from:own.chunks.to]} {
		for _, v := range numbers {
			record = binary.LittleEndian.AppendUint64(record, math.Float64bits(v))
		}
	}
}

// unpack reads the records of all ranks.
func (t *team) unpack(squares []float64) {
	for rank, m := range t.members {
		record := t.records[rank][1:]
		for _, numbers := range [][]float64{t.losses[m.base:][:len(m.tops)], squares[m.chunks.from:m.chunks.to]} {
			for i := range numbers {
				numbers[i] = math.Float64frombits(binary.LittleEndian.Uint64(record))
				record = record[8:]
			}
		}
	}
}
