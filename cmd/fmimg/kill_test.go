package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/safetensors"
)

// self returns a command line of fmimg as a process of its own: the test program, run again.
func self(line string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], strings.Fields(line)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// killedRun saves, previews and keeps as often as it can.
const killedRun = "train --data mnist --preset tiny --paired 64 --batch 4 --steps 20 --seed 3 --save-every 1 --preview-every 7 --keep 2 --tensorboard"

// killCount returns how often a test kills: FMIMG_TEST_KILLS times, or as usual.
func killCount(t *testing.T, usual int) int {
	text := os.Getenv("FMIMG_TEST_KILLS")
	if text == "" {
		return usual
	}
	kills, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return kills
}

// killsOfRun is how often a run is killed at most.
const killsOfRun = 5

// A run that is killed again and again, at any moment, leaves only whole checkpoints, and ends like
// an undisturbed run. FMIMG_TEST_KILLS is the number of kills, by default 3; "make kill" takes 100.
func TestKilledRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for a long time without assembly")
	}
	kills := killCount(t, 3)
	t.Chdir(t.TempDir())
	begin := time.Now()
	if out, err := self(killedRun + " --out through").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	length := time.Since(begin)
	rng := rand.New(rand.NewPCG(1, uint64(kills)))
	done, runs := 0, 0
	for done < kills {
		dir := fmt.Sprint("killed-", runs)
		// Most runs are killed several times, and are left alone then: their end takes longer than
		// what is left to them between two kills.
		for killed, times := true, 0; killed; times++ {
			after := time.Duration(rng.Float64() * float64(length) / 2)
			if times == killsOfRun || done == kills {
				after = time.Hour
			}
			killed = runUntil(t, dir, after, 1+rng.IntN(3))
			expectWhole(t, dir)
			if killed {
				done++
			}
		}
		for _, name := range []string{"state.safetensors", "model.safetensors"} {
			if a, b := readTensors(t, "through", name), readTensors(t, dir, name); !sameTensors(a, b) {
				t.Errorf("%s: %s differs from that of the undisturbed run", dir, name)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*[0-9]")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		runs++
	}
	t.Logf("%d kills in %d runs of %v: every checkpoint loads, every run ended as the undisturbed one", done, runs, length.Round(time.Millisecond))
}

// runUntil starts the run or goes on with it, and kills it after some time. It returns false when
// the run had ended by then.
func runUntil(t *testing.T, dir string, after time.Duration, threads int) bool {
	t.Helper()
	line := killedRun
	if _, err := os.Stat(filepath.Join(dir, "state.safetensors")); err == nil {
		line = "train --resume"
	}
	cmd := self(fmt.Sprintf("%s --out %s --threads %d", line, dir, threads))
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() {
		_ = cmd.Process.Kill() // fails when the run has ended
	})
	err := cmd.Wait()
	timer.Stop()
	if err != nil && strings.Contains(out.String(), "fmimg: ") { // it failed before it was killed
		t.Fatalf("the run failed: %s", out.String())
	}
	return err != nil
}

// expectWhole reads every checkpoint in a folder.
func expectWhole(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(d.Name(), ".") && strings.HasSuffix(path, ".safetensors") {
			readTensors(t, path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func readTensors(t *testing.T, elem ...string) []safetensors.Tensor {
	t.Helper()
	file, err := os.Open(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Join(elem...), err)
	}
	return f.Tensors
}

func sameTensors(a, b []safetensors.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y safetensors.Tensor) bool {
		return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) && slices.Equal(x.F32, y.F32)
	})
}
