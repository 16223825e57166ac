//go:build mpi && linux && (amd64 || arm64)

package cluster

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
)

// pieceBytes is the length of the pieces in which messages go. A message ends with a shorter piece,
// empty if need be, so that a receiver sees where it ends.
const pieceBytes = 1 << 20

// slots is how many pieces of a message are under way at once.
const slots = 2

// tag is the tag of all messages.
const tag = 1

// defaultPatience is how long a rank waits for another.
const defaultPatience = 30 * time.Minute

// headStart is how much longer other ranks wait than rank 0, which says why the run ends.
const headStart = 10 * time.Second

// An mpiComm is one rank under MPI.
//
// Data go through memory of its own, which Go's runtime never gives back to the system: libraries
// for fast networks remember which pages they pinned at an address, and learn of pages that were
// given back from the C library alone.
//
// No call waits inside the library, as libraries wait by spinning, on a processor that other
// threads could compute on. Calls begin an operation and ask from time to time whether it is done.
type mpiComm struct {
	*library
	own, ranks int
	patience   time.Duration
	signals    *handlers // Go's

	mu      sync.Mutex // held while the library is called
	memory  []byte     // slots for pieces to send, then slots for pieces to receive
	request [2 * slots]uint64
	// What the library writes, with room for its structures.
	done   int32
	status [8]int64
	count  int32

	err    error // final
	closed bool
}

