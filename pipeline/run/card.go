package run

import (
	"fmt"
	"io"
	"path/filepath"
	"text/template"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
)

// saveCard writes the run's README.md: what the model is, what it draws, how to use and repeat it.
func (r *Run) saveCard() error {
	return r.Dir.write(CardFile, func(w io.Writer) error { return card.Execute(w, r.cardFacts()) })
}

// CardFacts are the values that the card's template shows.
type CardFacts struct {
	// The job fills in these.
	Intro            string           // a sentence: what the model is, and how it was made
	Rows             [][2]string      // of the table about the model and its making
	Loss, Validation string           // the names of the two losses, with their measure
	Replay           pipeline.Action  // trains the same tensors again
	Use              pipeline.Message // what else the model can draw
	Close            string           // the end of the last sentence, which is about the data

	// The run fills in these.
	Name, Preview   string
	Options         *Options
	Warmup          int // steps of warm-up that the schedule left
	Params, Steps   int
	Progress        string // behind the number of steps
	Meta            model.Meta
	Curve, Finished bool
	GoOn, Draw      pipeline.Action // goes on with the run; draws images

	words pipeline.Words // nil: names of options, and no commands
}

// Commands reports whether the card shows commands. A library has none.
func (c CardFacts) Commands() bool { return c.words != nil }

// Took says how long the training was.
func (c CardFacts) Took() string {
	return text.Count(c.Steps, "step", "steps") + " of " + text.Count(c.Options.Batch, "image", "images")
}

// WarmUp says how long the warm-up was.
func (c CardFacts) WarmUp() string { return text.Count(c.Warmup, "step", "steps") }

// Say returns a message or an action as the card shows it.
func (c CardFacts) Say(what any) string {
	words := c.words
	if words == nil {
		words = option.Plain
	}
	return option.Say("%v", what).In(words)
}

// Repeats returns what makes the same tensors again: a command, or the options alone.
func (c CardFacts) Repeats() string {
	if c.Commands() {
		return c.Say(c.Replay)
	}
	return c.Say(pipeline.Action{Settings: c.Replay.Settings})
}

// cardFacts returns the facts for the card's template.
func (r *Run) cardFacts() CardFacts {
	o, p, m := r.Settings, &r.Progress, r.modelMeta()
	c := CardFacts{
		Name: filepath.Base(r.Dir.Path), Preview: r.latestPreview(),
		Options: o, Warmup: p.Schedule.Warmup(p.Step, option.OrNone(o.Warmup), o.Decay),
		Params: r.model.Params().Len(), Steps: p.Step, Meta: m,
		Progress: fmt.Sprintf("in %v", Seconds(p.Seconds).Round(time.Second/10)),
		Curve:    len(r.log.losses) > 0, Finished: r.over(),
		GoOn: goOn(r.Job.Command(), r.Dir.Path), words: r.Settings.Words,
	}
	c.Draw = pipeline.Action{Command: "generate", Settings: []pipeline.Setting{
		pathSetting("model", r.Dir.Path), {Option: "grid", Value: "8x8"}, {Option: "out", Value: "samples.png"},
	}}
	r.Job.Card(&c)
	if b := p.Best; b != nil {
		c.Rows = append(c.Rows, [2]string{"weights", fmt.Sprintf("of step %d, where the validation loss was the least", b.Step)})
	}
	return c
}

// Closing ends the sentence that the data is not in the model, with the licence of the data.
func Closing(data string) string {
	if about := aboutData(data); about != "" {
		return fmt.Sprintf(". %s: %s", data, about)
	}
	return "; its licence is that of your " + data
}

