package runs

import (
	"math"
	"slices"

	"github.com/fmimg/fmimg/pipeline/run"
)

// The sizes of a series: numbers of buckets, and of the latest points that are kept as they are.
const (
	maxBuckets = 4096
	maxRecent  = 2048
)

// A point is a step and what was measured there. Its JSON is [step, value].
type point [2]float64

// step returns the step of a point.
func (p point) step() int { return int(p[0]) }

// A bucket holds the smallest and the largest value of some steps.
type bucket struct {
	index    int // steps index·width+1 to (index+1)·width
	min, max point
}

// points returns the extremes in the order of their steps: one where they are the same.
func (b *bucket) points() []point {
	switch {
	case b.min == b.max:
		return []point{b.min}
	case b.min.step() > b.max.step():
		return []point{b.max, b.min}
	}
	return []point{b.min, b.max}
}

// add widens the extremes.
func (b *bucket) add(p point) {
	if p[1] < b.min[1] {
		b.min = p
	}
	if p[1] > b.max[1] {
		b.max = p
	}
}

// A series is a measurement over the steps of a run, in bounded memory. Steps come in their order.
type series struct {
	width       int // steps of a bucket, a power of 2
	buckets     []bucket
	recent      []point // the latest points, of which the oldest is at recent[0]
	first, last point
}

// add adds a point. One of a step that was there before is left out.
func (s *series) add(step int, value float64) {
	p := point{float64(step), value}
	if math.IsNaN(value) || math.IsInf(value, 0) || s.last.step() >= step {
		return
	}
	if s.width == 0 {
		s.width, s.first = 1, p
	}
	s.last = p
	if len(s.recent) == 2*maxRecent { // moved rarely, so that a point costs little
		s.recent = append(s.recent[:0], s.recent[maxRecent:]...)
	}
	s.recent = append(s.recent, p)
	s.put(p)
	for len(s.buckets) > maxBuckets {
		s.widen()
	}
}

// put adds a point to its bucket.
func (s *series) put(p point) {
	index := (p.step() - 1) / s.width
	if n := len(s.buckets); n > 0 && s.buckets[n-1].index == index {
		s.buckets[n-1].add(p)
		return
	}
	s.buckets = append(s.buckets, bucket{index, p, p})
}

// widen makes buckets of twice as many steps.
func (s *series) widen() {
	s.width *= 2
	old := s.buckets
	s.buckets = old[:0]
	for _, b := range old {
		b.index /= 2
		if n := len(s.buckets); n > 0 && s.buckets[n-1].index == b.index {
			s.buckets[n-1].add(b.min)
			s.buckets[n-1].add(b.max)
			continue
		}
		s.buckets = append(s.buckets, b)
	}
}

// since returns the points behind a step: all of them where they are at most n and among the latest
// ones. Else it returns the smallest and the largest value of each of some equal stretches of
// steps, and the first and the last point, n at most. n is 4 or more.
func (s *series) since(step, n int) []point {
	if s.width == 0 || s.last.step() <= step {
		return []point{}
	}
	points := s.behind(step)
	if len(points) <= n {
		return points
	}
	return thin(points, n)
}

// behind returns what is kept of the points behind a step.
func (s *series) behind(step int) []point {
	if s.recent[0] == s.first || s.recent[0].step() <= step+1 { // the latest points are all of them
		i, _ := slices.BinarySearchFunc(s.recent, step+1, func(p point, at int) int { return p.step() - at })
		return slices.Clone(s.recent[i:])
	}
	points := []point{s.first}
	for _, b := range s.buckets {
		points = append(points, b.points()...)
	}
	points = slices.Compact(append(points, s.last))
	return slices.DeleteFunc(points, func(p point) bool { return p.step() <= step })
}

// thin returns at most n of the points: the first, the last, and the extremes of equal stretches of
// steps between them. n is 4 or more.
func thin(points []point, n int) []point {
	first, last := points[0], points[len(points)-1]
	stretches := (n - 2) / 2
	each := float64(last.step()-first.step()+1) / float64(stretches)
	kept := []point{first}
	var b bucket
	flush := func() { kept = append(kept, b.points()...) }
	for i, p := range points {
		index := int(float64(p.step()-first.step()) / each)
		if i == 0 || index != b.index {
			if i > 0 {
				flush()
			}
			b = bucket{index, p, p}
		}
		b.add(p)
	}
	flush()
	return slices.Compact(append(kept, last))
}

// rateSpan is the least training time, in seconds, that a rate is measured over.
const rateSpan = 0.5

// A curve is what metrics.jsonl says, thinned.
type curve struct {
	reader           run.MetricsReader
	loss, held, rate series
	from             run.Metric // where the rate is measured from
}

// update reads what is new in the folder. restarted says that the curve is anew.
func (c *curve) update(v *run.View) (restarted bool, err error) {
	err = c.reader.Read(v, func() {
		restarted = true
		c.loss, c.held, c.rate, c.from = series{}, series{}, series{}, run.Metric{}
	}, c.add)
	return restarted, err
}

// add adds the measurements of a step.
func (c *curve) add(m run.Metric) {
	c.loss.add(m.Step, m.Loss)
	if m.Validation != 0 {
		c.held.add(m.Step, m.Validation)
	}
	if c.from.Step == 0 || m.Seconds < c.from.Seconds {
		c.from = m
	}
	if took := m.Seconds - c.from.Seconds; took >= rateSpan {
		c.rate.add(m.Step, float64(m.Images-c.from.Images)/took)
		c.from = m
	}
}

// Points are the measurements of a run over its steps, thinned.
type Points struct {
	// From is the step behind which these are all points: a client drops what it has there.
	From       int     `json:"from"`
	Loss       []point `json:"loss"`
	Validation []point `json:"validation"`
	Rate       []point `json:"images_per_second"`

	last int // the latest step of the run
}

// since returns the points behind a step, at most n of each kind.
func (c *curve) since(step, n int) Points {
	return Points{step, c.loss.since(step, n), c.held.since(step, n), c.rate.since(step, n), c.loss.last.step()}
}