// start loads the library of the launcher and begins MPI. env is os.Getenv.
func start(env func(string) string) (Comm, error) {
	patience, err := parsePatience(env("FMIMG_MPI_PATIENCE"))
	if err != nil {
		return nil, err
	}
	saved := readHandlers()
	defer saved.restore()
	l, err := open(names(env))
	if err != nil {
		return nil, err
	}
	c := &mpiComm{library: l, patience: patience, signals: saved}
	if err := c.begin(); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	if c.own > 0 {
		c.patience += headStart
	}
	if err := c.checkSize(env); err != nil {
		return nil, err
	}
	c.memory, err = syscall.Mmap(-1, 0, 2*slots*pieceBytes, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for messages: %w", err)
	}
	if c.ranks > 1 {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	return c, nil
}

// parsePatience reads FMIMG_MPI_PATIENCE.
func parsePatience(text string) (time.Duration, error) {
	if text == "" {
		return defaultPatience, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("FMIMG_MPI_PATIENCE=%s: give a time such as 10m", text)
	}
	return d, nil
}

// begin initialises MPI, so that errors return, and asks for rank and size.
func (c *mpiComm) begin() error {
	got := new([3]int32) // the level of threads, the rank, the size
	code, _, _ := purego.SyscallN(c.initThread, 0, 0, uintptr(c.serialized), uintptr(unsafe.Pointer(&got[0])))
	if err := c.failure(code); err != nil {
		return fmt.Errorf("MPI_Init_thread: %w", err)
	}
	if got[0] < c.serialized {
		return errors.New("it allows MPI calls from one thread alone (below MPI_THREAD_SERIALIZED), " +
			"and Go has several: use a library that was built with support for threads")
	}
	setCode, _, _ := purego.SyscallN(c.setHandler, c.world, c.errorsReturn)
	rankCode, _, _ := purego.SyscallN(c.rank, c.world, uintptr(unsafe.Pointer(&got[1])))
	sizeCode, _, _ := purego.SyscallN(c.size, c.world, uintptr(unsafe.Pointer(&got[2])))
	c.own, c.ranks = int(got[1]), int(got[2])
	return errors.Join(c.failure(setCode), c.failure(rankCode), c.failure(sizeCode))
}

// checkSize compares the number of ranks with what the launcher says. They differ where a library
// does not understand the launcher: then each process is alone.
func (c *mpiComm) checkSize(env func(string) string) error {
	name, value := launched(env)
	if name == "" || value == strconv.Itoa(c.ranks) {
		return nil
	}
	return fmt.Errorf("the launcher started %s processes (%s), and %s (%s) sees %d: set FMIMG_MPI to the library "+
		"that the launcher belongs to; under Slurm ask srun for its pmix or pmi2", value, name, c.name, c.version, c.ranks)
}

// Rank implements [Comm].
func (c *mpiComm) Rank() int { return c.own }

// Size implements [Comm].
func (c *mpiComm) Size() int { return c.ranks }

// Send implements [Comm].
func (c *mpiComm) Send(to int, data []byte) error {
	checkPeer(c, to)
	return c.transfer(to, cut(data), nothing)
}

// Receive implements [Comm].
func (c *mpiComm) Receive(from int, data []byte) error {
	checkPeer(c, from)
	return c.transfer(from, nothing, cut(data))
}

// Exchange implements [Comm].
func (c *mpiComm) Exchange(peer int, send, receive []byte) error {
	checkPeer(c, peer)
	return c.transfer(peer, cut(send), cut(receive))
}

// A stream is one direction of a transfer: a message, cut into pieces.
type stream struct {
	data         []byte
	pieces       int
	begun, ended int // pieces
}

// nothing is the direction in which no message goes.
var nothing stream

// cut makes a stream of a message.
func cut(data []byte) stream { return stream{data: data, pieces: len(data)/pieceBytes + 1} }

// piece returns a piece of the message. The last one is shorter than the others.
func (s *stream) piece(i int) []byte {
	return s.data[i*pieceBytes : min((i+1)*pieceBytes, len(s.data))]
}

// ready reports whether the next piece may begin: there is one, and a slot for it.
func (s *stream) ready() bool { return s.begun < s.pieces && s.begun < s.ended+slots }

// transfer sends a message to a rank while it receives one from it.
func (c *mpiComm) transfer(peer int, send, receive stream) error {
	if err := c.usable(); err != nil {
		return err
	}
	return c.poll(peer, func() (moved, done bool, err error) {
		for ; receive.ready(); receive.begun++ {
			if err := c.begins(c.irecv, slots+receive.begun%slots, peer, pieceBytes); err != nil {
				return false, false, err
			}
		}
		for ; send.ready(); send.begun++ {
			slot := send.begun % slots
			if err := c.begins(c.isend, slot, peer, copy(c.slot(slot), send.piece(send.begun))); err != nil {
				return false, false, err
			}
		}
		before := send.ended + receive.ended
		if receive.ended < receive.begun {
			if err := c.takes(&receive); err != nil {
				return false, false, err
			}
		}
		if send.ended < send.begun {
			ended, err := c.ended(send.ended % slots)
			if err != nil {
				return false, false, err
			}
			if ended {
				send.ended++
			}
		}
		after := send.ended + receive.ended
		return after > before, after == send.pieces+receive.pieces, nil
	})
}

// Broadcast implements [Comm].
func (c *mpiComm) Broadcast(root int, data []byte) error {
	checkRoot(c, root)
	all := cut(data)
	for i := range all.pieces {
		if err := c.broadcast(root, all.piece(i)); err != nil {
			return err
		}
	}
	return nil
}

// broadcast sends one piece to all.
func (c *mpiComm) broadcast(root int, piece []byte) error {
	if c.own == root {
		copy(c.slot(0), piece)
	}
	if err := c.collective(c.ibcast, uintptr(unsafe.Pointer(&c.memory[0])), uintptr(len(piece)), c.bytes,
		uintptr(root), c.world, uintptr(unsafe.Pointer(&c.request[0]))); err != nil {
		return err
	}
	copy(piece, c.slot(0))
	return nil
}

// Barrier implements [Comm].
func (c *mpiComm) Barrier() error {
	return c.collective(c.ibarrier, c.world, uintptr(unsafe.Pointer(&c.request[0])))
}

// collective begins an operation with the first request and waits for its end.
func (c *mpiComm) collective(function uintptr, args ...uintptr) error {
	if err := c.usable(); err != nil {
		return err
	}
	begun := false
	return c.poll(Unknown, func() (moved, done bool, err error) {
		if !begun {
			code, _, _ := purego.SyscallN(function, args...)
			if err := c.failure(code); err != nil {
				return false, false, err
			}
			begun = true
		}
		done, err = c.ended(0)
		return done, done, err
	})
}

// lastWords is how long Abort waits for the launcher to pass on what this rank has written. MPICH's
// drops what it has not read when a rank aborts.
const lastWords = 500 * time.Millisecond

// Abort implements [Comm].
func (c *mpiComm) Abort(code int) {
	time.Sleep(lastWords)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // the others have come in the meantime
		return
	}
	purego.SyscallN(c.abort, c.world, uintptr(code))
}

