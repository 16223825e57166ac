package convert

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/float16"
	"github.com/fmimg/fmimg/internal/onnx"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/kernels"
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
	// Method is how the drawing goes; only with Sampler. Its guide is that of Guide.
	Method model.Method
	// Guide names a guide of the drawing as [model.Checkpoint.OpenUsualGuide] takes it; only with
	// Sampler. The file holds the guide's network too.
	Guide string
}

// ONNX writes a model as a graph of ONNX, which other programs run. Images are [N, C, H, W] float32
// in [-1, 1], N is any number. The graph of a network has the inputs x, t [N], y [N] int64 where it
// takes classes, and for a flow map d [N] and where it takes weights of guidance w [N]. Its output
// is what the network predicts: velocity, noise or data. The graph that draws has the inputs noise
// and y, and the output image. The method that is returned is settled, and says how it draws; it is
// zero for a network. A mistake in the options is a [*pipeline.OptionError].
func ONNX(o ONNXOptions) (model.Method, error) {
	if o.Out == "" {
		return model.Method{}, option.Errorf("out", nil, "is needed: name a file, such as model.onnx")
	}
	ck, u, err := openUNet(o.Model)
	if err != nil {
		return model.Method{}, err
	}
	if regular.Same(ck.Path, o.Out) {
		return model.Method{}, option.Errorf("out", o.Out, "it is the model itself: name another file")
	}
	e := &onnxExport{options: &o, ck: ck, net: u}
	if err := e.checkHalf(u); err != nil {
		return model.Method{}, err
	}
	if err := atomicfile.Probe(o.Out); err != nil {
		return model.Method{}, err
	}
	file, err := e.file()
	if err != nil {
		return model.Method{}, err
	}
	return e.method, atomicfile.Write(o.Out, func(w io.Writer) error { return file.Write(w) })
}

// openUNet opens the model of a name, or the newest run, to be written in another format.
func openUNet(name string) (*model.Checkpoint, *model.UNet, error) {
	name, err := model.NameOrNewest(name)
	if err != nil {
		return nil, nil, err
	}
	return model.OpenUNet(name, nothingComputed)
}

// nothingComputed is the arithmetic of models that are written in another format.
var nothingComputed = pipeline.Arithmetic{ISA: kernels.Generic.String()}

// An onnxExport is the writing of one file.
type onnxExport struct {
	options *ONNXOptions
	ck      *model.Checkpoint
	net     *model.UNet
	out     onnx.Model
	unet    *unetGraph
	method  model.Method // settled, of a drawing
}

// checkHalf checks that float16 holds the weights of a network, where they are to be stored so.
func (e *onnxExport) checkHalf(u *model.UNet) error {
	if e.options.Half && slices.ContainsFunc(u.Model.Params().Values, func(v float32) bool { return !float16.Fits(v) }) {
		return option.Errorf("float16", nil, "a weight is too large for float16, which ends at 65504: leave it out")
	}
	return nil
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
	e.unet = newUNetGraph(&e.out.Graph, "", e.net.Model, e.options.Half)
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

// IsONNX reports whether a path names a file of ONNX.
func IsONNX(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".onnx") }
