package cluster

import (
	"errors"
	"fmt"
)

// A Comm connects the ranks of one run. Ranks are numbered from 0 to Size-1.
//
// One goroutine at a time uses a Comm; only Abort may be called beside another call. Messages from
// one rank to another arrive in the order in which they were sent. A Broadcast, a Barrier and a
// Close are collective: all ranks call them, in the same order among their collective calls.
//
// An error is an [*Error] and final: each later call returns it again. After an error some ranks
// may wait for ever, until one rank calls Abort.
type Comm interface {
	// Rank returns the number of this rank.
	Rank() int
	// Size returns how many ranks there are.
	Size() int
	// Send sends data to another rank. It may wait until that rank receives it. It returns when
	// data may change again.
	Send(to int, data []byte) error
	// Receive waits for the next message of another rank. It is an error when the message has not
	// exactly len(data) bytes.
	Receive(from int, data []byte) error
	// Exchange sends to another rank and receives from it, at once. The other rank calls Exchange
	// too, with lengths that fit. The slices must not overlap.
	Exchange(peer int, send, receive []byte) error
	// Broadcast copies the data of rank root to all ranks. The lengths must be equal.
	Broadcast(root int, data []byte) error
	// Barrier returns when all ranks have called it.
	Barrier() error
	// Abort ends the run on all ranks. Under MPI it ends this process too, and the code is its exit
	// status, after half a second in which the launcher passes on what was written; a connection
	// that is closed until then stays so. Otherwise it returns, and all calls of all ranks fail.
	Abort(code int)
	// Close waits for all ranks and ends the connection. After an error it waits for nothing and
	// returns that error.
	Close() error
}

// Describe says in a few words how the ranks of a Comm of this package are connected.
func Describe(c Comm) string {
	if d, ok := c.(interface{ describe() string }); ok {
		return d.describe()
	}
	return "unknown"
}

// Unknown is the rank of an [Error] when no rank can be named.
const Unknown = -1

// ErrClosed is what an [Error] wraps when a Comm was used after Close.
var ErrClosed = errors.New("the connection was closed")

// An Error says that the ranks of a run have lost each other.
type Error struct {
	Rank int   // the rank that caused it, or Unknown
	Err  error // why
}

// Error returns one line.
func (e *Error) Error() string {
	if e.Rank == Unknown {
		return fmt.Sprintf("cluster: %v", e.Err)
	}
	return fmt.Sprintf("cluster: rank %d: %v", e.Rank, e.Err)
}

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }

// checkPeer panics when a rank cannot be the other end of a message: a bug of the caller.
func checkPeer(c Comm, peer int) {
	if peer < 0 || peer >= c.Size() || peer == c.Rank() {
		panic(fmt.Sprintf("cluster: rank %d of %d cannot exchange messages with rank %d", c.Rank(), c.Size(), peer))
	}
}

// checkRoot panics when there is no such rank: a bug of the caller.
func checkRoot(c Comm, root int) {
	if root < 0 || root >= c.Size() {
		panic(fmt.Sprintf("cluster: there is no rank %d among %d", root, c.Size()))
	}
}
