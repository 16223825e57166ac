package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for ranks that should end; much longer than they take.
const patience = time.Minute

// onRanks runs do on each of the ranks and returns their errors, by rank.
func onRanks(t *testing.T, comms []Comm, do func(c Comm) error) []error {
	t.Helper()
	errs := make([]error, len(comms))
	var ranks sync.WaitGroup
	for i, c := range comms {
		ranks.Go(func() { errs[i] = do(c) })
	}
	done := make(chan struct{})
	go func() { ranks.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the ranks wait for each other for ever")
	}
	return errs
}

func TestInProcess(t *testing.T) {
	for size := 1; size <= 5; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			for rank, err := range onRanks(t, InProcess(size), conversation) {
				if err != nil {
					t.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}

func TestAlone(t *testing.T) {
	if err := conversation(Alone()); err != nil {
		t.Error(err)
	}
}

// conversation makes each call of a Comm and reports what is wrong. All ranks call it.
func conversation(c Comm) error {
	for _, step := range []struct {
		name string
		do   func(Comm) error
	}{
		{"ring", ring}, {"order", order}, {"exchange", exchangeAll}, {"broadcast", broadcastAll},
		{"barrier", Comm.Barrier}, {"bytes", broadcastBytes}, {"value", broadcastValue},
		{"gather", gatherAll}, {"same", sameAll},
	} {
		if err := step.do(c); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := c.Barrier(); !errors.Is(err, ErrClosed) {
		return fmt.Errorf("a barrier after Close: %w", err)
	}
	return nil
}

// pattern returns n bytes that name two ranks.
func pattern(n, from, to int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*(i>>8|1) + 31*from + 7*to)
	}
	return b
}

// ring sends round all ranks.
func ring(c Comm) error {
	if c.Size() == 1 {
		return nil
	}
	next, before := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	got := make([]byte, 1000)
	if c.Rank() > 0 {
		if err := c.Receive(before, got); err != nil {
			return err
		}
	}
	if err := c.Send(next, pattern(1000, c.Rank(), next)); err != nil {
		return err
	}
	if c.Rank() == 0 {
		if err := c.Receive(before, got); err != nil {
			return err
		}
	}
	return differ(got, pattern(1000, before, c.Rank()))
}

// order sends many messages of several lengths, an empty one among them, to one rank.
func order(c Comm) error {
	lengths := []int{1, 0, 70000, 3, 5000}
	if c.Rank() > 0 {
		for i, n := range lengths {
			if err := c.Send(0, pattern(n, i, c.Rank())); err != nil {
				return err
			}
		}
		return nil
	}
	for from := c.Size() - 1; from > 0; from-- {
		for i, n := range lengths {
			got := make([]byte, n)
			if err := c.Receive(from, got); err != nil {
				return err
			}
			if err := differ(got, pattern(n, i, from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// exchangeAll exchanges between all pairs of ranks, in rounds, with lengths that differ.
func exchangeAll(c Comm) error {
	length := func(from, to int) int { return 1<<20*from + 100*to }
	for round := 1; round < 8; round++ {
		peer := c.Rank() ^ round
		if peer >= c.Size() {
			continue
		}
		got := make([]byte, length(peer, c.Rank()))
		sent := pattern(length(c.Rank(), peer), c.Rank(), peer)
		if err := c.Exchange(peer, sent, got); err != nil {
			return err
		}
		if err := differ(got, pattern(len(got), peer, c.Rank())); err != nil {
			return err
		}
	}
	return nil
}

// broadcastAll broadcasts from each rank.
func broadcastAll(c Comm) error {
	for root := range c.Size() {
		for _, n := range []int{0, 5, 100000} {
			data := pattern(n, c.Rank(), root)
			if err := c.Broadcast(root, data); err != nil {
				return err
			}
			if err := differ(data, pattern(n, root, root)); err != nil {
				return err
			}
		}
	}
	return nil
}

func broadcastBytes(c Comm) error {
	root := c.Size() - 1
	got, err := BroadcastBytes(c, root, pattern(10*c.Rank(), c.Rank(), 0))
	if err != nil {
		return err
	}
	return differ(got, pattern(10*root, root, 0))
}

func broadcastValue(c Comm) error {
	type value struct {
		Name string
		Rank int
	}
	v := value{"mine", c.Rank()}
	if err := BroadcastValue(c, 0, &v); err != nil {
		return err
	}
	if v != (value{"mine", 0}) {
		return fmt.Errorf("got %v", v)
	}
	return nil
}

func gatherAll(c Comm) error {
	all, err := Gather(c, 0, pattern(c.Rank(), c.Rank(), 0))
	if err != nil {
		return err
	}
	if c.Rank() != 0 {
		if all != nil {
			return errors.New("another rank than root has the data")
		}
		return nil
	}
	if len(all) != c.Size() {
		return fmt.Errorf("got data of %d ranks", len(all))
	}
	for rank, got := range all {
		if err := differ(got, pattern(rank, rank, 0)); err != nil {
			return err
		}
	}
	return nil
}

func sameAll(c Comm) error {
	same, err := Same(c, pattern(100, 1, 1))
	if err != nil || !same {
		return fmt.Errorf("equal bytes: %t, %w", same, err)
	}
	same, err = Same(c, pattern(100, c.Rank(), 0))
	if alone := c.Size() == 1; err != nil || same != alone {
		return fmt.Errorf("bytes that differ: %t, %w", same, err)
	}
	return nil
}

func differ(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the %d bytes that arrived are not the %d that were sent", len(got), len(want))
	}
	return nil
}

// TestAbort has one rank aborted while others wait in each of the calls.
func TestAbort(t *testing.T) {
	for name, waits := range map[string]func(c Comm) error{
		"send":      func(c Comm) error { return c.Send(2, make([]byte, 10)) },
		"receive":   func(c Comm) error { return c.Receive(2, make([]byte, 10)) },
		"exchange":  func(c Comm) error { return c.Exchange(2, make([]byte, 10), make([]byte, 10)) },
		"broadcast": func(c Comm) error { return c.Broadcast(2, make([]byte, 10)) },
		"barrier":   Comm.Barrier,
		"close":     Comm.Close,
	} {
		t.Run(name, func(t *testing.T) {
			for rank, err := range onRanks(t, InProcess(3), func(c Comm) error {
				if c.Rank() == 2 {
					c.Abort(9)
					return c.Barrier()
				}
				first, again := waits(c), c.Barrier()
				if !errors.Is(again, first) {
					return fmt.Errorf("first %w, then %w", first, again)
				}
				return first
			}) {
				var lost *Error
				if !errors.As(err, &lost) || lost.Rank != 2 || !strings.Contains(err.Error(), "code 9") {
					t.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}

// TestWrongMessages has a rank receive what it does not expect: all ranks learn it.
func TestWrongMessages(t *testing.T) {
	for _, c := range []struct {
		name       string
		send, take func(c Comm) error
		want       string
	}{
		{"shorter", func(c Comm) error { return c.Send(1, make([]byte, 9)) },
			func(c Comm) error { return c.Receive(0, make([]byte, 10)) }, "rank 0 sent 9 bytes, not 10"},
		{"longer", func(c Comm) error { return c.Exchange(1, make([]byte, 11), nil) },
			func(c Comm) error { return c.Exchange(0, nil, make([]byte, 10)) }, "rank 0 sent 11 bytes, not 10"},
		{"another call", func(c Comm) error { return c.Broadcast(0, make([]byte, 10)) },
			func(c Comm) error { return c.Receive(0, make([]byte, 10)) },
			"expects a message of rank 0, which is in a broadcast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := onRanks(t, InProcess(2), func(comm Comm) error {
				if comm.Rank() == 0 {
					return errors.Join(c.send(comm), comm.Barrier())
				}
				return c.take(comm)
			})
			for rank, err := range errs {
				var lost *Error
				if !errors.As(err, &lost) || lost.Rank != 1 || !strings.Contains(err.Error(), c.want) {
					t.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}

// TestPeers makes calls that are bugs of the caller.
func TestPeers(t *testing.T) {
	c := InProcess(2)[0]
	for name, call := range map[string]func() error{
		"itself":        func() error { return c.Send(0, nil) },
		"beyond":        func() error { return c.Receive(2, nil) },
		"negative":      func() error { return c.Exchange(-1, nil, nil) },
		"negative root": func() error { return c.Broadcast(-1, nil) },
		"no ranks":      func() error { return InProcess(0)[0].Barrier() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = call()
		})
	}
}

func TestFloatBytes(t *testing.T) {
	x := []float32{1, 2, 3}
	b := FloatBytes(x)
	copy(b[4:8], b[8:12])
	if len(b) != 12 || x[0] != 1 || x[1] != 3 || x[2] != 3 {
		t.Errorf("%d bytes, %v", len(b), x)
	}
	if n := len(FloatBytes(nil)); n != 0 {
		t.Errorf("%d bytes of none", n)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  Error
		want string
	}{
		{Error{3, ErrClosed}, "cluster: rank 3: the connection was closed"},
		{Error{Unknown, ErrClosed}, "cluster: the connection was closed"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("got %q, want %q", c.err.Error(), c.want)
		}
	}
}

func TestLaunched(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"by hand", nil, ""},
		{"mpirun", map[string]string{"OMPI_COMM_WORLD_SIZE": "4"}, "OMPI_COMM_WORLD_SIZE"},
		{"mpirun of one", map[string]string{"OMPI_COMM_WORLD_SIZE": "1"}, ""},
		{"mpiexec", map[string]string{"PMI_SIZE": "2"}, "PMI_SIZE"},
		{"srun", map[string]string{"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2"}, "SLURM_STEP_NUM_TASKS"},
		{"a script of sbatch", map[string]string{"SLURM_NTASKS": "2"}, ""},
		{"no number", map[string]string{"PMI_SIZE": "many"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value := launched(func(name string) string { return c.env[name] })
			if name != c.want || value != c.env[c.want] {
				t.Errorf("got %q, %q", name, value)
			}
		})
	}
}
