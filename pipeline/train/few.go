package train

import (
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/models"
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
	// picturesChannels is how many channels the images of [models.Pictures] have.
	picturesChannels = 3
)

// suitFew settles, for the data of a new run, the options that the caller leaves to the data. Few
// pictures are shifted, and training stops when the loss of held-out images turns. Pictures in
// colour start from the weights of the program's model of pictures. Those without labels are
// mirrored: what has classes may have letters, digits or a side. A note says so. Other data has
// none of this.
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
	if o.Network == nil && o.startsFromPictures(s) {
		o.Init = models.Pictures
		add("the weights of the model "+models.Pictures+" are the start", "init", NoInit)
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

// startsFromPictures reports whether few pictures of a shape start from the program's model of
// pictures. A model of that name among the caller's files is another one.
func (o *Options) startsFromPictures(s pipeline.Shape) bool {
	named := slices.Contains(o.Given, "init") || slices.Contains(o.Given, "preset")
	_, embedded := model.Resolve(models.Pictures)
	return o.Init == "" && !named && embedded && o.suitsPictures(s)
}

// suitsPictures reports whether the program's model of pictures has the channels of a shape, and
// the network and the prediction that the options ask for.
func (o *Options) suitsPictures(s pipeline.Shape) bool {
	d := Options{}.WithDefaults()
	return s.Channels == picturesChannels && o.Preset == d.Preset &&
		o.Heads == 0 && o.NormGroups == 0 && o.TimeScale == 0 && o.Objective == d.Objective && o.Path == d.Path
}
