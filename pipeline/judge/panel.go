package judge

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
)

// A Distance is how far images are from real ones, beside the floor: how far as many real training
// images are. A number that was not measured is nil, and not in the JSON.
type Distance struct {
	Value *float64 `json:"value,omitempty"`
	Floor *float64 `json:"floor,omitempty"`
	// Ratio is Value over Floor: 1 for images like real ones. RatioError is its standard error, by
	// the bootstrap over images: see [metrics.Compare].
	Ratio      *float64 `json:"ratio,omitempty"`
	RatioError *float64 `json:"ratio_error,omitempty"`
}

// A Score is what one judge says of images.
type Score struct {
	Judge   string   `json:"judge"`
	Frechet Distance `json:"frechet"`            // [metrics.Frechet]
	Sliced  Distance `json:"sliced_wasserstein"` // [metrics.SlicedWasserstein]
}

// A Mean is the geometric mean of the judges' ratios, with its standard error. The error knows that
// all judges saw the same images.
type Mean struct {
	Ratio *float64 `json:"ratio,omitempty"`
	Error *float64 `json:"ratio_error,omitempty"`
}

// A Verdict is what all judges of a panel say.
type Verdict struct {
	Count      int     `json:"count"`      // images, and as many real training images as the floor
	References int     `json:"references"` // real images, with which both are compared
	Judges     []Score `json:"judges"`     // in the order of the panel
	// Frechet and Sliced are means over the judges.
	Frechet Mean `json:"frechet"`
	Sliced  Mean `json:"sliced_wasserstein"`
}

// A Sight is what a judge looks at: images, as many others that are the floor, and real images,
// with which both are compared.
type Sight[T any] struct{ Images, Floor, Real T }

// A Panel gathers what judges say. The zero value has heard none.
type Panel struct {
	// Options are those of all comparisons: one seed, so that all judges see the same images drawn
	// again.
	Options metrics.CompareOptions

	verdict         Verdict
	frechet, sliced []metrics.Relative
}

// Hear asks a judge.
func (p *Panel) Hear(ctx context.Context, on *crew.Crew, isa kernels.ISA, j Judge, s Sight[Images]) error {
	var f Sight[metrics.Features]
	for _, part := range []struct {
		from Images
		to   *metrics.Features
	}{{s.Images, &f.Images}, {s.Floor, &f.Floor}, {s.Real, &f.Real}} {
		var err error
		if *part.to, err = j.Features(ctx, on, part.from); err != nil {
			return fmt.Errorf("judge %s: %w", j.Name(), err)
		}
	}
	return p.Add(ctx, on, isa, j.Name(), f)
}

// Add adds what the judge of the given name says, from the features that it found.
func (p *Panel) Add(
	ctx context.Context, on *crew.Crew, isa kernels.ISA, judge string, f Sight[metrics.Features],
) error {
	c, err := metrics.Compare(f.Images, f.Floor, f.Real, p.Options, metrics.Compute{
		ISA: isa, Parallel: func(n int, do func(i int)) error {
			return on.Each(ctx, on.Size(), n, func(_, i int) { do(i) })
		}})
	if err != nil {
		return fmt.Errorf("judge %s: %w", judge, err)
	}
	p.verdict.Count, p.verdict.References = f.Images.N, f.Real.N
	p.verdict.Judges = append(p.verdict.Judges, Score{judge, distanceOf(c.Frechet), distanceOf(c.Sliced)})
	p.frechet, p.sliced = append(p.frechet, c.Frechet), append(p.sliced, c.Sliced)
	return nil
}

// Verdict returns what the judges say so far, nil before the first one.
func (p *Panel) Verdict() *Verdict {
	if len(p.verdict.Judges) == 0 {
		return nil
	}
	v := p.verdict
	v.Frechet, v.Sliced = meanOf(p.frechet), meanOf(p.sliced)
	return &v
}

func distanceOf(r metrics.Relative) Distance {
	return Distance{
		Value: metrics.Measured(r.Value), Floor: metrics.Measured(r.Floor),
		Ratio: metrics.Measured(r.Ratio), RatioError: metrics.Measured(r.RatioError),
	}
}

func meanOf(r []metrics.Relative) Mean {
	ratio, standardError := metrics.GeometricMean(r)
	return Mean{metrics.Measured(ratio), metrics.Measured(standardError)}
}