// UseOfClasses says how to draw images of a class, the first one that had images to train on.
func UseOfClasses(m model.Meta) pipeline.Message {
	asked, name := model.NoClass, "images of no class"
	trained := m.TrainedRows(model.Labels{Count: len(m.Classes)})
	if len(trained) > 0 {
		asked, name = m.SpellClass(int(trained[0])), model.QuoteClass(m.Classes[trained[0]])
	}
	return option.Say("It takes a class: `%v` draws %s", pipeline.Setting{Option: "class", Value: asked}, name)
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

// latestPreview returns the name of the preview of the highest step; "" without a preview.
func (r *Run) latestPreview() string {
	found, err := r.Dir.numbered(SamplesDir, ".png")
	if err != nil || len(found) == 0 {
		return ""
	}
	return SamplesDir + "/" + found[len(found)-1]
}

// A Replay lists the settings that a run is repeated with.
type Replay []pipeline.Setting

// Set adds a setting.
func (r *Replay) Set(name string, value any) {
	*r = append(*r, pipeline.Setting{Option: name, Value: value})
}

// Add adds a setting whose value is not the usual one.
func (r *Replay) Add(name string, value, usual any) {
	if value != usual {
		r.Set(name, value)
	}
}

// Flag adds an option without a value, where it is on.
func (r *Replay) Flag(name string, on bool) {
	if on {
		r.Set(name, nil)
	}
}

// AddBudget adds the steps that a run took, and how it came to them.
func (r *Replay) AddBudget(s engine.RateSchedule) {
	r.Set("steps", s.Total())
	r.Set("schedule", s)
}

// AddRun adds the settings of all runs that numbers depend on.
func (r *Replay) AddRun(o *Options) {
	d := Options{}.WithDefaults()
	r.Set("batch", o.Batch)
	r.Set("micro-batch", o.MicroBatch)
	r.Set("seed", o.Seed)
	r.Set("isa", o.ISA)
	r.Set("precision", o.Precision)
	r.Set("optimizer", o.Optimizer)
	r.Set("lr", o.LR)
	r.Add("warmup", option.OrNone(o.Warmup), d.Warmup)
	r.Add("decay", o.Decay, d.Decay)
	r.Add("beta1", option.OrNone(o.Beta1), d.Beta1)
	r.Add("beta2", option.OrNone(o.Beta2), d.Beta2)
	r.Add("eps", o.Eps, d.Eps)
	r.Add("weight-decay", option.OrNone(o.WeightDecay), d.WeightDecay)
	r.Add("clip", option.OrNone(o.Clip), d.Clip)
	r.Add("ema", option.OrNone(o.EMA), d.EMA)
}

var card = template.Must(template.New("card").Parse(`# {{.Name}}

{{.Intro}} with [fmimg](https://github.com/fmimg/fmimg) {{.Meta.Version}}.
{{if not .Finished}}
**This run has not finished**: these are its weights after step {{.Steps}}. Go on with{{if .Commands}}

    {{.Say .GoOn}}
{{else}} option resume.
{{end}}{{end}}{{if .Preview}}
![samples]({{.Preview}})
{{end}}{{if .Commands}}
Draw new images:

    {{.Say .Draw}}
{{end}}{{with $.Say .Use}}
{{.}}.
{{end}}
| | |
|---|---|
{{range .Rows}}| {{index . 0}} | {{index . 1}} |
{{end}}| trained | {{.Took}} {{.Progress}} |{{if .Steps}}
| loss | {{printf "%.4f" .Meta.Loss}} ({{.Loss}}, lately) |{{end}}{{if .Meta.Validation}}
| validation loss | {{printf "%.4f" .Meta.Validation}} ({{.Validation}}) |{{end}}
| optimiser | {{.Options.Optimizer}} |
| learning rate | {{.Options.LR}}, {{.WarmUp}} of warm-up, {{.Options.Decay}} |
| seed | {{.Options.Seed}} |
| instruction set | {{.Options.ISA}} |
| precision | {{.Options.Precision}} |
| date | {{.Meta.Date.Format "2006-01-02"}} |
{{if .Curve}}
![loss](loss.png)
{{end}}{{if .Finished}}
The same tensors again, byte for byte on the same instruction set:

    {{.Repeats}}
{{end}}
` + "`model.safetensors`" + ` holds the averaged weights under the names of PyTorch's state dict. The training data
is not in it{{.Close}}.
`))
