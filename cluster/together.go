package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// Trade exchanges messages with every other rank, one after the other. send and receive return the
// memory for a rank; where both are empty, nothing is exchanged. Collective.
//
// In round r a rank meets the one whose number adds up with its own to r, modulo the size. So all
// pairs of a round exchange at once, and no rank waits for a third.
func Trade(c Comm, send, receive func(peer int) []byte) error {
	for round := range c.Size() {
		peer := (round - c.Rank() + c.Size()) % c.Size()
		if peer == c.Rank() {
			continue
		}
		out, in := send(peer), receive(peer)
		if len(out)+len(in) == 0 {
			continue
		}
		if err := c.Exchange(peer, out, in); err != nil {
			return err
		}
	}
	return nil
}

// AllGather completes data on all ranks: rank r has written the bytes cuts[r]..cuts[r+1]-1, and
// receives the others. cuts are the same on all ranks. Collective.
func AllGather(c Comm, data []byte, cuts []int) error {
	part := func(rank int) []byte { return data[cuts[rank]:cuts[rank+1]] }
	return Trade(c, func(int) []byte { return part(c.Rank()) }, part)
}

// GatherValues returns the values of all ranks, by rank, on all ranks. They travel as JSON.
// Collective.
func GatherValues[T any](c Comm, v T) ([]T, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cluster: value for other ranks: %w", err)
	}
	texts, err := Gather(c, 0, text)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(texts))
	for rank, text := range texts {
		if err := json.Unmarshal(text, &all[rank]); err != nil {
			return nil, fmt.Errorf("cluster: value of rank %d: %w", rank, err)
		}
	}
	err = BroadcastValue(c, 0, &all)
	return all, err
}

// Share returns the range from..to-1 of n things that belongs to a rank, where all ranks take as
// many, nearly.
func Share(c Comm, n, rank int) (from, to int) {
	return n * rank / c.Size(), n * (rank + 1) / c.Size()
}

// Shares returns the ends of all ranges of [Share], as cuts in units of the given size.
func Shares(c Comm, n, unit int) []int {
	cuts := make([]int, c.Size()+1)
	for rank := range c.Size() {
		_, to := Share(c, n, rank)
		cuts[rank+1] = unit * to
	}
	return cuts
}

// NumberBytes returns the memory of x as bytes, in the order of the machine. It is a view.
func NumberBytes(x []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
}

// A RankError is the error of another rank, on which all ranks agreed.
type RankError struct {
	Rank int
	Text string
}

// Error returns one line.
func (f *RankError) Error() string { return fmt.Sprintf("rank %d: %s", f.Rank, f.Text) }

// Is reports whether the other rank's error was, or wrapped, target, by its text.
func (f *RankError) Is(target error) bool {
	return target != nil && strings.Contains(f.Text, target.Error())
}

// An opinion is what a rank says in Agree.
type opinion struct {
	Failed, Stopped bool
	Text            string
}

// Agree brings the ranks to one mind: each says whether its part of the work failed, and all return
// nil where none did. The lowest rank that failed returns its own error, and all others a
// [*RankError] with that rank and its text. Where a context ended on some ranks and nothing else
// failed, each returns its own error, or [context.Canceled]. Collective. An [*Error] says that
// there is nobody to agree with, and is returned at once.
func Agree(c Comm, err error) error {
	if _, lost := errors.AsType[*Error](err); lost || c.Size() == 1 {
		return err
	}
	mine := opinion{Failed: err != nil}
	if err != nil {
		mine.Stopped = errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		mine.Text = err.Error()
	}
	text, wrong := json.Marshal(mine)
	if wrong != nil {
		panic(wrong) // plain data
	}
	all, lost := Gather(c, 0, text)
	if lost != nil {
		return lost
	}
	verdict := struct {
		Rank int // the first that failed; else the first that stopped; -1 for none
		opinion
	}{Rank: -1}
	for rank, text := range all {
		var o opinion
		if err := json.Unmarshal(text, &o); err != nil {
			return &Error{Rank: rank, Err: err}
		}
		if o.Failed && (verdict.Rank < 0 || verdict.Stopped && !o.Stopped) {
			verdict.Rank, verdict.opinion = rank, o
		}
	}
	if lost := BroadcastValue(c, 0, &verdict); lost != nil {
		return lost
	}
	switch {
	case verdict.Rank < 0:
		return nil
	case verdict.Rank == c.Rank(), verdict.Stopped && mine.Stopped:
		return err
	case verdict.Stopped:
		return context.Canceled
	}
	return &RankError{verdict.Rank, verdict.Text}
}
