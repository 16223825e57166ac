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
	Name, Data, About, Dir, Model, Preview string
	Network                                string
	Warmup                                 int // steps of warm-up that the schedule left
	Options                                TrainOptions
	Meta                                   Meta
	Params, Steps, Held                    int
	Epochs                                 float64
	Time                                   time.Duration
	Curve, Finished, Conditional           bool
	Replay                                 string
	Class                                  string // the name of class 0
}

func (r *run) cardFacts() cardFacts {
	m := r.meta()
	class := ""
	if len(m.Classes) > 0 {
		class = dataset.Printable(m.Classes[0])
	}
	return cardFacts{
		Class: class,
		Name:  filepath.Base(r.dir.path), Data: r.data.Name(), About: aboutData(r.opt.Data),
		Dir: quote.Shell(filepath.ToSlash(r.dir.path)), Model: modelFile, Preview: r.latestPreview(),
		Network: r.opt.networkName(), Warmup: r.done.Schedule.warmup(r.done.Step, r.opt.Warmup, r.opt.Decay),
		Options: r.opt, Meta: m, Params: r.model.Params().Len(), Steps: r.done.Step, Held: heldLen(r.held),
		Epochs: float64(m.Images) / float64(r.data.Len()), Time: seconds(r.done.Seconds).Round(time.Second / 10),
		Curve: len(r.log.losses) > 0, Finished: r.over(), Conditional: r.match.labels,
		Replay: r.replay(),
	}
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
func (r *run) replay() string {
	o, d := &r.opt, DefaultTrainOptions()
	var b strings.Builder
	fmt.Fprintf(&b, "fmimg train --data %s --steps %d --schedule %s", quote.Shell(o.Data), r.done.Schedule.Total(), r.done.Schedule)
	add := func(flag string, value, usual any) {
		if value != usual {
			fmt.Fprintf(&b, " --%s %s", flag, quote.Shell(fmt.Sprint(value)))
		}
	}
	add("init", o.Init, d.Init)
	add("size", o.Size, d.Size)
	add("image-channels", o.ImageChannels, d.ImageChannels)
	if o.Flip {
		b.WriteString(" --flip")
	}
	if o.Dequantize {
		b.WriteString(" --dequantize")
	}
	add("hold-out", o.HoldOut, d.HoldOut)
	if o.Init == "" {
		add("preset", o.Preset, d.Preset)
	}
	add("heads", o.Heads, d.Heads)
	add("norm-groups", o.NormGroups, d.NormGroups)
	add("time-scale", o.TimeScale, d.TimeScale)
	fmt.Fprintf(&b, " --batch %d --micro-batch %d --seed %d --isa %s", o.Batch, o.MicroBatch, o.Seed, o.ISA)
	fmt.Fprintf(&b, " --optimizer %s --lr %v", o.Optimizer, o.LR)
	add("warmup", o.Warmup, d.Warmup)
	add("decay", o.Decay, d.Decay)
	add("beta1", o.Beta1, d.Beta1)
	add("beta2", o.Beta2, d.Beta2)
	add("eps", o.Eps, d.Eps)
	add("weight-decay", o.WeightDecay, d.WeightDecay)
	add("clip", o.Clip, d.Clip)
	add("ema", o.EMA, d.EMA)
	add("time-dist", o.TimeDist, d.TimeDist)
	add("coupling", o.Coupling, Independent)
	fmt.Fprintf(&b, " --conditional %s", o.Conditional)
	if r.match.labels {
		add("label-drop", o.LabelDrop, d.LabelDrop)
	}
	return b.String()
}

var card = template.Must(template.New("card").Parse(`# {{.Name}}

An image generator trained on {{.Data}} by flow matching, with [fmimg](https://github.com/fmimg/fmimg) {{.Meta.Version}}.
{{if not .Finished}}
**This run has not finished**: these are its weights after step {{.Steps}}. Go on with

    fmimg train --resume --out {{.Dir}}
{{end}}{{if .Preview}}
![samples]({{.Preview}})
{{end}}
Draw new images:

    fmimg generate --model {{.Dir}} --grid 8x8 --out samples.png
{{if .Conditional}}
It takes a class: ` + "`--class 0`" + ` draws {{.Class}}{{if .Options.Network.NullClass}}, ` + "`--guidance 2`" + ` draws clearer ones{{end}}.
{{end}}
| | |
|---|---|
| network | {{.Network}} {{.Params}} parameters |{{if .Options.Init}}
| started from | {{.Options.Init}}, weights with SHA-256 {{.Options.InitHash}} |{{end}}
| trained | {{.Steps}} steps of {{.Options.Batch}} images ({{printf "%.3g" .Epochs}} epochs) in {{.Time}} |{{if .Steps}}
| loss | {{printf "%.4f" .Meta.Loss}} (mean squared error of the velocity, lately) |{{end}}{{if .Meta.Validation}}
| validation loss | {{printf "%.4f" .Meta.Validation}} (of {{.Held}} images that training does not see) |{{end}}
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
is not in it{{if .About}}. {{.Options.Data}}: {{.About}}{{else}}; its licence is that of your {{.Options.Data}}{{end}}.
`))
