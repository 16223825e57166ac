//go:build mpi && linux && (amd64 || arm64)

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// programVariable names the program that this test binary is when a launcher starts it as a rank.
const programVariable = "FMIMG_TEST_PROGRAM_OF_RANKS"

// programs are what ranks may run.
var programs = map[string]func(Comm) error{
	"conversation": conversation,
	"pieces":       exchangePieces,
	"signals":      handlesSignals,
	"lengths":      findsWrongLength,
	"killed":       diesAlone,
	"aborted":      aborts,
	"hangs":        hangs,
	"aborted busy": abortsBesideACall,
}

func TestMain(m *testing.M) {
	name := os.Getenv(programVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	c, err := Join()
	if err == nil {
		say("rank", c.Rank(), "of", c.Size())
		err = programs[name](c)
	}
	if err != nil {
		say("failed:", err)
		os.Exit(3)
	}
}

// say writes a line to where the test reads what ranks write.
func say(words ...any) { fmt.Fprintln(os.Stdout, words...) }

// A launcher starts ranks with one library.
type launcher struct {
	name    string
	command []string
}

// launchers are those of the libraries that Debian has, and one that FMIMG_TEST_LAUNCHER gives, for
// a library that FMIMG_MPI names.
func launchers() []launcher {
	all := []launcher{
		{"Open MPI", strings.Fields("mpirun.openmpi --allow-run-as-root --oversubscribe --bind-to none")},
		{"MPICH", []string{"mpiexec.mpich"}},
	}
	if command := os.Getenv("FMIMG_TEST_LAUNCHER"); command != "" {
		all = append(all, launcher{"of the environment", strings.Fields(command)})
	}
	return all
}

// onLaunchers runs a test for each library. Where its launcher is missing the test is skipped.
func onLaunchers(t *testing.T, do func(t *testing.T, l launcher)) {
	for _, l := range launchers() {
		t.Run(strings.ReplaceAll(l.name, " ", "-"), func(t *testing.T) {
			if _, err := exec.LookPath(l.command[0]); err != nil {
				t.Skipf("SKIPPED: there is no %s: install openmpi-bin or mpich", l.command[0])
			}
			do(t, l)
		})
	}
}

// run starts ranks of a program and returns what they and their launcher wrote, and how they ended.
func (l launcher) run(t *testing.T, program string, ranks int, env ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	args := slices.Concat(l.command[1:], []string{"-n", fmt.Sprint(ranks), os.Args[0]})
	cmd := exec.CommandContext(ctx, l.command[0], args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(slices.Concat(os.Environ(), env), programVariable+"="+program)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the ranks did not end: %s", out)
	}
	return string(out), err
}

func TestConversation(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		for ranks := 1; ranks <= 4; ranks++ {
			out, err := l.run(t, "conversation", ranks)
			if err != nil || strings.Count(out, fmt.Sprintf("of %d\n", ranks)) != ranks {
				t.Errorf("%d ranks: %v: %s", ranks, err, out)
			}
		}
	})
}

func TestPieces(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		if out, err := l.run(t, "pieces", 2); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// exchangePieces moves messages whose lengths lie round whole pieces.
func exchangePieces(c Comm) error {
	peer := 1 - c.Rank()
	for _, n := range []int{pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes, 7*pieceBytes + 5} {
		sent, got := pattern(n, c.Rank(), peer), make([]byte, n)
		if err := c.Exchange(peer, sent, got); err != nil {
			return err
		}
		if err := differ(got, pattern(n, peer, c.Rank())); err != nil {
			return err
		}
		if err := c.Broadcast(1, sent); err != nil {
			return err
		}
		if err := differ(sent, pattern(n, 1, 0)); err != nil {
			return err
		}
	}
	return c.Close()
}

func TestWrongLength(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		out, err := l.run(t, "lengths", 3)
		if want := "cluster: rank 0: its message has not the "; err == nil || strings.Count(out, want) != 2 {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// findsWrongLength has rank 1 receive a message that is too long, and rank 2 one that is too short.
func findsWrongLength(c Comm) error {
	if c.Rank() == 0 {
		if err := errors.Join(c.Send(1, make([]byte, 11)), c.Send(2, make([]byte, 9))); err != nil {
			return err
		}
	} else {
		err := c.Receive(0, make([]byte, 10))
		if again := c.Close(); !errors.Is(again, err) {
			return fmt.Errorf("%w, and then %w", err, again)
		}
		say(err)
	}
	time.Sleep(time.Second) // until the other rank has said it too
	c.Abort(4)
	return nil
}

func TestSignals(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		if out, err := l.run(t, "signals", 2); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// handlesSignals shows that Go has its signals: those of faults, of preemption, and those that a
// program asks for.
func handlesSignals(c Comm) error {
	var list []int
	fault := func() (err error) {
		defer func() {
			if recover() == nil {
				err = errors.New("an access that faults did not panic")
			}
		}()
		var none *[4096]int
		list = append(list, none[c.Rank()])
		return nil
	}
	if err := fault(); err != nil {
		return err
	}
	previous := runtime.GOMAXPROCS(1)
	var stop atomic.Bool
	go stop.Store(true)
	for !stop.Load() { // without preemption it never ends
	}
	runtime.GOMAXPROCS(previous)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGPIPE} {
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, s)
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			return err
		}
		<-caught
		signal.Stop(caught)
	}
	return c.Close()
}

// A rank that dies or aborts ends the others, which wait for it.
func TestLostRank(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		for _, program := range []string{"killed", "aborted", "aborted busy"} {
			out, err := l.run(t, program, 3)
			if err == nil || strings.Contains(out, "goes on") {
				t.Errorf("%s: %v: %s", program, err, out)
			}
		}
	})
}

