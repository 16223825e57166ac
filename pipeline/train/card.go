package train

import (
	"fmt"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Card implements [run.Job].
func (r *training) Card(c *run.CardFacts) {
	o := &r.options
	of := r.lesson.about(o)
	c.Intro = fmt.Sprintf("An image generator trained on %s %s", r.data.Name(), of.by)
	c.Rows = append(c.Rows, [2]string{"network", fmt.Sprintf("%s %s", o.networkName(), text.Count(c.Params, "parameter", "parameters"))})
	if o.Init != "" {
		start := fmt.Sprintf("%s, weights with SHA-256 %s", o.Init, o.InitHash)
		c.Rows = append(c.Rows, [2]string{"started from", start})
	}
	c.Progress = fmt.Sprintf("(%s) %s", epochs(float64(c.Meta.Images)/float64(r.data.Len())), c.Progress)
	c.Loss = of.loss
	if of.predicts != "" {
		c.Rows = append(c.Rows, [2]string{"predicts", of.predicts})
	}
	c.Validation = fmt.Sprintf("of %s that training does not see", text.Count(heldLen(r.heldOut), "image", "images"))
	c.Replay = r.replay()
	if r.lesson.labelled() {
		c.Use = run.UseOfClasses(c.Meta)
		if o.Network.NullClass {
			c.Use = option.Say("%v, `%v` draws clearer ones", c.Use, option.Setting{Option: "guidance", Value: 2})
		}
	}
	if at := r.Progress.Guide; at > 0 {
		c.Rows = append(c.Rows, [2]string{"guide", fmt.Sprintf("%s: the averages after %s", model.GuideFile, text.Count(at, "step", "steps"))})
	}
	c.Close = run.Closing(o.Data)
}

// epochs counts passes over the data.
func epochs(n float64) string {
	if n == 1 {
		return "1 epoch"
	}
	return fmt.Sprintf("%.3g epochs", n)
}

// replayFew adds what [Options.suitFew] settles. What few pictures have by default is named where a
// run on them does not have it.
func (r *training) replayFew(c *run.Replay) {
	o := &r.options
	few := r.pictures != "" && r.data.Len() <= fewPictures
	switch {
	case o.Flip:
		c.Flag("flip", true)
	case few:
		c.Set("flip", false)
	}
	if few && o.Init == "" && o.suitsPictures(pipeline.ShapeOf(r.data)) {
		c.Set("init", NoInit)
	}
	if few || o.Shift > 0 {
		c.Set("shift", o.Shift)
	}
	if few || o.EarlyStop {
		c.Set("early-stop", false)
	}
	if best := r.Progress.Best; best != nil {
		c.Set("stop-after", best.Step)
	}
}

// replay returns what trains the same tensors again.
func (r *training) replay() option.Action {
	o, d := &r.options, Options{}.WithDefaults()
	var c run.Replay
	c.Set("data", o.Data)
	c.AddBudget(r.Progress.Schedule)
	c.Add("init", o.Init, d.Init)
	c.Add("size", o.Size, d.Size)
	c.Add("fit", o.Fit, d.Fit)
	c.Add("image-channels", o.ImageChannels, d.ImageChannels)
	c.Add("labels", o.Labels, d.Labels)
	r.replayFew(&c)
	c.Flag("dequantize", o.Dequantize)
	c.Add("keep-guide", option.OrNone(o.KeepGuide), o.usualKeepGuide(len(r.data.Classes()) > 0))
	c.Add("hold-out", option.OrNone(o.HoldOut), d.HoldOut)
	if o.Init == "" {
		c.Add("preset", o.Preset, d.Preset)
	}
	c.Add("heads", o.Heads, d.Heads)
	c.Add("norm-groups", o.NormGroups, d.NormGroups)
	c.Add("time-scale", o.TimeScale, d.TimeScale)
	c.AddRun(&o.Options)
	c.Add("path", o.Path, d.Path)
	c.Add("objective", o.Objective, d.Objective)
	c.Add("loss-weight", o.LossWeight, o.Objective)
	anew := *o
	anew.EarlyStop = false // the command names the step at which it stops
	c.Add("time-dist", o.TimeDist, anew.usualTimes())
	c.Add("coupling", o.Coupling, d.Coupling)
	if o.Coupling == OptimalTransport {
		c.Add("paired", o.Paired, r.had.usualPaired())
	}
	c.Set("conditional", o.Conditional)
	if r.lesson.labelled() {
		c.Add("label-drop", option.OrNone(o.LabelDrop), d.LabelDrop)
	}
	return option.Action{Command: string(run.TrainCommand), Settings: c}
}
