package likelihood

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
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

// labelled reports whether all images have classes of the model.
func (s *scorer) labelled() bool {
	for _, set := range s.sets {
		for i := range set.Images {
			if !slices.Contains(s.ck.Meta.Classes, set.Images[i].Label) {
				return false
			}
		}
	}
	return true
}

// plan lists the tasks.
func (s *scorer) plan() error {
	for _, set := range s.sets {
		for _, report := range set.Images {
			image := Image{Index: report.Index, Class: -1}
			if s.class == LabelClass {
				image.Class = int32(slices.Index(s.ck.Meta.Classes, report.Label))
			}
			image.Set = func(x []float32) { set.source.Image(report.Index, x) }
			s.tasks = append(s.tasks, s.Gauge.tasks(image)...)
			if len(s.tasks) > sample.MaxCount {
				return option.Errorf("count", s.opt.Count,
					"too many solutions for one call: at most %d", sample.MaxCount)
			}
		}
	}
	s.perImage = len(s.tasks) / s.images()
	return nil
}
