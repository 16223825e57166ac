package run

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/pipeline/model"
)

// saveCard writes the run's README.md: what the model is, what it draws, how to use and repeat it.
func (r *Run) saveCard() error {
	return r.Dir.write(CardFile, func(w io.Writer) error { return card.Execute(w, r.cardFacts()) })
}

// CardFacts are the values that the card's template shows.
type CardFacts struct {
	// What the job fills in: a sentence of what the model is and how it was made, the command that
	// goes on, the rows of the table about both, the name and measure of the loss and of the
	// validation loss, the command that makes it again, what else it can draw, and the end of the
	// sentence about the data.
	Intro, Command     string
	Rows               [][2]string
	Loss, Validation   string
	Replay, Use, Close string

	Name, Dir, Preview string
	Options            *Options
	Warmup             int // steps of warm-up that the schedule left
	Params, Steps      int
	Progress           string // behind the number of steps
	Meta               model.Meta
	Curve, Finished    bool
}

func (r *Run) cardFacts() CardFacts {
	m := r.meta()
	c := CardFacts{
		Name: filepath.Base(r.Dir.Path), Dir: quote.Shell(filepath.ToSlash(r.Dir.Path)), Preview: r.latestPreview(),
		Options: r.Opt, Warmup: r.Done.Schedule.Warmup(r.Done.Step, r.Opt.Warmup, r.Opt.Decay),
		Params: r.model.Params().Len(), Steps: r.Done.Step, Meta: m,
		Progress: fmt.Sprintf("in %v", Seconds(r.Done.Seconds).Round(time.Second/10)),
		Curve:    len(r.log.losses) > 0, Finished: r.over(),
	}
	c.Command = string(r.Job.Command())
	r.Job.Card(&c)
	return c
}

// Closing ends the sentence that says where the data is not, with whose it is.
func Closing(data string) string {
	if about := aboutData(data); about != "" {
		return fmt.Sprintf(". %s: %s", data, about)
	}
	return "; its licence is that of your " + data
}

// UseOfClasses says how to draw images of a class.
func UseOfClasses(names []string) string {
	return fmt.Sprintf("It takes a class: `--class 0` draws %s", dataset.Printable(names[0]))
}

// aboutData describes a data set that is known by name, with its licence; "" for another.
func aboutData(name string) string {
	for _, known := range dataset.List() {
		if known.Name == name {
			return known.Description
		}
	}
	return ""
}

// latestPreview returns the name of the preview of the highest step, "" when there is none.
func (r *Run) latestPreview() string {
	found, err := r.Dir.numbered(SamplesDir, ".png")
	if err != nil || len(found) == 0 {
		return ""
	}
	return SamplesDir + "/" + found[len(found)-1]
}

// A commandLine is a command under way.
type commandLine struct{ Text strings.Builder }

func NewCommandLine(format string, args ...any) *commandLine {
	c := &commandLine{}
	fmt.Fprintf(&c.Text, format, args...)
	return c
}

// Add adds a flag whose value is not the usual one.
func (c *commandLine) Add(flag string, value, usual any) {
	if value != usual {
		fmt.Fprintf(&c.Text, " --%s %s", flag, quote.Shell(fmt.Sprint(value)))
	}
}

// AddRun adds the flags about numbers that all runs have.
func (c *commandLine) AddRun(o *Options) {
	d := DefaultOptions()
	fmt.Fprintf(&c.Text, " --batch %d --micro-batch %d --seed %d --isa %s", o.Batch, o.MicroBatch, o.Seed, o.ISA)
	fmt.Fprintf(&c.Text, " --optimizer %s --lr %v", o.Optimizer, o.LR)
	c.Add("warmup", o.Warmup, d.Warmup)
	c.Add("decay", o.Decay, d.Decay)
	c.Add("beta1", o.Beta1, d.Beta1)
	c.Add("beta2", o.Beta2, d.Beta2)
	c.Add("eps", o.Eps, d.Eps)
	c.Add("weight-decay", o.WeightDecay, d.WeightDecay)
	c.Add("clip", o.Clip, d.Clip)
	c.Add("ema", o.EMA, d.EMA)
}

var card = template.Must(template.New("card").Parse(`# {{.Name}}

{{.Intro}} with [fmimg](https://github.com/fmimg/fmimg) {{.Meta.Version}}.
{{if not .Finished}}
**This run has not finished**: these are its weights after step {{.Steps}}. Go on with

    fmimg {{.Command}} --resume --out {{.Dir}}
{{end}}{{if .Preview}}
![samples]({{.Preview}})
{{end}}
Draw new images:

    fmimg generate --model {{.Dir}} --grid 8x8 --out samples.png
{{if .Use}}
{{.Use}}.
{{end}}
| | |
|---|---|
{{range .Rows}}| {{index . 0}} | {{index . 1}} |
{{end}}| trained | {{.Steps}} steps of {{.Options.Batch}} images {{.Progress}} |{{if .Steps}}
| loss | {{printf "%.4f" .Meta.Loss}} ({{.Loss}}, lately) |{{end}}{{if .Meta.Validation}}
| validation loss | {{printf "%.4f" .Meta.Validation}} ({{.Validation}}) |{{end}}
| optimiser | {{.Options.Optimizer}} |
| learning rate | {{.Options.LR}}, {{.Warmup}} steps of warm-up, {{.Options.Decay}} |
| seed | {{.Options.Seed}} |
| instruction set | {{.Options.ISA}} |
| date | {{.Meta.Date.Format "2006-01-02"}} |
{{if .Curve}}
![loss](loss.png)
{{end}}{{if .Finished}}
The same tensors again, byte for byte on the same instruction set:

    {{.Replay}}
{{end}}
` + "`model.safetensors`" + ` holds the averaged weights under the names of PyTorch's state dict. The training data
is not in it{{.Close}}.
`))
