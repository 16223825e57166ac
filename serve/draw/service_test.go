package draw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// long asks for more than a test waits for.
func long(count int) Request {
	return Request{Model: small, Sample: sample.Options{Count: count, Method: model.Method{Steps: 100000}}}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in time: %s", what)
}

// Each of 64 clients gets its own images.
func TestManyClients(t *testing.T) {
	const clients, each = 64, 3
	runs := runsFolder(t)
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runs})
	request := func(client, turn int) Request {
		name := []string{small, plain, flowed}[(client+turn)%3]
		return Request{Model: name, Sample: sample.Options{Count: 1 + turn, Seed: uint64(client)}}
	}
	want := map[string][]float32{}
	name := func(r Request) string { return fmt.Sprintf("%s %d %d", r.Model, r.Sample.Count, r.Sample.Seed) }
	for client := range clients {
		for turn := range each {
			r := request(client, turn)
			want[name(r)], _ = drawnAlone(t, runs, r)
		}
	}
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for turn := range each {
				r := request(client, turn)
				got, err := s.Do(t.Context(), r)
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(got.Images.Pixels, want[name(r)]) {
					t.Errorf("%s: another client's images", name(r))
				}
			}
		})
	}
	all.Wait()
	if stats := s.Stats(); stats.Images != clients*(1+2+3) || stats.Loads != 3 || stats.Evaluations < stats.Images {
		t.Errorf("%+v", stats)
	}
}

// When its context ends, a request returns at once, and what it had under way ends soon.
func TestCancelled(t *testing.T) {
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runsFolder(t)})
	for _, r := range []Request{
		long(100),
		{Model: small, Kind: Vary, Inputs: twoPictures(t), Sample: long(100).Sample},
		{Model: small, Kind: Inpaint, Inputs: twoPictures(t), Mask: rightHalf(t), Times: 1000, Sample: long(10).Sample},
		{Model: small, Kind: Likelihood, Inputs: twoPictures(t), Sample: sample.Options{Method: model.Method{Solver: "rk4", Steps: 100000}}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		before := s.Stats().Evaluations
		done := make(chan error)
		go func() { _, err := s.Do(ctx, r); done <- err }()
		eventually(t, "an evaluation", func() bool { return s.Stats().Evaluations > before+10 })
		cancel()
		begin := time.Now()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", r.Kind, err)
		}
		if took := time.Since(begin); took > 2*time.Second { // machines may be busy
			t.Errorf("%s: ended after %v", r.Kind, took)
		}
		eventually(t, "nothing waits", func() bool { return s.Stats().Waiting == 0 })
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(ended, long(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended before: %v", err)
	}
	late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := s.Do(late, long(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: %v", err)
	}
}

// Nobody watches a request that has returned.
func TestWatchEndsWithTheRequest(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t)})
	ctx, cancel := context.WithCancel(t.Context())
	r, returned := long(20), false
	var mu sync.Mutex
	r.Watch = func(State) {
		mu.Lock()
		defer mu.Unlock()
		if returned {
			t.Error("a state after the request")
		}
		cancel()
	}
	_, err := s.Do(ctx, r)
	mu.Lock()
	returned = true
	mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "nothing waits", func() bool { return s.Stats().Waiting == 0 })
}

// Every state of every image is shown, from the noise to the image.
func TestWatch(t *testing.T) {
	runs := runsFolder(t)
	s := newService(t, Options{Runs: runs})
	for name, steps := range map[string]int{"heun": 3, "dopri5": 5, "sde": 4} {
		r := Request{Model: small, Sample: sample.Options{Count: 5, Method: model.Method{Solver: name, Steps: steps}}}
		var seen []State
		r.Watch = func(at State) {
			at.X = slices.Clone(at.X)
			seen = append(seen, at)
		}
		got, err := s.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		next := make([]int, 5)
		for _, at := range seen {
			if at.Step != next[at.Image] || at.Steps != steps {
				t.Errorf("%s: step %d of %d of image %d, want %d", name, at.Step, at.Steps, at.Image, next[at.Image])
			}
			next[at.Image]++
			if at.Step == steps && !slices.Equal(at.X, got.Images.Slice(at.Image, at.Image+1).Pixels) {
				t.Errorf("%s: the last state is not image %d", name, at.Image)
			}
		}
		if !slices.Equal(next, slices.Repeat([]int{steps + 1}, 5)) {
			t.Errorf("%s: states %v", name, next)
		}
	}
}

