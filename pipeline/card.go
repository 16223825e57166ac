package pipeline

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/quote"
)

// saveCard writes the run's README.md: what the model is, what it draws, how to use and repeat it.
func (r *run) saveCard() error {
	return r.dir.write(cardFile, func(w io.Writer) error { return card.Execute(w, r.cardFacts()) })
}

// cardFacts are the values that the card's template shows.
type cardFacts struct {
	// What the job fills in: a sentence of what the model is and how it was made, the command that goes on, the rows
	// of the table about both, the name and measure of the loss and of the validation loss, the command that makes it
	// again, what else it can draw, and the end of the sentence about the data.
	Intro, Command     string
	Rows               [][2]string
	Loss, Validation   string
	Replay, Use, Close string

	Name, Dir, Preview string
	Options            *RunOptions
	Warmup             int // steps of warm-up that the schedule left
	Params, Steps      int
	Progress           string // behind the number of steps
	Meta               Meta
	Curve, Finished    bool
}

func (r *run) cardFacts() cardFacts {
	m := r.meta()
	c := cardFacts{
		Name: filepath.Base(r.dir.path), Dir: quote.Shell(filepath.ToSlash(r.dir.path)), Preview: r.latestPreview(),
		Options: r.opt, Warmup: r.done.Schedule.warmup(r.done.Step, r.opt.Warmup, r.opt.Decay),
		Params: r.model.Params().Len(), Steps: r.done.Step, Meta: m,
		Progress: fmt.Sprintf("in %v", seconds(r.done.Seconds).Round(time.Second/10)),
		Curve:    len(r.log.losses) > 0, Finished: r.over(),
	}
	c.Command = string(r.job.command())
	r.job.card(&c)
	return c
}

// card implements [job].
func (r *training) card(c *cardFacts) {
	o := &r.options
	of := r.lesson.about(o)
	c.Intro = fmt.Sprintf("An image generator trained on %s %s", r.data.Name(), of.by)
	c.Rows = append(c.Rows, [2]string{"network", fmt.Sprintf("%s %d parameters", o.networkName(), c.Params)})
	if o.Init != "" {
		c.Rows = append(c.Rows, [2]string{"started from", fmt.Sprintf("%s, weights with SHA-256 %s", o.Init, o.InitHash)})
	}
	c.Progress = fmt.Sprintf("(%.3g epochs) %s", float64(c.Meta.Images)/float64(r.data.Len()), c.Progress)
	c.Loss = of.loss
	if of.predicts != "" {
		c.Rows = append(c.Rows, [2]string{"predicts", of.predicts})
	}
	c.Validation = fmt.Sprintf("of %d images that training does not see", heldLen(r.heldOut))
	c.Replay = r.replay()
	if r.lesson.labelled() {
		c.Use = useOfClasses(c.Meta.Classes)
		if o.Network.NullClass {
			c.Use += ", `--guidance 2` draws clearer ones"
		}
	}
	c.Close = closing(o.Data)
}

// closing ends the sentence that says where the data is not, with whose it is.
func closing(data string) string {
	if about := aboutData(data); about != "" {
		return fmt.Sprintf(". %s: %s", data, about)
	}
	return "; its licence is that of your " + data
}

// useOfClasses says how to draw images of a class.
func useOfClasses(names []string) string {
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
func (r *run) latestPreview() string {
	found, err := r.dir.numbered(samplesDir, ".png")
	if err != nil || len(found) == 0 {
		return ""
	}
	return samplesDir + "/" + found[len(found)-1]
}

// replay returns the command that trains the same tensors again.
func (r *training) replay() string {
	o, d := &r.options, DefaultTrainOptions()
	c := newCommandLine("fmimg train --data %s --steps %d --schedule %s", quote.Shell(o.Data), r.done.Schedule.Total(), r.done.Schedule)
	c.add("init", o.Init, d.Init)
	c.add("size", o.Size, d.Size)
	c.add("image-channels", o.ImageChannels, d.ImageChannels)
	if o.Flip {
		c.text.WriteString(" --flip")
	}
	if o.Dequantize {
		c.text.WriteString(" --dequantize")
	}
	c.add("hold-out", o.HoldOut, d.HoldOut)
	if o.Init == "" {
		c.add("preset", o.Preset, d.Preset)
	}
	c.add("heads", o.Heads, d.Heads)
	c.add("norm-groups", o.NormGroups, d.NormGroups)
	c.add("time-scale", o.TimeScale, d.TimeScale)
	c.addRun(&o.RunOptions)
	c.add("path", o.Path, d.Path)
	c.add("objective", o.Objective, d.Objective)
	c.add("loss-weight", o.LossWeight, o.Objective)
	c.add("time-dist", o.TimeDist, d.TimeDist)
	c.add("coupling", o.Coupling, d.Coupling)
	fmt.Fprintf(&c.text, " --conditional %s", o.Conditional)
	if r.lesson.labelled() {
		c.add("label-drop", o.LabelDrop, d.LabelDrop)
	}
	return c.text.String()
}

// A commandLine is a command under way.
type commandLine struct{ text strings.Builder }

func newCommandLine(format string, args ...any) *commandLine {
	c := &commandLine{}
	fmt.Fprintf(&c.text, format, args...)
	return c
}

// add adds a flag whose value is not the usual one.
func (c *commandLine) add(flag string, value, usual any) {
	if value != usual {
		fmt.Fprintf(&c.text, " --%s %s", flag, quote.Shell(fmt.Sprint(value)))
	}
}

// addRun adds the flags about numbers that all runs have.
func (c *commandLine) addRun(o *RunOptions) {
	d := defaultRunOptions()
	fmt.Fprintf(&c.text, " --batch %d --micro-batch %d --seed %d --isa %s", o.Batch, o.MicroBatch, o.Seed, o.ISA)
	fmt.Fprintf(&c.text, " --optimizer %s --lr %v", o.Optimizer, o.LR)
	c.add("warmup", o.Warmup, d.Warmup)
	c.add("decay", o.Decay, d.Decay)
	c.add("beta1", o.Beta1, d.Beta1)
	c.add("beta2", o.Beta2, d.Beta2)
	c.add("eps", o.Eps, d.Eps)
	c.add("weight-decay", o.WeightDecay, d.WeightDecay)
	c.add("clip", o.Clip, d.Clip)
	c.add("ema", o.EMA, d.EMA)
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