func diesAlone(c Comm) error {
	if c.Rank() == 1 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return err
		}
	}
	return errors.Join(c.Barrier(), errors.New("goes on"))
}

func aborts(c Comm) error {
	if c.Rank() == 1 {
		c.Abort(7)
	}
	return errors.Join(c.Barrier(), errors.New("goes on"))
}

// abortsBesideACall aborts while another goroutine waits in a call.
func abortsBesideACall(c Comm) error {
	if c.Rank() == 1 {
		time.AfterFunc(100*time.Millisecond, func() { c.Abort(7) })
		return errors.Join(c.Receive(0, make([]byte, 10)), errors.New("goes on"))
	}
	return errors.Join(c.Barrier(), errors.New("goes on"))
}

// A rank that hangs is an error of those that wait for it, who end the run.
func TestHangingRank(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		out, err := l.run(t, "hangs", 2, "FMIMG_MPI_PATIENCE=300ms")
		if err == nil || !strings.Contains(out, "rank 1: no answer within 300ms") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

func hangs(c Comm) error {
	if c.Rank() == 1 {
		err := syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(time.Minute) // another thread may take the signal, after this one's return
		return err
	}
	say(c.Receive(1, make([]byte, 10)))
	c.Abort(7)
	return errors.New("goes on")
}

// What cannot work is an error that says what to do.
func TestJoinErrors(t *testing.T) {
	onLaunchers(t, func(t *testing.T, l launcher) {
		other := map[string]string{"Open MPI": debian, "MPICH": openMPI}[l.name]
		for _, c := range []struct{ name, setting, want string }{
			{"no library", "FMIMG_MPI=libnone.so", "no MPI library: libnone.so"},
			{"no MPI", "FMIMG_MPI=libm.so.6", "it lacks MPI_Init_thread"},
			{"of another launcher", "FMIMG_MPI=" + other, "the launcher started 2 processes"},
			{"patience", "FMIMG_MPI_PATIENCE=long", "give a time such as 10m"},
		} {
			if strings.HasSuffix(c.setting, "=") {
				continue
			}
			out, err := l.run(t, "conversation", 2, c.setting)
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%s: %v: %s", c.name, err, out)
			}
		}
	})
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // the first
	}{
		{"Open MPI", map[string]string{"OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "0"}, openMPI},
		{"hydra", map[string]string{"PMI_RANK": "0", "PMI_SIZE": "2"}, debian},
		{"srun with PMIx", map[string]string{"PMIX_RANK": "0", "PMI_RANK": "0"}, openMPI},
		{"named", map[string]string{"PMI_RANK": "0", "FMIMG_MPI": "/opt/libmpi.so"}, "/opt/libmpi.so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := func(name string) string { return c.env[name] }
			if got := names(env); got[0] != c.want || (len(got) == 1) != (c.env["FMIMG_MPI"] != "") {
				t.Errorf("got %q", got)
			}
			if !started(env) {
				t.Error("nothing asks for MPI")
			}
		})
	}
	if started(func(string) string { return "" }) {
		t.Error("MPI starts without a launcher")
	}
}
