package evaluate

import (
	"runtime"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which generated images to measure, and against which real ones. The zero value of
// each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint whose images are drawn; empty: the newest run under
	// runs/, else mnist, which is part of the program.
	Model string
	// Guide names a guide of the model as [model.Checkpoint.OpenGuide] takes it; empty: that of
	// Sample, else that of [model.Checkpoint.OpenUsualGuide].
	Guide string
	// Images come from anywhere instead of a model: a folder or .zip of pictures, a .npy file, IDX
	// files.
	Images string
	// Classes are those that Images were asked for in turn, such as 0-9; empty: the names of their
	// folders, if any.
	Classes string

	// Data names the real images; empty: what the model was trained on, mnist for Images.
	Data string
	// Fit says how pictures come to the proportions that the judges take; empty: what the model
	// was trained on, else crop.
	Fit dataset.Fit
	// Size and ImageChannels are the shape in which Images and the data are compared, where neither
	// a classifier nor a judge of digits says it; zero and empty: that of the data, as training
	// takes it by default.
	Size          pipeline.Size
	ImageChannels feed.Channels
	// Classifiers are files of networks whose features are compared. The first one also finds
	// classes. None: those of MNIST's digits, which are part of the program; for other data only
	// judges that need no labels.
	Classifiers []string
	// Judges are the names of the judges that look, the one first whose features FID and the other
	// scores are of; none: all that suit the data. They are classifier, pooled, self-supervised and
	// random for digits, the names of the classifiers' files and random where files are given, and
	// else self-supervised and random.
	Judges []string
	// Kept asks the judge that is kept for final figures, too. Settings that were chosen by it
	// have no independent judge any more.
	Kept bool
	// JudgeFile keeps the judge that data without labels trains, so that later evaluations are
	// quick and meet the same judge; empty: in the run folder of Model, if it is one, as
	// judge.safetensors.
	JudgeFile string
	// JudgeSteps is the number of steps that train that judge; 0: as many as take one to two
	// minutes of two cores.
	JudgeSteps int
	// Count is the number of images to draw, or to take of Images; 0: 10000, and all of Images.
	// Where no classifier suits the images, a model draws no more than there are training images,
	// but 500.
	Count int
	// NFE are numbers of evaluations, for the curve of FID against them. It costs as many more
	// drawings.
	NFE []int
	// Quick measures only FID and the classes, by the first judge, which takes seconds. The other
	// judges look if they are named.
	Quick bool

	// Sample says how images are drawn. Its Count is that of the options, its Threads are those of
	// the whole evaluation.
	Sample sample.Options
	// Arithmetic is that of the model. Scores are computed in float32, so that they compare.
	pipeline.Arithmetic
	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// defaultEvaluated is the default of Count for a model.
const defaultEvaluated = 10000

// mostJudgeSteps bounds JudgeSteps.
const mostJudgeSteps = 1 << 20

// minEvaluated is the least number of images that a score means something for. Features have 64
// numbers.
const minEvaluated = 100

// WithDefaults fills in what has one default. The method is up to the network.
func (o Options) WithDefaults() Options {
	if o.Images == "" {
		option.SetDefault(&o.Count, defaultEvaluated)
	}
	o.Sample.Count = o.Count
	option.SetDefault(&o.Sample.Threads, runtime.GOMAXPROCS(0))
	if o.Sample.Ranks == nil {
		o.Sample.Ranks = cluster.Alone()
	}
	if o.Sample.Ranks.Rank() > 0 {
		o.OnEvent = nil
	}
	return o
}

// validate reports the first option that cannot be used.
func (o *Options) validate() error {
	if o.Images != "" && o.Model != "" {
		return option.Errorf("images", o.Images,
			"images are drawn by a model or come from elsewhere: give one of the two")
	}
	if o.Images != "" && len(o.NFE) > 0 {
		return option.Errorf("evaluations", o.NFE, "a curve needs a model that draws: leave images out")
	}
	if o.Classes != "" && o.Images == "" {
		return option.Errorf("classes", o.Classes, "they go with images; a model is asked for classes by class")
	}
	if o.Count != 0 {
		if err := option.Between("count", o.Count, minEvaluated, sample.MaxCount); err != nil {
			return err
		}
	}
	if err := option.Optional("judge-steps", o.JudgeSteps, 1, mostJudgeSteps); err != nil {
		return err
	}
	if err := o.validateShape(); err != nil {
		return err
	}
	if err := o.Sample.Validate(); err != nil {
		return err
	}
	return o.Arithmetic.Validate()
}

// validateShape reports the first option on the shape of images that cannot be used.
func (o *Options) validateShape() error {
	if o.Fit != "" {
		if err := feed.ValidateFit(o.Fit); err != nil {
			return err
		}
	}
	if o.ImageChannels != "" {
		if err := option.OneOf("image-channels", o.ImageChannels, feed.ChannelNames()...); err != nil {
			return err
		}
	}
	return o.Size.Validate()
}
