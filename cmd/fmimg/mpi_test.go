//go:build mpi && linux && (amd64 || arm64)

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
)

// launchedBy are the launchers of the two MPIs that Debian has.
var launchedBy = map[string][]string{
	"Open-MPI": strings.Fields("mpirun.openmpi --allow-run-as-root --oversubscribe --bind-to none"),
	"MPICH":    {"mpiexec.mpich"},
}

// byLaunchers runs a test for each MPI. Where its launcher is missing the test is skipped.
func byLaunchers(t *testing.T, do func(t *testing.T, launcher []string)) {
	for name, launcher := range launchedBy {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(launcher[0]); err != nil {
				t.Skipf("SKIPPED: there is no %s: install openmpi-bin or mpich", launcher[0])
			}
			do(t, launcher)
		})
	}
}

// testRun, in the environment, marks the processes of one run.
const testRun = "FMIMG_TEST_RUN"

// A mpiRun is a run that a launcher started.
type mpiRun struct {
	*exec.Cmd
	mark string
	out  bytes.Buffer
}

// startRanks starts ranks of fmimg with a command line. Rank r has threads[r] threads.
func startRanks(t *testing.T, launcher []string, line string, env []string, threads ...int) *mpiRun {
	t.Helper()
	args := launcher[1:]
	for rank, n := range threads {
		if rank > 0 {
			args = append(args, ":")
		}
		args = slices.Concat(args, []string{"-n", "1", os.Args[0]}, strings.Fields(line), []string{"--threads", strconv.Itoa(n)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	r := &mpiRun{Cmd: exec.CommandContext(ctx, launcher[0], args...), mark: testRun + "=" + strconv.FormatUint(rand.Uint64(), 36)}
	r.Env = slices.Concat(os.Environ(), env, []string{asCommand + "=1", r.mark})
	r.Stdout, r.Stderr, r.WaitDelay = &r.out, &r.out, time.Second
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// process returns the process of a rank, nil while it is not there. It has the mark in its
// environment.
func (r *mpiRun) process(rank int) *os.Process {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		text, _ := os.ReadFile(file) // of another user, or gone
		all := strings.Split(string(text), "\x00")
		if !slices.Contains(all, r.mark) {
			continue
		}
		for _, l := range launchers {
			if slices.Contains(all, fmt.Sprint(l.rank, "=", rank)) {
				pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				if err != nil {
					return nil
				}
				p, _ := os.FindProcess(pid)
				return p
			}
		}
	}
	return nil
}

// await waits until a file has grown to so many lines, and reports whether it did before the run
// ended.
func (r *mpiRun) await(t *testing.T, file string, lines int) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if text, _ := os.ReadFile(file); bytes.Count(text, []byte("\n")) >= lines {
			return
		}
	}
	_ = r.Process.Kill()
	_ = r.Wait()
	t.Fatalf("the run does not come so far:\n%s", r.out.String())
}

// Runs of 1 to 4 ranks, with any threads, have the tensors of one process.
func TestMPISameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	for _, precision := range []string{"f32", "bf16"} {
		t.Run(precision, func(t *testing.T) {
			s := newShell(t)
			line := "train --data mnist --preset tiny --paired 60 --batch 15 --micro-batch 3 --steps 3 --seed 3 --preview-every 2 --precision " +
				precision + " --out "
			s.must(line + "alone")
			byLaunchers(t, func(t *testing.T, launcher []string) {
				for i, threads := range [][]int{{2}, {1, 1}, {2, 1, 1}, {1, 1, 3, 1}} {
					dir := fmt.Sprint(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:], i)
					r := startRanks(t, launcher, line+dir, nil, threads...)
					if err := r.Wait(); err != nil {
						t.Fatalf("ranks of %v threads: %v\n%s", threads, err, r.out.String())
					}
					roomtest.SameRun(t, "alone", dir)
				}
			})
		})
	}
}

// A run of which a rank is killed, at any moment, leaves whole checkpoints and goes on, on any
// number of ranks, to the tensors of an undisturbed run. FMIMG_TEST_KILLS is the number of kills.
func TestMPIKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	kills := killCount(t, 20)
	s := newShell(t)
	const line = "train --data mnist --preset tiny --paired 60 --batch 6 --micro-batch 2 --steps 60 --seed 3 --save-every 1 --preview-every -1 --validate-every -1 --out "
	s.must(line + "alone")
	byLaunchers(t, func(t *testing.T, launcher []string) {
		rng := rand.New(rand.NewPCG(1, 2))
		dir, done := launcher[0], 0
		for done < kills/2 {
			command := line + dir
			if _, err := os.Stat(filepath.Join(dir, "state.safetensors")); err == nil {
				command = "train --resume --out " + dir
			}
			ranks := slices.Repeat([]int{1}, 2+rng.IntN(2))
			r := startRanks(t, launcher, command, nil, ranks...)
			victim := rng.IntN(len(ranks))
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
			p := r.process(victim)
			killed := p != nil && p.Kill() == nil
			err := r.Wait()
			if err == nil && !killed { // it had ended: once more from the start
				roomtest.SameRun(t, "alone", dir)
				_ = os.RemoveAll(dir)
				continue
			}
			if killed {
				done++
			}
			expectWhole(t, dir)
		}
		command := "train --resume --out " + dir
		if _, err := os.Stat(filepath.Join(dir, "state.safetensors")); err != nil {
			command = line + dir
		}
		r := startRanks(t, launcher, command, nil, 1, 1)
		if err := r.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, r.out.String())
		}
		roomtest.SameRun(t, "alone", dir)
	})
}

const longTraining = "train --data mnist --preset tiny --paired 60 --batch 8 --micro-batch 2 --steps 100000 --seed 3 --save-every 2 --preview-every -1 --validate-every -1 --out "

// A rank that hangs ends the run after the patience of the connection, and rank 0 says which, and
// how to go on.
func TestMPIHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	newShell(t)
	byLaunchers(t, func(t *testing.T, launcher []string) {
		dir := launcher[0]
		r := startRanks(t, launcher, longTraining+dir, []string{"FMIMG_MPI_PATIENCE=8s"}, 1, 1)
		r.await(t, filepath.Join(dir, "metrics.jsonl"), 3)
		if err := r.process(1).Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		err := r.Wait()
		out := r.out.String()
		if err == nil || !strings.Contains(out, "rank 1") || !strings.Contains(out, "go on with fmimg train --resume --out "+dir) {
			t.Errorf("%v:\n%s", err, out)
		}
		expectWhole(t, dir)
	})
}

// A scheduler's signal to one rank, whichever, saves and ends the run.
func TestMPISignalled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	newShell(t)
	byLaunchers(t, func(t *testing.T, launcher []string) {
		for rank, signal := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR1} {
			dir := fmt.Sprint(launcher[0], rank)
			r := startRanks(t, launcher, longTraining+dir, nil, 1, 1)
			r.await(t, filepath.Join(dir, "metrics.jsonl"), 3)
			if err := r.process(rank).Signal(signal); err != nil {
				t.Fatal(err)
			}
			err := r.Wait()
			out := r.out.String()
			if err == nil || strings.Count(out, "interrupted after step") != 1 || !strings.Contains(out, "and saved in "+dir) {
				t.Errorf("rank %d: %v:\n%s", rank, err, out)
			}
			expectWhole(t, dir)
		}
	})
}
