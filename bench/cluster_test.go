package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/cluster"
)

// near reports whether two times are equal but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }

func TestCosts(t *testing.T) {
	c := Costs{MicroBatch: 4, Wave: 0.01, Tail: 0.005, Repack: 0.001, Largest: 0.125, Pair: 1e-4}
	for _, of := range []struct {
		ranks, threads, batch int
		want                  float64
	}{
		{1, 1, 64, 16*0.01 + 0.005},
		{1, 2, 64, 8*0.01 + 0.005},
		{2, 2, 64, 4*0.01 + 0.001 + 0.004/2},
		{3, 1, 64, 6*0.01 + 0.001 + 0.004/3}, // 16 micro-batches: one rank has 6
		{64, 1, 64, 0.01 + 0.001 + 0.004/8},  // a wave, and the largest tensor
		{2, 1, 65, 9*0.01 + 0.001 + 0.004/2}, // a micro-batch that is not full
	} {
		if got := c.step(of.ranks, of.threads, of.batch); !near(got, of.want) {
			t.Errorf("%d ranks of %d threads, batch %d: %g, want %g", of.ranks, of.threads, of.batch, got, of.want)
		}
	}
	if got, want := c.whole(2, 1, 64), c.step(2, 1, 64)+0.0032; !near(got, want) {
		t.Errorf("with pairing: %g, want %g", got, want)
	}
}

func TestPassing(t *testing.T) {
	link := Link{Latency: 1e-5, Bandwidth: 1e9}
	for _, of := range []struct {
		ranks, parameters int
		optimizer, want   float64
	}{
		{1, 1 << 20, 0.01, 0},
		// Half a million numbers each way, twice, and three exchanges in one part each.
		{2, 1 << 16, 0.01, 3*1e-5 + 2*4*(1<<15)/1e9},
		// A share of 2^18 numbers goes in four parts, three of which may hide behind the optimiser.
		{4, 1 << 20, 0.004, 3*6*1e-5 + 2*3*4*(1<<18)/1e9 - 0.001*3/4},
		// The optimiser takes longer than all values.
		{4, 1 << 20, 1, 3*2*1e-5 + 3*4*(1<<18)/1e9 + (3*4*1e-5+3*4*(1<<18)/1e9)/4},
	} {
		if got := (Costs{}).passing(of.ranks, of.parameters, link, of.optimizer); !near(got, of.want) {
			t.Errorf("%d ranks, %d parameters: %g, want %g", of.ranks, of.parameters, got, of.want)
		}
	}
}

// A wire that is faster than the copies of a message is no faster for it.
func TestProject(t *testing.T) {
	r := &ClusterResult{
		Workload: Workload{Batch: 64, Threads: 2, Parameters: 1 << 20},
		Costs:    Costs{MicroBatch: 4, Wave: 0.02, Tail: 0.01, Repack: 0.001, Largest: 0.1},
		Link:     Link{Latency: 1e-6, Bandwidth: 3e9},
	}
	all := r.project()
	if len(all) != 2*6*2 {
		t.Fatalf("%d projections", len(all))
	}
	for i, p := range all {
		// More than a rank each: of a larger batch the ends of steps are a smaller part.
		if p.Speed <= 0 || p.Speed > 1.1*float64(p.Ranks) || p.Passing <= 0 || p.Passing >= p.Step {
			t.Errorf("%+v", p)
		}
		if p.Gbits == 100 && p.Step >= all[i-12].Step {
			t.Errorf("%+v is not faster than %+v", p, all[i-12])
		}
		if least := 2 * 4 * float64(r.Parameters) * float64(p.Ranks-1) / float64(p.Ranks) / 3e9; p.Passing < least-r.Costs.Tail {
			t.Errorf("%+v moves its bytes faster than the copies", p)
		}
	}
}

func TestRankCounts(t *testing.T) {
	for size, want := range map[int]string{1: "[1]", 2: "[1 2]", 3: "[1 2 3]", 8: "[1 2 4 8]"} {
		if got := fmt.Sprint(rankCounts(size)); got != want {
			t.Errorf("%d: %s, want %s", size, got, want)
		}
	}
}

// The first ranks of four talk as a group, while the last one waits.
func TestGroup(t *testing.T) {
	var ranks sync.WaitGroup
	for _, c := range cluster.InProcess(4) {
		ranks.Go(func() {
			if c.Rank() < 3 {
				if err := talk(firstRanks(c, 3)); err != nil {
					t.Errorf("rank %d: %v", c.Rank(), err)
				}
			}
			if err := c.Barrier(); err != nil {
				t.Errorf("rank %d: %v", c.Rank(), err)
			}
		})
	}
	ranks.Wait()
}

func talk(c cluster.Comm) error {
	if c.Size() != 3 {
		return fmt.Errorf("it has %d ranks", c.Size())
	}
	for root := range c.Size() {
		data := []byte{byte(10 + c.Rank())}
		if err := c.Broadcast(root, data); err != nil || data[0] != byte(10+root) {
			return fmt.Errorf("broadcast of %d: %d, %w", root, data[0], err)
		}
		if err := c.Barrier(); err != nil {
			return err
		}
	}
	return c.Close()
}

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	o := ClusterOptions{Ranks: 2}
	o.Preset, o.Batch, o.Threads, o.Time = "tiny", 8, 1, time.Millisecond
	started := 0
	o.OnStart = func(Workload) { started++ }
	r, err := Cluster(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if started != 1 || r.Ranks != 2 || r.Threads != 1 || r.Batch != 8 || !r.OneMachine || r.Connection != "in one process" {
		t.Errorf("%d starts, %+v", started, r)
	}
	if r.Link.Latency <= 0 || r.Link.Bandwidth <= 0 || r.Costs.Wave < 0 || r.Costs.MicroBatch < 1 {
		t.Errorf("%+v, %+v", r.Link, r.Costs)
	}
	var points [][2]int
	for _, p := range r.Points {
		points = append(points, [2]int{p.Ranks, p.Batch})
		if p.Step <= 0 || p.Alone <= 0 || p.Model <= 0 || p.Samples < leastRounds || (p.OneProcess > 0) != (p.Ranks > 1 && p.Ranks <= runtime.NumCPU()) {
			t.Errorf("%+v", p)
		}
	}
	if got := fmt.Sprint(points); got != "[[1 8] [2 8] [2 16]]" {
		t.Errorf("points %s", got)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || strings.Count(text.String(), "\n") < 30 {
		t.Errorf("%v: %s", err, text.String())
	}
	path := filepath.Join(t.TempDir(), "report.json")
	for range 2 { // the second takes the place of the first
		if err := Record(path, "", r); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := ReadReport(path); err != nil || len(report.Cluster) != 1 || len(report.Cluster[0].Points) != 3 {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestClusterErrors(t *testing.T) {
	for name, change := range map[string]func(*ClusterOptions){
		"ranks":   func(o *ClusterOptions) { o.Ranks = mostClusterRanks + 1 },
		"preset":  func(o *ClusterOptions) { o.Preset = "none" },
		"threads": func(o *ClusterOptions) { o.Threads = -1 },
	} {
		var o ClusterOptions
		change(&o)
		if _, err := Cluster(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := ClusterOptions{Ranks: 3}
	o.Preset, o.Batch, o.Threads = "tiny", 8, 1
	if _, err := Cluster(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	for _, c := range cluster.InProcess(2) {
		if _, err := measureLink(ctx, c, smallMessage); !errors.Is(err, context.Canceled) {
			t.Errorf("the link of rank %d, in a context that ended: %v", c.Rank(), err)
		}
	}
}
