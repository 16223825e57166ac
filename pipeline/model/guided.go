package model

import (
	"slices"

	"github.com/fmimg/fmimg/internal/states"
)

// A drawnField is the velocity field of the images from, from+1, … of a drawing. Where guidance
// acts, the network's prediction p becomes
//
//	p_away + W·(p − p_away),
//
// with p_away that of the same network without a class (Ho and Salimans 2022, and Zheng et al. 2023
// for velocities), or that of a guide (Karras et al. 2024, "Guiding a Diffusion Model with a Bad
// Version of Itself", equation 1), or a mean of the two. The mean adds both guidances:
//
//	p + (W − 1)·((1 − S)·(p − p_null) + S·(p − p_guide)) for the share S of the guide.
//
// Guidance acts within an interval of t (Kynkäänniemi et al. 2024, "Applying Guidance in a Limited
// Interval", equation 5). Outside of it, the network alone is evaluated.
//
// What guidance adds to a velocity changes slowly along the way. So it may be computed for every
// Nth velocity alone and held until then (Lv et al. 2024, "FasterCache", whose CFG-Cache holds it
// in two bands of frequencies).
//
// Guidance is the same for velocity, noise and data: see [flow.VelocityOf]. Predictions of two
// kinds become velocities first.
type drawnField struct {
	w    *VelocityDrawer
	d    *Drawing
	from int
	led  int  // velocities to which guidance has added
	kept bool // the drawer's term is of this field, and of all of its images
}

// A guidedPart holds the images of an evaluation for which guidance acts.
type guidedPart struct {
	x, t  []float32
	index []int // places in the batch that the solver was given
	at    []int // places in the evaluation

	xs, ts []float32 // memory of x and t where these are not of all images
}

// A guidanceTerm is what guidance added to the velocities when it was computed last.
type guidanceTerm struct {
	added []float32 // of all images; empty for none
	// acts says whether guidance acted in the last evaluation, and acted whether in that before it.
	acts, acted bool
}

// guides reports whether guidance acts at all in a drawing.
func (d *Drawing) guides() bool {
	return (d.Weights != nil || d.Guidance != 1) && (d.Guide != nil || d.Labels != nil)
}

// Velocity implements [ode.Field].
func (f *drawnField) Velocity(v, x, t []float32, index []int) {
	w, d := f.w, f.d
	w.count(index)
	w.net.Forward(v, x, t, w.classesOf(d, f.from, index))
	part := w.guidedOf(d, x, t, index)
	w.term.acted, w.term.acts = w.term.acts, len(part.index) > 0
	if !w.term.acts {
		d.Predicts.ToVelocity(v, x, t)
		return
	}
	all, k := len(part.x) == len(v), f.led
	f.led++
	if all && f.kept && !ComputesGuidance(k, d.GuidanceEvery) {
		d.Predicts.ToVelocity(v, x, t)
		for i, added := range w.term.added[:len(v)] {
			v[i] += added
		}
		return
	}
	w.count(part.index)
	away := w.away[:len(part.x)]
	f.predictAway(away, part)
	convert := d.Predicts.ToVelocity
	if d.Guide != nil && d.Guide.predicts != d.Predicts {
		convert(v, x, t)
		convert = func(_, _, _ []float32) {}
	}
	if f.kept = all && (!d.Interval.Whole() || d.GuidanceEvery > 1); f.kept {
		w.term.added = append(w.term.added[:0], v...)
		convert(w.term.added, x, t)
	}
	lead(v, away, part.at, w.weights(d, f.from, part.index))
	convert(v, x, t)
	if f.kept {
		for i, plain := range w.term.added {
			w.term.added[i] = v[i] - plain
		}
	}
}

// ComputesGuidance reports whether what guidance adds is computed for a velocity, and not held from
// the one before: it is for the first of every velocities in a row, each where every is 0. k counts
// those to which guidance adds, from 0.
func ComputesGuidance(k, every int) bool { return every <= 1 || k%every == 0 }

// Restate implements [ode.Restater]. Guidance that begins is taken to have been what it is.
func (f *drawnField) Restate(v []float32) {
	term := &f.w.term
	if term.acts == term.acted {
		return
	}
	for i, added := range term.added[:len(v)] {
		if term.acts {
			v[i] += added
		} else {
			v[i] -= added
		}
	}
}

// lead sets the states of v that are listed in at to away + weight·(v − away), each with its own
// weight.
func lead(v, away []float32, at []int, weights []float32) {
	d := states.Size(len(away), len(at))
	for i, k := range at {
		from, weight := away[i*d:(i+1)*d], weights[i]
		for j, a := range from {
			p := &v[k*d+j]
			*p = a + float32(weight*(*p-a))
		}
	}
}

// guidedOf returns the images of an evaluation for which guidance acts.
func (w *VelocityDrawer) guidedOf(d *Drawing, x, t []float32, index []int) *guidedPart {
	p := &w.guided
	p.x, p.t, p.index, p.at = nil, nil, p.index[:0], p.at[:0]
	if !d.guides() {
		return p
	}
	for i, ti := range t {
		if d.Interval.Has(ti) {
			p.at, p.index = append(p.at, i), append(p.index, index[i])
		}
	}
	if len(p.at) == len(t) {
		p.x, p.t = x, t
		return p
	}
	p.xs, p.ts = p.xs[:0], p.ts[:0]
	for _, i := range p.at {
		p.xs = append(p.xs, x[i*w.imageLen:(i+1)*w.imageLen]...)
		p.ts = append(p.ts, t[i])
	}
	p.x, p.t = p.xs, p.ts
	return p
}

// predictAway sets away to the predictions from which guidance leads away: velocities, where the
// guide predicts another kind than the network.
func (f *drawnField) predictAway(away []float32, p *guidedPart) {
	w, d := f.w, f.d
	y := w.y[:len(p.index)]
	if d.Guide == nil {
		f.predictNone(away, p)
		return
	}
	w.guide.Forward(away, p.x, p.t, d.Guide.classes(y, w.classesOf(d, f.from, p.index)))
	differ := d.Guide.predicts != d.Predicts
	if differ {
		d.Guide.predicts.ToVelocity(away, p.x, p.t)
	}
	if d.GuideShare == 0 || d.GuideShare == 1 {
		return
	}
	w.count(p.index)
	none := slices.Grow(w.none[:0], len(away))[:len(away)]
	w.none = none
	f.predictNone(none, p)
	if differ {
		d.Predicts.ToVelocity(none, p.x, p.t)
	}
	share := float32(d.GuideShare)
	for i, n := range none {
		away[i] = n + float32(share*(away[i]-n))
	}
}

// predictNone sets none to the predictions of the network without a class.
func (f *drawnField) predictNone(none []float32, p *guidedPart) {
	y := f.w.y[:len(p.index)]
	for i := range y {
		y[i] = f.d.Null
	}
	f.w.net.Forward(none, p.x, p.t, y)
}
