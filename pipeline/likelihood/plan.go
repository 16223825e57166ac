package likelihood

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// openSets opens the data and picks the images of each set.
func (s *scorer) openSets(ctx context.Context) error {
	for _, from := range []struct{ option, name string }{{"data", s.opt.Data}, {"against", s.opt.Against}} {
		if from.name == "" {
			continue
		}
		set, err := s.openSet(ctx, from.name, from.option)
		if err != nil {
			return err
		}
		s.sets = append(s.sets, set)
	}
	return nil
}

// openSet picks images of the data with the given name: the first Count in an order that does not
// depend on the seed. role is the option that names the data.
func (s *scorer) openSet(ctx context.Context, name, role string) (*SetReport, error) {
	request := s.ck.DataRequest(name, role, s.opt.Threads, s.opt.OnEvent)
	request.Recorded = s.recorded && role == "data"
	set, err := request.Open(ctx)
	if err != nil {
		return nil, err
	}
	source := set.Test
	if source == nil {
		source = set.Train
		s.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf(
			"%s has no images that training does not see: those are measured that there are", name)})
	}
	if s.opt.Count > source.Len() {
		return nil, option.Errorf("count",
			s.opt.Count, "%s holds %s", source.Name(), text.Count(source.Len(), "image", "images")).
			Cured("choose %v", option.Setting{Option: "count", Value: strconv.Itoa(source.Len())})
	}
	out := &SetReport{Data: source.Name(), Count: s.opt.Count, source: source}
	order, pixels := dataset.Order(source.Len(), 0, 0), make([]float32, s.ck.Shape().Len())
	for i := range s.opt.Count {
		image := ImageReport{Index: order.At(i)}
		if label := source.Image(image.Index, pixels); label >= 0 {
			image.Label = source.Classes()[label]
		}
		out.Images = append(out.Images, image)
	}
	return out, nil
}

// settleClass decides which density is measured, see [Options].
func (s *scorer) settleClass() error {
	labels, class := s.ck.Labels(), s.opt.Class
	if labels.Rows() == 0 {
		if class != "" {
			return option.Errorf("class", class, "%s takes no class", model.ModelName(s.ck.Path))
		}
		return nil
	}
	labelled := true
	for _, set := range s.sets {
		for i := range set.Images {
			labelled = labelled && slices.Contains(s.ck.Meta.Classes, set.Images[i].Label)
		}
	}
	switch {
	case class == "" && labelled && len(s.sets) == 1:
		class = LabelClass
	case class == "" && labels.Null:
		class = NoClass
	case class == "":
		class = AllClasses
	case class == LabelClass && len(s.sets) > 1:
		return option.Errorf("class", "label", "images of other data have other classes: compare under none or all")
	case class == LabelClass && !labelled:
		return option.Errorf("class", "label", "not every image has a class of the model's: use none or all")
	case class == NoClass && !labels.Null:
		return option.Errorf("class", "none", "%s always needs a class: use label or all", model.ModelName(s.ck.Path))
	}
	s.out.Class = class
	return nil
}

// rows returns the classes under which an image is measured, as rows of the label embedding. The
// weights are logarithms of how much each counts, relative to the mean; nil where all count the
// same.
func (s *scorer) rows(image ImageReport) (rows []int32, weights []float64) {
	switch s.out.Class {
	case "":
		return []int32{-1}, nil
	case NoClass:
		return []int32{s.ck.Labels().NullRow()}, nil
	case LabelClass:
		return []int32{int32(slices.Index(s.ck.Meta.Classes, image.Label))}, nil
	}
	all := s.ck.Meta.RowDraw(s.ck.Labels())
	for _, share := range all.Shares {
		weights = append(weights, math.Log(share*float64(len(all.Rows))))
	}
	return all.Rows, weights
}

// plan lists the tasks.
func (s *scorer) plan() error {
	probes := max(s.method.Probes, 1)
	for _, set := range s.sets {
		for i, image := range set.Images {
			for draw := range s.opt.Samples {
				rows, weights := s.rows(image)
				for k, class := range rows {
					task := scoreTask{set: set, image: i, sample: draw, class: class, logp: make([]float64, probes)}
					if weights != nil {
						task.weight = weights[k]
					}
					s.tasks = append(s.tasks, task)
				}
			}
			if len(s.tasks) > sample.MaxCount {
				return option.Errorf("count", s.opt.Count,
					"too many solutions for one call: at most %d", sample.MaxCount)
			}
		}
	}
	s.perImage = len(s.tasks) / s.images()
	return nil
}
