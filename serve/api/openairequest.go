package api

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/serve/draw"
)

// An imageJSON is the body of a request to OpenAI's endpoints for images. Fields that it lacks are
// ignored: they do nothing here.
type imageJSON struct {
	Model             *string `json:"model"`
	Prompt            *string `json:"prompt"`
	N                 *int    `json:"n"`
	Size              *string `json:"size"`
	ResponseFormat    *string `json:"response_format"`
	OutputFormat      *string `json:"output_format"`
	OutputCompression *int    `json:"output_compression"`
	Background        *string `json:"background"`
	Stream            *bool   `json:"stream"`
	PartialImages     *int    `json:"partial_images"`
	methodJSON
	Level *float64 `json:"level"`
	Times *int     `json:"times"`
}

// An order is a request to OpenAI's endpoints, checked.
type order struct {
	draw.Request
	model    draw.Model
	format   format
	stream   bool
	partials int    // states of the way of each image that are sent
	event    string // the first word of the events: image_generation or image_edit
}

// order checks a request against the model that it names.
func (a *API) order(in imageJSON, kind draw.Kind) (*order, error) {
	o := &order{Request: draw.Request{Kind: kind, Model: value(in.Model)}, stream: value(in.Stream), event: "image_generation"}
	if err := o.fill(in); err != nil {
		return nil, err
	}
	var err error
	if o.model, err = a.settle(&o.Request); err != nil {
		return nil, err
	}
	if err := o.checkFormat(in); err != nil {
		return nil, err
	}
	o.format.scale, err = scaleOf(value(in.Size), o.model)
	return o, err
}

// fill takes over what does not depend on the model.
func (o *order) fill(in imageJSON) error {
	s := &o.Sample
	if err := option.First(
		given("n", in.N, 1, maxImages), given("partial-images", in.PartialImages, 0, maxSteps),
		given("output-compression", in.OutputCompression, 0, 100), in.methodJSON.into(s),
	); err != nil {
		return err
	}
	s.Count, s.Class, o.partials = max(value(in.N), 1), value(in.Prompt), value(in.PartialImages)
	return option.Rename(s.Validate(), "count", "n")
}

// checkFormat settles how images are written.
func (o *order) checkFormat(in imageJSON) error {
	if f := value(in.ResponseFormat); f != "" && f != "b64_json" {
		return option.Errorf("response-format", option.Quoted(f),
			"images are in the response itself, and kept at no URL: take b64_json")
	}
	o.format = format{name: "png", quality: 100, scale: 1}
	if f := value(in.OutputFormat); f != "" {
		if err := option.OneOf("output-format", f, formats...); err != nil {
			return err
		}
		o.format.name = f
	}
	if in.OutputCompression != nil {
		o.format.quality = max(*in.OutputCompression, 1)
	}
	alpha := o.model.Shape.Channels%2 == 0
	switch b := value(in.Background); b {
	case "", "auto":
	case "opaque":
		o.format.opaque = true
	case "transparent":
		if !alpha {
			return option.Errorf("background", option.Quoted(b), "%s draws images without transparent pixels", o.model.Name)
		}
		if o.format.name == "jpeg" {
			return option.Errorf("background", option.Quoted(b), "JPEG has no transparent pixels: take output_format png or webp")
		}
	default:
		return option.OneOf("background", b, "auto", "opaque", "transparent")
	}
	return nil
}

// background is what the response says of it.
func (o *order) background() string {
	if o.model.Shape.Channels%2 == 0 && !o.format.opaque && o.format.name != "jpeg" {
		return "transparent"
	}
	return "opaque"
}

// size is the size of the images that are sent, as the response says it.
func (o *order) size() string {
	return fmt.Sprintf("%dx%d", o.model.Shape.Width*o.format.scale, o.model.Shape.Height*o.format.scale)
}

// scaleOf returns how often a size holds the model's.
func scaleOf(size string, m draw.Model) (int, error) {
	if size == "" || size == "auto" {
		return 1, nil
	}
	w, h := m.Shape.Width, m.Shape.Height
	wrong := option.Errorf("size", option.Quoted(size), "%s draws %s", m.Name, m.Shape.Sides()).
		Cured("take that, or a whole multiple of it, such as %dx%d", 10*w, 10*h)
	if !strings.Contains(size, "x") {
		return 0, wrong
	}
	asked, err := pipeline.ParseSize(size)
	if err != nil || asked.Width < w || asked.Width%w != 0 || asked.Height != asked.Width/w*h {
		return 0, wrong
	}
	if asked.Width*asked.Height > maxPixels {
		return 0, option.Errorf("size", option.Quoted(size), "at most %d million pixels are drawn", maxPixels/1_000_000)
	}
	return asked.Width / w, nil
}
