package draw

import (
	"context"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// A request of one image does not wait for the images of another, however long they take, and no
// more are under way than there may be.
func TestTurnsOfRequests(t *testing.T) {
	roomtest.NoLeaks(t)
	for _, test := range []struct {
		name         string
		bound, spare int
		requests     int // of 5 long images each
		want         []int
	}{
		{"one takes all of the bound, and a second has one more", 3, 2, 2, []int{3, 1}},
		{"what is beside the bound is bounded too", 3, 2, 4, []int{3, 1, 1, 0}},
		{"one alone takes no spare place", 4, 9, 1, []int{4}},
		{"there is room for all", 20, 0, 2, []int{5, 5}},
		{"without spare places others wait", 2, 0, 2, []int{2, 0}},
	} {
		turns := turns{bound: test.bound, spare: test.spare}
		var mu sync.Mutex
		under := make([]int, test.requests)
		release := make(chan struct{})
		var all sync.WaitGroup
		for i := range test.requests {
			begun := make(chan struct{}, 5)
			all.Go(func() {
				_ = turns.run(context.Background(), 5, func(int) {
					mu.Lock()
					under[i]++
					mu.Unlock()
					begun <- struct{}{}
					<-release
				})
			})
			for range test.want[i] {
				<-begun
			}
			eventually(t, "it waits for its turn", func() bool {
				turns.mu.Lock()
				defer turns.mu.Unlock()
				return len(turns.next) > 0 || test.want[i] == 5
			})
		}
		mu.Lock()
		for i, n := range under {
			if n != test.want[i] {
				t.Errorf("%s: request %d has %d images under way, want %d", test.name, i, n, test.want[i])
			}
		}
		mu.Unlock()
		close(release)
		all.Wait()
	}
}

// While another request draws for hours, one image of each kind is drawn, and says when it begins.
func TestLongRequestHoldsNobody(t *testing.T) {
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runsFolder(t)})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, r := range []Request{
		long(200),
		{Model: small, Kind: Likelihood, Inputs: repeated(twoPictures(t), 20), Sample: sample.Options{Method: model.Method{Solver: "rk4", Steps: 100000}}},
	} {
		before := s.Stats().Evaluations
		all.Go(func() { _, _ = s.Do(ctx, r) })
		eventually(t, "an evaluation", func() bool { return s.Stats().Evaluations > before+10 })
	}
	for _, r := range []Request{
		{Model: plain, Sample: sample.Options{Method: model.Method{Steps: 2}}},
		{Model: flowed},
		{Model: small, Kind: Vary, Inputs: twoPictures(t), Sample: sample.Options{Method: model.Method{Steps: 2}}},
		{Model: small, Kind: Likelihood, Inputs: twoPictures(t), Sample: sample.Options{Method: model.Method{Solver: "rk4", Steps: 1}}},
	} {
		began := 0
		r.Began = func() { began++ }
		if _, err := s.Do(t.Context(), r); err != nil || began != 1 {
			t.Errorf("%s of %s: began %d times, %v", r.Kind, r.Model, began, err)
		}
	}
	cancel()
	all.Wait()
}

// repeated returns files a number of times.
func repeated(files [][]byte, times int) (all [][]byte) {
	for range times {
		all = append(all, files...)
	}
	return all
}
