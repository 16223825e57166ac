package ode

import "github.com/fmimg/fmimg/internal/states"

// frames gathers what an observer of an adaptive solver is shown. States pass a time at different
// steps. The frame of that time is shown when all states have passed it.
type frames struct {
	observe Observer
	parts   int // equal parts of [t0, t1]; frame k is at the end of part k
	from    float64
	to      float64
	states  int
	next    int         // the first frame that was not shown yet
	passed  []int       // how many states have passed the time of each frame
	image   [][]float32 // the batch at frame k
	weights []float64   // b(θ)
}

// reset prepares the frames of a problem and shows the first. Without an observer it does nothing.
func (f *frames) reset(s *adaptiveSolver, p problem) {
	f.observe = s.observe
	if f.observe == nil {
		return
	}
	f.parts, f.from, f.to, f.states, f.next = s.options.Frames, p.t0, p.t1, p.n, 1
	f.passed = states.Sized(f.passed, f.parts+1)
	clear(f.passed)
	for len(f.image) <= f.parts {
		f.image = append(f.image, nil)
	}
	for k := 1; k <= f.parts; k++ {
		f.image[k] = states.Sized(f.image[k], len(p.x))
	}
	f.weights = states.Sized(f.weights, len(s.tab.B))
	f.observe(0, p.t0, p.x)
}

// time returns the time of frame k.
func (f *frames) time(k int) float64 { return TimeOf(k, f.parts, f.from, f.to) }

// record writes live state i into the frames that its step passes. The step ends at the time end,
// is accepted and still in the buffers.
func (r *adaptiveRun) record(i int, end float64) {
	f, s := &r.frames, &r.live[i]
	if f.observe == nil {
		return
	}
	lo, hi := r.bounds(i)
	for ; s.frame <= f.parts; s.frame++ {
		tau := f.time(s.frame)
		if (end-tau)*s.h < 0 {
			return
		}
		image := f.image[s.frame][r.index[i]*r.d:][:r.d]
		if tau == end {
			copy(image, r.y[lo:hi])
		} else {
			r.solver.tab.denseWeights(f.weights, (tau-s.t)/s.h)
			r.k.combine(image, r.x[lo:hi], lo, s.h, f.weights)
		}
		f.passed[s.frame]++
	}
}

// show shows the frames that are complete. They become complete in the order of their times.
func (f *frames) show() {
	if f.observe == nil {
		return
	}
	for ; f.next <= f.parts && f.passed[f.next] == f.states; f.next++ {
		f.observe(f.next, f.time(f.next), f.image[f.next])
	}
}
