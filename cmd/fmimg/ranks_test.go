package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/roomtest"
)

// A said is what a process left.
type said struct {
	status         int
	stdout, stderr string
}

// runRanks executes a command line on ranks in this process. %d in it is the rank.
func runRanks(t *testing.T, size int, line string) []said {
	t.Helper()
	all, comms := make([]said, size), cluster.InProcess(size)
	roomtest.Within(t, 3*time.Minute, func() {
		var done sync.WaitGroup
		for rank := range size {
			done.Go(func() {
				env := map[string]string{"OMPI_COMM_WORLD_SIZE": fmt.Sprint(size), "OMPI_COMM_WORLD_RANK": fmt.Sprint(rank)}
				var stdout, stderr bytes.Buffer
				a := &app{
					stdout: &stdout, stderr: &stderr,
					environ: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
					join:    func() (cluster.Comm, error) { return comms[rank], nil },
				}
				own := strings.ReplaceAll(line, "%d", fmt.Sprint(rank))
				status := a.run(context.Background(), strings.Fields(own))
				all[rank] = said{status, stdout.String(), stderr.String()}
			})
		}
		done.Wait()
	})
	for rank, s := range all[1:] {
		if s != (said{}) {
			t.Errorf("%s: rank %d is not silent: %+v", line, rank+1, s)
		}
	}
	return all
}

// Training, distilling and drawing on ranks leave the bytes of one process, and rank 0 alone
// speaks.
func TestRanksSameFiles(t *testing.T) {
	s := newShell(t)
	const training = "train --data mnist --preset tiny --paired 60 --batch 8 --micro-batch 2 --steps 4 --seed 3 --threads 1 --out "
	s.must(training + "alone")
	if got := runRanks(t, 3, training+"together"); got[0].status != exitOK || got[0].stdout != "together\n" {
		t.Fatalf("%+v", got[0])
	}
	roomtest.SameRun(t, "alone", "together")
	again := strings.Replace(training, "--steps 4", "--schedule alone", 1)
	if got := runRanks(t, 2, again+"again"); got[0].status != exitOK {
		t.Fatalf("%+v", got[0])
	}
	roomtest.SameRun(t, "alone", "again")

	const distilling = "distill --model alone --steps 3 --batch 8 --micro-batch 2 --pool 16 --reuse 1 --teacher-steps 4 " +
		"--on-policy 1 --on-policy-from 0.3 --threads 1 --out "
	s.must(distilling + "alone-fast")
	if got := runRanks(t, 3, distilling+"together-fast"); got[0].status != exitOK {
		t.Fatalf("%+v", got[0])
	}
	roomtest.SameRun(t, "alone-fast", "together-fast")

	const drawing = "generate --model alone --steps 3 --threads 2 "
	for _, what := range []string{
		"--count 5 --out %s.png", "--grid 2x3 --out %s.gif", "--count 7 --solver dopri5 --out %s.npy", "--strip 3 --count 2 --out %s.png", "--count 4 --out %s/",
	} {
		line := drawing + what
		if strings.Contains(what, "dopri5") {
			line = strings.Replace(line, "--steps 3 ", "", 1)
		}
		s.must(fmt.Sprintf(line, "one"))
		got := runRanks(t, 3, fmt.Sprintf(line, "three"))
		if got[0].status != exitOK {
			t.Fatalf("%s: %+v", what, got[0])
		}
		name := strings.TrimSuffix(what[strings.LastIndexByte(what, ' ')+1:], "/")
		sameFiles(t, fmt.Sprintf(name, "one"), fmt.Sprintf(name, "three"))
		if counted := regexp.MustCompile(`[0-9]+ images? of [0-9]+ eval`); counted.FindString(got[0].stderr) != counted.FindString(s.stderr) {
			t.Errorf("%s says %q, and alone %q", what, got[0].stderr, s.stderr)
		}
	}
}

// sameFiles compares two files, or the files of two folders.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	if entries, err := os.ReadDir(a); err == nil {
		for _, e := range entries {
			sameFiles(t, filepath.Join(a, e.Name()), filepath.Join(b, e.Name()))
		}
		return
	}
	x, err1 := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	if err1 != nil || err2 != nil || !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ: %v, %v", a, b, err1, err2)
	}
	os.RemoveAll(a)
	os.RemoveAll(b)
}

// Measurements on ranks have the numbers of one process.
func TestRanksSameReports(t *testing.T) {
	s := newShell(t)
	seconds := regexp.MustCompile(`"[a-z_]*seconds":[^,}]*`)
	for _, line := range []string{
		"likelihood --model mnist --count 5 --solver euler --steps 2 --json --scores scores.csv",
		"eval --model mnist --count 100 --quick --steps 2 --evaluations 1,4 --json",
	} {
		s.must(line)
		got := runRanks(t, 3, line)
		if a, b := seconds.ReplaceAllString(s.stdout, ""), seconds.ReplaceAllString(got[0].stdout, ""); a != b || a == "" {
			t.Errorf("%s:\n%s\nalone:\n%s\n%s", line, b, a, got[0].stderr)
		}
	}
}

// What is wrong is told once, on one line, by rank 0.
func TestRanksUsage(t *testing.T) {
	newShell(t)
	for line, want := range map[string]string{
		"trian":              `fmimg: unknown command "trian": did you mean train?`,
		"train --data mnits": "fmimg: train: --data mnits: no data set and no file has this name: did you mean mnist?",
		"train --data mnist --watch": "fmimg: train: --watch: the page shows a training of one process, and 2 were started: " +
			"leave it out, and watch the run with fmimg serve",
		"serve":                             "fmimg: serve: it runs in one process, and 2 were started: start it without mpirun or srun",
		"train --data mnist --seed %d":      "fmimg: train: --seed is 0 on rank 0 and 1 on rank 1: give all ranks the same flags",
		"train --data mnist --threads %d":   "fmimg: train: --threads 0: a number above 0 is needed",
		"train --data mnist --schedule no":  "fmimg: train: --schedule no: it is neither a run folder nor a list",
		"generate --out x.png --model gone": "fmimg: generate: ",
	} {
		got := runRanks(t, 2, line)[0]
		if got.status == exitOK || !strings.HasPrefix(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: %d %q, want %q", line, got.status, got.stderr, want)
		}
	}
}
