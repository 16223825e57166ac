package convert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/onnx"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
)

// sampler writes the graph that draws.
func (e *onnxExport) sampler() error {
	method := e.options.Method
	if err := method.Validate(); err != nil {
		return err
	}
	var err error
	if method.Guide, err = e.ck.OpenUsualGuide(e.options.Guide, method, nothingComputed); err != nil {
		return err
	}
	if guide := method.GuideName(); guide != "" && regular.Same(guide, e.options.Out) {
		return option.Errorf("out", e.options.Out, "it is the guide: name another file")
	}
	plan, method, err := e.ck.Settle(e.ck.Path, method)
	if err != nil {
		return err
	}
	steps, err := e.trace(plan, method)
	if err != nil {
		return err
	}
	e.method = method
	g := &e.out.Graph
	g.Name = "drawing"
	s := &onnxSampler{onnxExport: e, plan: plan, terms: []onnx.Value{g.Input("noise", onnx.Float32, e.images())}}
	if e.net.Config().NumClasses > 0 {
		s.class = g.Input("y", onnx.Int64, each)
	}
	if slices.ContainsFunc(steps.evaluations, func(v evaluation) bool { return v.guided }) {
		if err := s.takeGuide(); err != nil {
			return err
		}
	}
	image := s.draw(steps)
	image = g.Op("Clip", []onnx.Value{image, g.Scalar(dataset.PixelMin), g.Scalar(dataset.PixelMax)})
	g.Output(image, "image", onnx.Float32, e.images())
	e.out.Doc = fmt.Sprintf("Images of %s from noise N(0, 1) by %v.", model.ModelName(e.ck.Path), plan.Solver)
	maps.Copy(e.out.Metadata, map[string]string{
		"solver": method.Solver, "steps": strconv.Itoa(method.Steps), "time_shift": strconv.FormatFloat(cmp.Or(method.TimeShift, 1), 'g', -1, 64),
		"guidance": strconv.FormatFloat(method.Guidance, 'g', -1, 64), "guidance_interval": method.Interval.String(),
		"guidance_every": strconv.Itoa(max(method.GuidanceEvery, 1)),
	})
	return nil
}

// trace returns the steps of the solver.
func (e *onnxExport) trace(plan model.Plan, m model.Method) (*trace, error) {
	switch {
	case m.Solver == ode.Dopri5.Name:
		return nil, option.Errorf("solver", m.Solver, "it chooses its steps while it draws, which a graph cannot: name another")
	case slices.Contains(flow.PathSolverNames(), m.Solver) && m.Solver != "ddim":
		return nil, option.Errorf("solver", m.Solver, "it adds fresh noise, which a graph has none of: name another")
	}
	evaluations := m.Steps
	if n, ok := ode.EvaluationsPerStep(m.Solver); ok {
		evaluations *= n
	}
	if evaluations > mostEvaluations {
		return nil, option.Errorf("steps", m.Steps, "each evaluation is written out in the file: at most %d evaluations", mostEvaluations)
	}
	guides := m.Guidance != 1 && !plan.TakesGuidance && (m.Guide != nil || e.ck.Labels().Rows() > 0)
	acts := func(t float32) bool { return guides && m.Interval.Has(t) }
	return traceSolver(plan.Solver, evaluations, acts, m.GuidanceEvery)
}

// An onnxSampler writes the steps of a drawing.
type onnxSampler struct {
	*onnxExport
	plan  model.Plan
	class onnx.Value
	terms []onnx.Value // of the basis of a trace; empty where a term does not occur
	guide onnxGuide
}

// An onnxGuide is the network of a guide.
type onnxGuide struct {
	unet  *unetGraph // nil: none
	class onnx.Value // of the guide for the class of each image; empty where the guide takes none
}

// takeGuide adds the guide of the method, if there is one.
func (s *onnxSampler) takeGuide() error {
	guide := s.plan.Guide
	if guide == nil {
		return nil
	}
	net := guide.UNet()
	if err := s.checkHalf(net); err != nil {
		return err
	}
	g := &s.out.Graph
	s.guide.unet = newUNetGraph(g, "guide.", net.Model, s.options.Half)
	s.out.Metadata["guide"] = guide.Checkpoint.Hash
	s.out.Metadata["guide_share"] = strconv.FormatFloat(cmp.Or(s.plan.GuideShare, 1), 'g', -1, 64)
	rows, null := guide.Rows()
	switch {
	case rows != nil:
		numbers := make([]int, len(rows))
		for i, row := range rows {
			numbers[i] = int(row)
		}
		s.guide.class = g.Op("Gather", []onnx.Value{g.Ints(numbers...), s.class})
	case null >= 0:
		s.guide.class = g.Ints(int(null))
	}
	return nil
}

// draw appends the evaluations and returns the image.
func (s *onnxSampler) draw(t *trace) onnx.Value {
	for _, e := range t.evaluations {
		x := s.sum(e.state)
		if e.guided {
			s.guided(x, e.t)
			continue
		}
		s.terms = append(s.terms, s.velocity(s.plan.Predicts, s.predict(x, e.t, s.class), x, e.t), "")
	}
	return s.sum(t.result)
}

