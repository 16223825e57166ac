package train

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// A labelCount says which classes images have.
type labelCount struct {
	classes        []int // images of each class to train on; nil where the data has no classes
	unlabelled     int   // images to train on without a class
	heldUnlabelled int   // the same of the validation loss
}

// countLabels counts the labels of data. held may be nil.
func countLabels(ctx context.Context, data, held dataset.Source, threads int) (labelCount, error) {
	var c labelCount
	if len(data.Classes()) == 0 {
		c.unlabelled = data.Len()
		return c, nil
	}
	labels, err := feed.Labels(ctx, data, threads)
	if err != nil {
		return c, err
	}
	c.classes = make([]int, len(data.Classes()))
	for _, label := range labels {
		if label < 0 {
			c.unlabelled++
		} else {
			c.classes[label]++
		}
	}
	if held == nil {
		return c, nil
	}
	labels, err = feed.Labels(ctx, held, threads)
	for _, label := range labels {
		if label < 0 {
			c.heldUnlabelled++
		}
	}
	return c, err
}

// largestShare returns the share of the images to train on that are of the most frequent class, or
// have none. It is 1 where nobody counted.
func (c labelCount) largestShare() float64 {
	total, largest := c.unlabelled, c.unlabelled
	for _, n := range c.classes {
		total, largest = total+n, max(largest, n)
	}
	if total == 0 {
		return 1
	}
	return float64(largest) / float64(total)
}

// labelled returns the number of images to train on with a class.
func (c labelCount) labelled() int {
	sum := 0
	for _, n := range c.classes {
		sum += n
	}
	return sum
}

// rows returns the rows of the label embedding that images are trained with.
func (c labelCount) rows(l model.Labels) []int32 {
	return model.Meta{ClassCounts: c.classes, Unlabelled: c.unlabelled}.TrainedRows(l)
}

// notes returns what a person should know of classes that are not trained, and of images without a
// class.
func (c labelCount) notes(names []string) []pipeline.Event {
	var list []pipeline.Event
	var empty []string
	for class, n := range c.classes {
		if n == 0 {
			empty = append(empty, names[class])
		}
	}
	if len(empty) > 0 {
		list = append(list, pipeline.Note("classes without a picture to train on: %s: they cannot be drawn",
			model.FirstNames(empty)))
	}
	if c.unlabelled > 0 {
		list = append(list, pipeline.Note("%d of %s to train on have no class: "+
			"they train %v, which is drawn as often where no class is asked for",
			c.unlabelled, text.Count(c.unlabelled+c.labelled(), "image", "images"),
			option.Setting{Option: "class", Value: model.NoClass}))
	}
	return list
}

// resolveLabels settles whether the network takes classes, and gives it their number.
func (o *Options) resolveLabels(cfg *unet.Config, had labelCount) error {
	classes := len(had.classes)
	if o.Conditional == ConditionalYes && had.labelled() == 0 {
		return option.Errorf("conditional", "yes", "the images of %s have no labels: use auto or no", o.Data)
	}
	if o.Conditional == ConditionalAuto && classes > 0 && had.labelled() == 0 {
		o.Note("no picture of %s to train on has a class: the network learns none", o.Data)
		classes = 0
	}
	if o.Conditional == ConditionalNo || classes == 0 {
		o.Conditional, o.LabelDrop = ConditionalNo, option.None
		cfg.NumClasses, cfg.NullClass = 0, false
		return nil
	}
	if o.LabelDrop < 0 && had.unlabelled+had.heldUnlabelled > 0 {
		return o.undropped(had)
	}
	o.Conditional = ConditionalYes
	cfg.NumClasses, cfg.NullClass = classes, o.LabelDrop > 0
	if cfg.NullClass {
		cfg.NumClasses++
	}
	return nil
}

// undropped refuses a network without "no class" for images that have none.
func (o *Options) undropped(had labelCount) error {
	return option.Errorf("label-drop", 0, "%s have no class, which stands for that: "+
		"give a share above 0, or conditional no", had.unlabelledOf(o.Data))
}

// unlabelledOf says how many images of the data have no class.
func (c labelCount) unlabelledOf(data string) string {
	if c.unlabelled == 0 {
		return fmt.Sprintf("%d held-out images of %s", c.heldUnlabelled, data)
	}
	return fmt.Sprintf("%d of %d images of %s", c.unlabelled, c.unlabelled+c.labelled(), data)
}