// Beyond the bound, a request is refused at once.
func TestBusy(t *testing.T) {
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runsFolder(t), Waiting: 10})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := s.Do(ctx, long(8)); done <- err }()
	eventually(t, "8 images", func() bool { return s.Stats().Waiting == 8 })
	var busy *BusyError
	r := Request{Model: small, Sample: sample.Options{Count: 3}}
	if _, err := s.Do(t.Context(), r); !errors.As(err, &busy) || busy.RetryAfter < time.Second {
		t.Errorf("%v", err)
	}
	r.Sample.Count = 2
	if _, err := s.Do(t.Context(), r); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "nothing waits", func() bool { return s.Stats().Waiting == 0 })
	r.Sample.Count = 10
	if _, err := s.Do(t.Context(), r); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// A pace estimates by recent images.
func TestPace(t *testing.T) {
	var p pace
	if got := p.of(5, 2); got != time.Second {
		t.Errorf("nothing is known: %v", got)
	}
	for i := range 2000 {
		busy := time.Duration(i+1) * time.Second
		if i >= 1000 {
			busy = 1000*time.Second + 3*time.Duration(i-999)*time.Second
		}
		p.add(1, busy)
	}
	if got := p.of(100, 2); got < 140*time.Second || got > 151*time.Second {
		t.Errorf("100 images of 3 s on 2 workers: %v", got)
	}
}

// A request of few images does not wait for the end of one of many.
func TestFair(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t)})
	many := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := Request{Model: small, Sample: sample.Options{Count: 4000}}
	go func() { _, err := s.Do(ctx, r); many <- err }()
	eventually(t, "an image", func() bool { return s.Stats().Images > 0 })
	r.Sample.Count = 1
	if _, err := s.Do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-many:
		t.Fatalf("4,000 images came first: %v", err)
	default:
	}
	cancel()
	if err := <-many; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A panic ends the request that it is of, and no other.
func TestPanic(t *testing.T) {
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runsFolder(t)})
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			r := Request{Model: small, Sample: sample.Options{Count: 4}}
			if i == 3 {
				r.Watch = func(at State) {
					if at.Step == 2 {
						panic("watched")
					}
				}
			}
			_, err := s.Do(t.Context(), r)
			if wrong, ok := errors.AsType[*PanicError](err); (i == 3) != ok || ok && wrong.Value != "watched" || !ok && err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// Close waits for what is under way, and refuses what comes then.
func TestClose(t *testing.T) {
	roomtest.NoLeaks(t)
	s, err := New(Options{Runs: runsFolder(t), Compute: pipeline.Compute{Threads: 2}})
	if err != nil {
		t.Fatal(err)
	}
	begun, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	r := Request{Model: small, Sample: sample.Options{Count: 40}}
	r.Watch = func(State) { once.Do(func() { close(begun) }) }
	go func() { _, err := s.Do(t.Context(), r); done <- err }()
	<-begun
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("what was under way: %v", err)
	}
	if _, err := s.Do(t.Context(), r); !errors.Is(err, ErrClosing) {
		t.Errorf("what came later: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// Close ends what is under way when its context ends.
func TestCloseInTime(t *testing.T) {
	roomtest.NoLeaks(t)
	s, err := New(Options{Runs: runsFolder(t), Compute: pipeline.Compute{Threads: 2}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := s.Do(context.Background(), long(50)); done <- err }()
	eventually(t, "an evaluation", func() bool { return s.Stats().Evaluations > 0 })
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if err := <-done; !errors.Is(err, ErrClosing) {
		t.Errorf("what was under way: %v", err)
	}
}

// Options that cannot be used are refused.
func TestOptionMistakes(t *testing.T) {
	for want, o := range map[string]Options{
		"memory": {Memory: -1}, "waiting": {Waiting: -1}, "threads": {Compute: pipeline.Compute{Threads: -1}},
		"isa":       {Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{ISA: "abacus"}}},
		"precision": {Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{Precision: "f7"}}},
	} {
		_, err := New(o)
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != want {
			t.Errorf("%s: %v", want, err)
		}
	}
}
