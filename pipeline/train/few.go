package train

import (
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

const (
	// fewPictures is the largest number of pictures to train on that are few: a network learns them
	// by heart within minutes, unless training varies them and stops in time.
	fewPictures = 500
	// shiftShare is the part of the shorter side by which few pictures are shifted at most.
	shiftShare = 16
	// leastHeld is the least number of held-out pictures whose loss says when to stop.
	leastHeld = 3
)

// suitFew settles, for the data of a new run, the options that the caller leaves to the data. Few
// pictures are shifted, training stops when the loss of held-out images turns, and pictures in
// colour without labels are mirrored: what has classes may have letters, digits or a side. A note
// says so. Other data has none of this.
func (o *Options) suitFew(set *dataset.Set) {
	if o.Resume {
		return
	}
	few := set.Sizes != nil && set.Train.Len() <= fewPictures && o.Objective != model.FlowObjective
	if !few {
		o.Shift = option.OrNone(o.Shift)
		return
	}
	given := func(name string) bool { return slices.Contains(o.Given, name) }
	s := pipeline.ShapeOf(set.Train)
	var does []option.Message
	add := func(what, name string, value any) {
		does = append(does, option.Say("%s (%v undoes it)", what, option.Setting{Option: name, Value: value}))
	}
	bare := len(set.Train.Classes()) == 0 || set.Clusters != nil
	if bare && s.Channels >= 3 && !given("flip") && !o.Flip {
		o.Flip = true
		add("every second one is mirrored", "flip", false)
	}
	if o.Shift == 0 {
		o.Shift = max(min(s.Height, s.Width)/shiftShare, 1)
		add("each is shifted by up to "+text.Count(o.Shift, "pixel", "pixels"), "shift", 0)
	}
	o.Shift = option.OrNone(o.Shift)
	if set.Test != nil && set.Test.Len() >= leastHeld && o.ValidateEvery >= 0 && !given("early-stop") && !o.EarlyStop {
		o.EarlyStop = true
		add("training stops when the loss of those held out turns", "early-stop", false)
	}
	if len(does) == 0 {
		return
	}
	all := does[0]
	for _, next := range does[1:] {
		all = option.Say("%v, %v", all, next)
	}
	set.Notes = append(set.Notes, option.Say("%s to train on are few: %v",
		text.Count(set.Train.Len(), "picture", "pictures"), all))
}
