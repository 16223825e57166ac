package convert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/float16"
	"github.com/fmimg/fmimg/internal/onnx"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// ONNXFormat is the name of the format.
const ONNXFormat = "onnx"

// opset is the version of ONNX's operators that graphs use. It is the first one whose group norm
// has a scale for each channel.
const opset = 21

// mostEvaluations bounds the size of a graph that draws.
const mostEvaluations = 256

// ONNXOptions say which model becomes a file of ONNX, and how. The zero value of each option is its
// default.
type ONNXOptions struct {
	// Model is a run folder or a checkpoint, or the name of a model that is part of the program;
	// empty: the newest run.
	Model string
	// Out is the file; needed.
	Out string
	// Half stores the weights as float16. Numbers are computed in float32 all the same.
	Half bool
	// Sampler writes the whole drawing, from noise and class to image, instead of the network
	// alone.
	Sampler bool
	// Method is how the drawing goes; only with Sampler.
	Method model.Method
}

// ONNX writes a model as a graph of ONNX, which other programs run. Images are [N, C, H, W] float32
// in [-1, 1], N is any number. The graph of a network has the inputs x, t [N], y [N] int64 where it
// takes classes, and for a flow map d [N] and where it takes weights of guidance w [N]. Its output
// is what the network predicts: velocity, noise or data. The graph that draws has the inputs noise
// and y, and the output image. A mistake in the options is a [*pipeline.OptionError].
func ONNX(o ONNXOptions) error {
	if o.Out == "" {
		return option.Errorf("out", nil, "is needed: name a file, such as model.onnx")
	}
	ck, u, err := openUNet(o.Model)
	if err != nil {
		return err
	}
	if regular.Same(ck.Path, o.Out) {
		return option.Errorf("out", o.Out, "it is the model itself: name another file")
	}
	if o.Half && slices.ContainsFunc(u.Model.Params().Values, func(v float32) bool { return !float16.Fits(v) }) {
		return option.Errorf("float16", nil, "a weight is too large for float16, which ends at 65504: leave it out")
	}
	if err := atomicfile.Probe(o.Out); err != nil {
		return err
	}
	e := &onnxExport{options: &o, ck: ck, net: u}
	file, err := e.file()
	if err != nil {
		return err
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error { return file.Write(w) })
}

// openUNet opens the model of a name, or the newest run, to be written in another format.
func openUNet(name string) (*model.Checkpoint, *model.UNet, error) {
	name, err := model.NameOrNewest(name)
	if err != nil {
		return nil, nil, err
	}
	nothing := pipeline.Arithmetic{ISA: kernels.Generic.String()} // is computed
	return model.OpenUNet(name, nothing)
}

// An onnxExport is the writing of one file.
type onnxExport struct {
	options *ONNXOptions
	ck      *model.Checkpoint
	net     *model.UNet
	out     onnx.Model
	unet    *unetGraph
}

// file returns the file's content.
func (e *onnxExport) file() (*onnx.Model, error) {
	meta, err := json.Marshal(e.ck.Meta)
	if err != nil {
		return nil, err
	}
	cfg, err := json.Marshal(e.net.Config())
	if err != nil {
		return nil, err
	}
	e.out = onnx.Model{
		Opset: opset, Producer: "fmimg", Version: pipeline.Version(),
		Metadata: map[string]string{
			"fmimg.config": string(cfg), model.MetaKey: string(meta), "fmimg.model": e.ck.Hash,
			"range": fmt.Sprintf("%v,%v", dataset.PixelMin, dataset.PixelMax), "layout": "NCHW",
		},
	}
	if names := e.ck.Meta.Classes; names != nil {
		text, err := json.Marshal(names)
		if err != nil {
			return nil, err
		}
		e.out.Metadata["classes"] = string(text)
	}
	e.unet = newUNetGraph(&e.out.Graph, e.net.Model, e.options.Half)
	if e.options.Sampler {
		return &e.out, e.sampler()
	}
	e.network()
	return &e.out, nil
}

// images returns the dimensions of images.
func (e *onnxExport) images() []onnx.Dim {
	s := e.ck.Shape()
	return append([]onnx.Dim{{Name: "N"}}, onnx.Sizes(s.Channels, s.Height, s.Width)...)
}

// each are the dimensions of a number for each image.
var each = []onnx.Dim{{Name: "N"}}