// guided evaluates the networks that guidance takes, and adds the velocity and what guidance adds
// to it, as a [model.VelocityDrawer] does. Predictions of two kinds become velocities first.
func (s *onnxSampler) guided(x onnx.Value, t float32) {
	g, kind := &s.out.Graph, s.plan.Predicts
	share := s.plan.GuideShare
	alone := s.guide.unet != nil && (share == 0 || share == 1) // no class has no share
	var p, none, away onnx.Value
	if alone {
		p = s.predict(x, t, s.class)
	} else {
		p, none = s.withAndWithoutClass(x, t)
		away = none
	}
	if s.guide.unet != nil {
		away = s.guide.unet.predict(x, conditions{t: s.column(t), class: s.guide.class})
		if by := s.plan.Guide.Predicts(); by != kind {
			away = s.velocity(by, away, x, t)
			p = s.velocity(kind, p, x, t)
			if none != "" {
				none = s.velocity(kind, none, x, t)
			}
			kind.Objective = flow.PredictVelocity
		}
		if !alone {
			gap := g.Op("Sub", []onnx.Value{away, none})
			away = g.Op("Add", []onnx.Value{none, g.Op("Mul", []onnx.Value{gap, g.Scalar(float32(share))})})
		}
	}
	// away + W·(p − away) is p + (W−1)·(p − away)
	gap := g.Op("Sub", []onnx.Value{p, away})
	led := g.Op("Add", []onnx.Value{p, g.Op("Mul", []onnx.Value{gap, g.Scalar(float32(s.method.Guidance - 1))})})
	plain, v := s.velocity(kind, p, x, t), s.velocity(kind, led, x, t)
	s.terms = append(s.terms, plain, g.Op("Sub", []onnx.Value{v, plain}))
}

// withAndWithoutClass evaluates the network for both together.
func (s *onnxSampler) withAndWithoutClass(x onnx.Value, t float32) (p, none onnx.Value) {
	g := &s.out.Graph
	first := onnx.Attribute{Name: "axis", Value: 0}
	null := g.Op("Add", []onnx.Value{g.Op("Mul", []onnx.Value{s.class, g.Ints(0)}), g.Ints(int(s.ck.Labels().NullRow()))})
	both := s.predict(g.Op("Concat", []onnx.Value{x, x}, first), t, g.Op("Concat", []onnx.Value{s.class, null}, first))
	parts := g.Ops("Split", 2, []onnx.Value{both}, first, onnx.Attribute{Name: "num_outputs", Value: 2})
	return parts[0], parts[1]
}

// column returns a number that all states share, [1, 1].
func (s *onnxSampler) column(v float32) onnx.Value {
	g := &s.out.Graph
	return g.Op("Reshape", []onnx.Value{g.Scalar(v), g.Ints(1, 1)})
}

// predict evaluates the network at a time that all states share.
func (s *onnxSampler) predict(x onnx.Value, t float32, class onnx.Value) onnx.Value {
	c := conditions{t: s.column(t), class: class}
	if s.plan.Jump != 0 {
		c.jump = s.column(float32(s.plan.Jump))
	}
	if s.plan.TakesGuidance {
		c.guidance = s.column(float32(s.method.Guidance))
	}
	return s.unet.predict(x, c)
}

// velocity turns a prediction for states at a time into velocities, as [flow.VelocityWithin] does.
func (s *onnxSampler) velocity(predicts model.Prediction, p, x onnx.Value, t float32) onnx.Value {
	if predicts.Objective == flow.PredictVelocity {
		return p
	}
	g := &s.out.Graph
	c := predicts.Path.At(float64(t))
	parts := c.Parts(predicts.Objective)
	if predicts.Objective != flow.PredictNoise || c.Sigma <= c.Alpha {
		return s.apply(parts.Velocity, x, p)
	}
	data := g.Op("Clip", []onnx.Value{s.apply(parts.Data, x, p), g.Scalar(dataset.PixelMin), g.Scalar(dataset.PixelMax)})
	return s.apply(c.TowardsData(), x, data)
}

// apply returns X·x + P·p. At a singular end both weights are 0.
func (s *onnxSampler) apply(a flow.Part, x, p onnx.Value) onnx.Value {
	if a == (flow.Part{}) {
		g := &s.out.Graph
		return g.Op("Mul", []onnx.Value{x, g.Scalar(0)})
	}
	return s.weighed([]onnx.Value{x, p}, []float32{float32(a.X), float32(a.P)})
}

// sum returns the sum of the terms with weights of the basis.
func (s *onnxSampler) sum(weights []float32) onnx.Value {
	return s.weighed(s.terms, weights[:len(s.terms)])
}

// weighed returns Σ weights[i]·terms[i]. Not all weights are 0.
func (s *onnxSampler) weighed(terms []onnx.Value, weights []float32) onnx.Value {
	g := &s.out.Graph
	var sum onnx.Value
	for i, w := range weights {
		if w == 0 {
			continue
		}
		term := terms[i]
		if w != 1 {
			term = g.Op("Mul", []onnx.Value{term, g.Scalar(w)})
		}
		if sum == "" {
			sum = term
		} else {
			sum = g.Op("Add", []onnx.Value{sum, term})
		}
	}
	return sum
}