// Close implements [Comm].
func (c *mpiComm) Close() error {
	if c.closed {
		return nil
	}
	c.patience = math.MaxInt64 // rank 0 may have work of its own at the end
	if err := c.Barrier(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	code, _, _ := purego.SyscallN(c.finalize)
	runExitFunctions()
	c.signals.restore()
	if err := c.failure(code); err != nil {
		return &Error{Rank: Unknown, Err: fmt.Errorf("MPI_Finalize: %w", err)}
	}
	return nil
}

// runExitFunctions runs what C runs before a process exits, and Go does not. There MPICH tells its
// launcher that the rank ended. A launcher that was not told ends the others.
func runExitFunctions() {
	if run, err := purego.Dlsym(purego.RTLD_DEFAULT, "__cxa_finalize"); err == nil {
		purego.SyscallN(run, 0)
	}
}

func (c *mpiComm) describe() string { return c.version }

// usable returns why the rank can make no call, if so.
func (c *mpiComm) usable() error {
	if c.err == nil && c.closed {
		c.err = &Error{Rank: c.own, Err: ErrClosed}
	}
	return c.err
}

// slot returns the memory of a request.
func (c *mpiComm) slot(i int) []byte { return c.memory[i*pieceBytes : (i+1)*pieceBytes] }

// begins starts to send or receive n bytes by MPI_Isend or MPI_Irecv, with one of the requests.
func (c *mpiComm) begins(function uintptr, slot, peer, n int) error {
	code, _, _ := purego.SyscallN(function, uintptr(unsafe.Pointer(&c.slot(slot)[0])), uintptr(n), c.bytes,
		uintptr(peer), tag, c.world, uintptr(unsafe.Pointer(&c.request[slot])))
	return c.failure(code)
}

// ended reports whether a request is done.
func (c *mpiComm) ended(slot int) (bool, error) {
	code, _, _ := purego.SyscallN(c.test, uintptr(unsafe.Pointer(&c.request[slot])),
		uintptr(unsafe.Pointer(&c.done)), uintptr(unsafe.Pointer(&c.status)))
	return c.done != 0, c.failure(code)
}

// takes copies the next piece of a message once it has arrived.
func (c *mpiComm) takes(receive *stream) error {
	slot, piece := slots+receive.ended%slots, receive.piece(receive.ended)
	if ended, err := c.ended(slot); err != nil || !ended {
		return err
	}
	code, _, _ := purego.SyscallN(c.getCount, uintptr(unsafe.Pointer(&c.status)), c.bytes,
		uintptr(unsafe.Pointer(&c.count)))
	if err := c.failure(code); err != nil {
		return err
	}
	if n := int(c.count); n != len(piece) {
		return fmt.Errorf("its message has not the %d bytes that this rank expects", len(receive.data))
	}
	copy(piece, c.slot(slot))
	receive.ended++
	return nil
}

// poll calls step, which calls the library, until it is done. An error is final, and so is to wait
// for longer than the patience without a move. peer is the rank that is waited for.
func (c *mpiComm) poll(peer int, step func() (moved, done bool, err error)) error {
	last := time.Now() // when something moved
	for {
		c.mu.Lock()
		moved, done, err := step()
		c.mu.Unlock()
		switch {
		case err != nil:
			c.err = &Error{Rank: peer, Err: err}
			return c.err
		case done:
			return nil
		case moved:
			last = time.Now()
			continue
		}
		waited := time.Since(last)
		if waited > c.patience {
			c.err = &Error{Rank: peer, Err: fmt.Errorf("no answer within %v: it hangs, or it needs longer and "+
				"FMIMG_MPI_PATIENCE is too short", c.patience)}
			return c.err
		}
		pause(waited)
	}
}

// eager is how long a rank asks without a pause after something moved. It is the time that a piece
// takes on its way, and a few of them.
const eager = 200 * time.Microsecond

// longestPause bounds how much later than it arrives a message is seen.
const longestPause = 100 * time.Microsecond

// pause lets others use the processor, for longer where the wait is long already. Go's own Sleep
// rounds up to a millisecond where nothing else runs.
func pause(waited time.Duration) {
	if waited < eager {
		runtime.Gosched()
		return
	}
	t := syscall.NsecToTimespec(min(waited/8, longestPause).Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) // a signal may end it early
}
