package convert

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// DiffusersFormat is the name of the format.
const DiffusersFormat = "diffusers"

// DiffusersOptions say which model becomes a folder of diffusers, and how. The zero value of each
// option is its default.
type DiffusersOptions struct {
	// Model is a run folder or a checkpoint, or the name of a model that is part of the program;
	// empty: the newest run.
	Model string
	// Out is the folder, which must be new or empty; needed.
	Out string
	// Half stores the weights as float16.
	Half bool
}

// Diffusers writes a model as a folder that UNet2DModel.from_pretrained of diffusers loads:
// configuration, weights, and a README.md with a program that draws. A network that is not a
// UNet2DModel is an error that lists why. A mistake in the options is a [*pipeline.OptionError].
func Diffusers(o DiffusersOptions) error {
	if o.Out == "" {
		return option.Errorf("out", nil, "is needed: name a folder")
	}
	ck, u, err := openUNet(o.Model)
	if err != nil {
		return err
	}
	cfg := u.Config()
	c, err := diffusers.Of(cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", model.ModelName(ck.Path), err)
	}
	dtype := safetensors.F32
	if o.Half {
		dtype = safetensors.F16
	}
	weights, err := c.Tensors(u.Model, dtype)
	if err != nil {
		return fmt.Errorf("%s: %w", model.ModelName(ck.Path), err)
	}
	c.Training = &diffusers.Training{
		Times: [2]float64{0, cfg.TimeScale}, Path: fmt.Sprint(u.Predicts.Path), Predicts: u.Predicts.Objective.String(),
		Classes: ck.Meta.Classes, NoClass: cfg.NullClass,
	}
	if err := newFolder(o.Out); err != nil {
		return err
	}
	return o.write(c, weights, readme(ck, cfg, c.Training))
}

// newFolder makes a folder. One that holds anything is refused.
func newFolder(path string) error {
	switch entries, err := os.ReadDir(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return option.Errorf("out", path, "it is not a folder: name a new one")
	case len(entries) > 0:
		return option.Errorf("out", path, "the folder is not empty: name a new one")
	}
	return os.MkdirAll(path, 0o755)
}

// write writes the files of the folder. The weights are last, as a folder without them is none.
func (o DiffusersOptions) write(c *diffusers.Config, weights *safetensors.File, readme string) error {
	file := func(name string, content func(io.Writer) error) error {
		return atomicfile.Write(filepath.Join(o.Out, name), content)
	}
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	}
	if err := file(model.DiffusersConfig, text(string(c.JSON()))); err != nil {
		return err
	}
	if err := file("README.md", text(readme)); err != nil {
		return err
	}
	return file(model.DiffusersWeights, func(w io.Writer) error { return safetensors.Write(w, weights) })
}

//go:embed diffusers.md
var readmeText string

var readmeTemplate = template.Must(template.New("readme").Parse(readmeText))

// readme returns the text of README.md.
func readme(ck *model.Checkpoint, cfg unet.Config, t *diffusers.Training) string {
	s := ck.Shape()
	velocity := t.Predicts == flow.PredictVelocity.String()
	v := map[string]any{
		"Name": filepath.Base(ck.Path), "Version": pipeline.Version(), "Predicts": t.Predicts, "Path": t.Path, "Scale": cfg.TimeScale,
		"Shape": fmt.Sprintf("%d, %d, %d", s.Channels, s.Height, s.Width), "Velocity": velocity,
		"Classes": strings.Join(t.Classes, ", "), "HasClasses": cfg.NumClasses > 0, "Rows": cfg.Classes(),
	}
	if cfg.NullClass {
		v["NoClass"] = cfg.Classes()
	}
	switch p := ck.UNet().Predicts.Path.(type) {
	case flow.Linear:
		v["Alpha"], v["Sigma"] = "t", "1 - t"
	case flow.LinearPower:
		v["Alpha"], v["Sigma"] = fmt.Sprintf("t**%v", p.N), fmt.Sprintf("1 - t**%v", p.N)
	case flow.Cosine:
		v["Alpha"], v["Sigma"] = "math.sin(math.pi * t / 2)", "math.cos(math.pi * t / 2)"
	case flow.VariancePreserving:
		added := fmt.Sprintf("(1 - t) * (%v + (1 - t) * %v / 2)", p.BetaMin, p.BetaMax-p.BetaMin)
		v["Alpha"], v["Sigma"] = "math.exp(-"+added+" / 2)", "math.sqrt(-math.expm1(-"+added+"))"
	}
	var b strings.Builder
	if err := readmeTemplate.Execute(&b, v); err != nil {
		panic(err) // the template and its values are ours
	}
	return b.String()
}