// network writes the graph of the network alone.
func (e *onnxExport) network() {
	g, cfg := &e.out.Graph, e.net.Config()
	g.Name = "network"
	x := g.Input("x", onnx.Float32, e.images())
	column := func(name string) onnx.Value {
		return g.Op("Unsqueeze", []onnx.Value{g.Input(name, onnx.Float32, each), g.Ints(1)})
	}
	c := conditions{t: column("t")}
	if cfg.NumClasses > 0 {
		c.class = g.Input("y", onnx.Int64, each)
	}
	if cfg.FlowMap {
		c.jump = column("d")
	}
	if cfg.GuidanceEmbed {
		c.guidance = column("w")
	}
	what := e.predicts()
	g.Output(e.unet.predict(x, c), what, onnx.Float32, e.images())
	e.out.Doc = "The " + what + " that " + model.ModelName(e.ck.Path) + " predicts for states x at times t in [0, 1]."
	e.out.Metadata["predicts"] = what
	if null := e.ck.Labels(); null.Null {
		e.out.Metadata["no_class"] = strconv.Itoa(int(null.NullRow()))
	}
}

// predicts names what the network predicts.
func (e *onnxExport) predicts() string {
	if e.net.Config().FlowMap {
		return "mean_velocity"
	}
	return e.net.Predicts.Objective.String()
}

// sampler writes the graph that draws.
func (e *onnxExport) sampler() error {
	if err := e.options.Method.Validate(); err != nil {
		return err
	}
	plan, method, err := e.ck.Settle(e.ck.Path, e.options.Method)
	if err != nil {
		return err
	}
	steps, err := e.trace(plan, method)
	if err != nil {
		return err
	}
	g := &e.out.Graph
	g.Name = "drawing"
	s := &onnxSampler{onnxExport: e, plan: plan, method: method, terms: []onnx.Value{g.Input("noise", onnx.Float32, e.images())}}
	if e.net.Config().NumClasses > 0 {
		s.class = g.Input("y", onnx.Int64, each)
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
	case m.Guide != nil:
		return nil, option.Errorf("guide", m.GuideName(), "a file of ONNX holds one network: leave it out")
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
	guides := m.Guidance != 1 && !plan.TakesGuidance && e.ck.Labels().Rows() > 0
	acts := func(t float32) bool { return guides && m.Interval.Has(t) }
	return traceSolver(plan.Solver, evaluations, acts, m.GuidanceEvery)
}

// An onnxSampler writes the steps of a drawing.
type onnxSampler struct {
	*onnxExport
	plan   model.Plan
	method model.Method
	class  onnx.Value
	terms  []onnx.Value // of the basis of a trace; empty where a term does not occur
}

// draw appends the evaluations and returns the image.
func (s *onnxSampler) draw(t *trace) onnx.Value {
	for _, e := range t.evaluations {
		x := s.sum(e.state)
		if e.guided {
			s.guided(x, e.t)
			continue
		}
		s.terms = append(s.terms, s.velocity(s.predict(x, e.t, s.class), x, e.t), "")
	}
	return s.sum(t.result)
}

// guided evaluates the network with and without a class together, and adds the velocity and what
// guidance adds to it.
func (s *onnxSampler) guided(x onnx.Value, t float32) {
	g := &s.out.Graph
	first := onnx.Attribute{Name: "axis", Value: 0}
	none := g.Op("Add", []onnx.Value{g.Op("Mul", []onnx.Value{s.class, g.Ints(0)}), g.Ints(int(s.ck.Labels().NullRow()))})
	p := s.predict(g.Op("Concat", []onnx.Value{x, x}, first), t, g.Op("Concat", []onnx.Value{s.class, none}, first))
	parts := g.Ops("Split", 2, []onnx.Value{p}, first, onnx.Attribute{Name: "num_outputs", Value: 2})
	gap := g.Op("Sub", []onnx.Value{parts[0], parts[1]})
	// away + W·(p − away) is p + (W−1)·(p − away)
	led := g.Op("Add", []onnx.Value{parts[0], g.Op("Mul", []onnx.Value{gap, g.Scalar(float32(s.method.Guidance - 1))})})
	plain, v := s.velocity(parts[0], x, t), s.velocity(led, x, t)
	s.terms = append(s.terms, plain, g.Op("Sub", []onnx.Value{v, plain}))
}

// predict evaluates the network at a time that all states share.
func (s *onnxSampler) predict(x onnx.Value, t float32, class onnx.Value) onnx.Value {
	g := &s.out.Graph
	one := func(v float32) onnx.Value { return g.Op("Reshape", []onnx.Value{g.Scalar(v), g.Ints(1, 1)}) }
	c := conditions{t: one(t), class: class}
	if s.plan.Jump != 0 {
		c.jump = one(float32(s.plan.Jump))
	}
	if s.plan.TakesGuidance {
		c.guidance = one(float32(s.method.Guidance))
	}
	return s.unet.predict(x, c)
}

// velocity turns a prediction for states at a time into velocities, as [flow.VelocityWithin] does.
func (s *onnxSampler) velocity(p, x onnx.Value, t float32) onnx.Value {
	predicts := s.plan.Predicts
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

// IsONNX reports whether a path names a file of ONNX.
func IsONNX(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".onnx") }
