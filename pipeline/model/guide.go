package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline"
)

// GuideFile is the file of a run folder that holds the run's guide, where it keeps one: the
// averaged weights after a share of its steps.
const GuideFile = "guide.safetensors"

// AutoGuide is the name of the guide that the run of a model has kept.
const AutoGuide = "auto"

// NoGuide is the name of no guide, not even of one that a run has kept.
const NoGuide = "none"

// A Guide is a weaker version of a model, trained for less long or smaller: what tells the model
// from it is what the model has learned, and a drawing goes farther that way (Karras et al. 2024,
// "Guiding a Diffusion Model with a Bad Version of Itself"). It needs no classes. Several
// goroutines may use it at once.
type Guide struct {
	Checkpoint *Checkpoint
	net        *UNet
	predicts   Prediction
	// rows has the guide's row for each row of the model; nil where one of the two takes no class.
	rows []int32
	// null is the row of the guide where the model takes no class; -1 where the guide takes none.
	null int32
}

// OpenGuide opens the guide of a model by its name: a file or run folder, [AutoGuide], or a model
// that is part of the program. Of a run folder and of a model of the program it is the guide that
// the run has kept, or else the model. on is as for [Open]. A guide that does not fit to the model
// is an [*option.Error]. The empty name and [NoGuide] are no guide: nil.
func (c *Checkpoint) OpenGuide(name string, on pipeline.Arithmetic) (*Guide, error) {
	if name == "" || name == NoGuide {
		return nil, nil
	}
	ck, err := c.openGuide(name, on)
	if err != nil {
		return nil, err
	}
	return c.GuideBy(ck)
}

// openGuide opens the checkpoint of the guide of a name.
func (c *Checkpoint) openGuide(name string, on pipeline.Arithmetic) (*Checkpoint, error) {
	var file *OpenedFile
	var err error
	if name == AutoGuide {
		file, err = c.keptGuide()
	} else {
		file, err = guideIn(Resolve(name))
	}
	switch {
	case file != nil || err != nil:
	case name == AutoGuide:
		return nil, option.Errorf("guide", name, "%s has kept none: name one, or train with %v", ModelName(c.Path),
			option.Setting{Option: "keep-guide", Value: SuggestedGuideShare})
	default:
		file, err = OpenFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("guide: %w", err)
	}
	ck, err := file.read(on)
	if err != nil {
		return nil, fmt.Errorf("guide: %w", err)
	}
	return ck, nil
}

// keptGuide opens the guide that the run of a model has kept; nil for none.
func (c *Checkpoint) keptGuide() (*OpenedFile, error) {
	switch {
	case c.Embedded:
		return guideIn(c.Path, true)
	case c.Path == "":
		return nil, nil
	}
	return guideIn(filepath.Dir(c.Path), false)
}

// guideIn opens the guide in a run folder, or that of an embedded model; nil for none.
func guideIn(path string, embedded bool) (*OpenedFile, error) {
	if embedded {
		file, err := models.OpenGuide(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return &OpenedFile{file, path + "'s guide", true}, err
	}
	if kept := filepath.Join(path, GuideFile); there(kept) {
		return OpenFile(kept)
	}
	return nil, nil
}

// OpenUsualGuide is [Checkpoint.OpenGuide] for a drawing by a method. Where neither a name nor the
// method says how the drawing is guided, a model with [Checkpoint.UsuallyGuided] takes the guide
// that its run has kept, if that was trained for less long, and for at least 300 steps.
func (c *Checkpoint) OpenUsualGuide(name string, m Method, on pipeline.Arithmetic) (*Guide, error) {
	if name != "" || !c.UsuallyGuided(m) {
		return c.OpenGuide(name, on)
	}
	wrong := func(err error) error {
		return option.Faultf("the guide of the run: %v", err).
			Cured("%v draws without it", option.Setting{Option: "guide", Value: NoGuide})
	}
	kept, err := c.keptGuide()
	if err != nil {
		return nil, wrong(err)
	}
	if kept == nil {
		return nil, nil
	}
	by, err := kept.read(on)
	if err != nil {
		return nil, wrong(err)
	}
	if !c.Outlasts(by) {
		return nil, nil
	}
	g, err := c.GuideBy(by)
	if err != nil {
		return nil, wrong(err)
	}
	return g, nil
}

// UsuallyGuided reports whether a drawing by a method is guided by what the run of the model has
// kept, where there is such a guide: the model was trained with classes and without, its images are
// no larger than those for which a gain was measured, and the method leaves guidance to it, or
// names the share of a guide. docs/quality.md measures the gain.
func (c *Checkpoint) UsuallyGuided(m Method) bool {
	u, ok := c.Network.(*UNet)
	return ok && !u.Config().FlowMap && u.Config().NullClass && c.Shape().Height*c.Shape().Width <= mostGuidedPixels &&
		(m.GuideShare != 0 || m.Guidance == 0 && m.GuidanceEvery == 0 && m.Interval.Whole())
}

// A drawing takes a guide without being told to where the guide has leastGuideSteps and images have
// at most mostGuidedPixels. docs/quality.md measures gains with these, and harm done at 64x64 by a
// guide of 84 steps.
const (
	leastGuideSteps  = 300
	mostGuidedPixels = 32 * 32
)

// Outlasts reports whether the model was trained for more steps than its guide, and the guide for
// enough of them.
func (c *Checkpoint) Outlasts(guide *Checkpoint) bool {
	return c.Meta.Steps > guide.Meta.Steps && guide.Meta.Steps >= leastGuideSteps
}

// SuggestedGuideShare is the share of a run's steps after which a guide is worth keeping. Karras et
// al. 2024 use 1/16 to 1/8.
const SuggestedGuideShare = 0.125

// GuideBy makes another checkpoint the guide of a model. One that does not fit is an
// [*option.Error].
func (c *Checkpoint) GuideBy(by *Checkpoint) (*Guide, error) {
	wrong := func(format string, args ...any) error { return option.Errorf("guide", by.Path, format, args...) }
	net, ok := by.Network.(*UNet)
	u, guided := c.Network.(*UNet)
	switch {
	case !ok:
		return nil, wrong("is a normalizing flow, which has no velocity: name a model that was trained by flow matching")
	case net.Config().FlowMap:
		return nil, wrong("is a flow map, which has no velocity: name the model that it was distilled from, or an earlier one")
	case !guided:
		return nil, wrong("%s is a normalizing flow, which takes no guide: leave it out", ModelName(c.Path))
	case by.Shape() != c.Shape():
		return nil, wrong("draws %s, and %s draws %s: name one of the same shape", describeShape(by.Shape()),
			ModelName(c.Path), describeShape(c.Shape()))
	case by.Hash == c.Hash:
		return nil, wrong("is the model itself, and leads nowhere: name one that was trained for less long, or is smaller")
	case net.Predicts.Path != u.Predicts.Path:
		return nil, wrong("learned the path %v, and %s the path %v: name one of the same path", net.Predicts.Path,
			ModelName(c.Path), u.Predicts.Path)
	}
	g := &Guide{Checkpoint: by, net: net, predicts: net.Predicts, null: -1}
	if err := g.matchClasses(c); err != nil {
		return nil, err
	}
	return g, nil
}

// describeShape says the size and the channels of images.
func describeShape(s pipeline.Shape) string {
	return s.Sides() + " in " + text.Count(s.Channels, "channel", "channels")
}

// matchClasses finds the guide's row for each row of the model. Where both take classes it is that
// of the same name, and all of the model's must be there. A guide that takes none serves any model.
// A model that takes none needs a guide with "no class".
func (g *Guide) matchClasses(c *Checkpoint) error {
	by := g.Checkpoint
	own, labels := by.Labels(), c.Labels()
	wrong := func(format string, args ...any) error { return option.Errorf("guide", by.Path, format, args...) }
	switch {
	case own.Rows() == 0:
		return nil
	case labels.Null && !own.Null:
		return wrong("always needs a class, and %s draws without one too: name one that does", ModelName(c.Path))
	case labels.Rows() == 0 && !own.Null:
		return wrong("always needs a class, and %s takes none: name one that does not", ModelName(c.Path))
	case labels.Rows() == 0:
		g.null = own.NullRow()
		return nil
	}
	named := len(c.Meta.Classes) == labels.Count && len(by.Meta.Classes) == own.Count
	if !named && own.Count != labels.Count {
		return wrong("has %s, and %s has %d: name one with the same", text.Count(own.Count, "class", "classes"),
			ModelName(c.Path), labels.Count)
	}
	same := MatchClasses(c.Meta.Classes, by.Meta.Classes)
	if missing := slices.Index(same, -1); named && missing >= 0 {
		return wrong("does not have the class %s of %s: name one with the same classes",
			QuoteClass(c.Meta.Classes[missing]), ModelName(c.Path))
	}
	for i := range labels.Count {
		row := i
		if named {
			row = same[i]
		}
		g.rows = append(g.rows, int32(row))
	}
	if labels.Null {
		g.rows = append(g.rows, own.NullRow())
	}
	return nil
}

// classes returns the guide's classes for images of the model's classes, which may be in the same
// memory as y. y has room for them.
func (g *Guide) classes(y, model []int32) []int32 {
	switch {
	case g.rows == nil && g.null < 0:
		return nil
	case g.rows == nil:
		for i := range y {
			y[i] = g.null
		}
	default:
		for i, class := range model {
			y[i] = g.rows[class]
		}
	}
	return y
}

// UNet returns the guide's network.
func (g *Guide) UNet() *UNet { return g.net }

// Predicts says what the guide predicts.
func (g *Guide) Predicts() Prediction { return g.predicts }

// Rows returns the guide's row for each row of the model; nil where one of the two takes no class.
// null is then the guide's row of all images, or -1 where the guide takes none.
func (g *Guide) Rows() (rows []int32, null int32) { return slices.Clone(g.rows), g.null }

// newReplica returns a replica of the guide's network for up to n images; nil where there is none.
func (g *Guide) newReplica(n int) Replica {
	if g == nil {
		return nil
	}
	return g.net.NewEvaluator(n, false)
}

// GuideName names the guide in texts for a person; "" where there is none.
func (m Method) GuideName() string {
	if m.Guide == nil {
		return ""
	}
	return m.Guide.Checkpoint.Path
}

// GuideHash is the SHA-256 of the weights of the guide; "" where there is none.
func (m Method) GuideHash() string {
	if m.Guide == nil {
		return ""
	}
	return m.Guide.Checkpoint.Hash
}

// GuidedWithin returns the interval of a settled method for its record: zero where guidance acts
// all the way, or not at all.
func (m Method) GuidedWithin() Interval {
	if m.Guidance == 1 || m.Interval.Whole() {
		return Interval{}
	}
	return m.Interval.orDefault()
}

// DescribeGuidance says in a few words how a settled method guides; "" where it does not.
func (m Method) DescribeGuidance() string {
	return DescribeGuidance(m.Guidance, DescribeGuide(m.GuideName(), m.GuideShare), m.GuidedWithin(), m.GuidanceEvery)
}

// DescribeGuidance is that of a method with a weight, a guide as [DescribeGuide] describes it, a
// recorded interval, which may be zero, and how often guidance is computed, 0 in old records.
// Without guidance the weight is 1, or 0 in a record.
func DescribeGuidance(weight float64, guide string, within Interval, every int) string {
	return OneGuidance(weight).describe(guide, within, every)
}

// DescribeGuide says in a few words what a guide of some name, which may be empty, and some share,
// 0 in old records, leads away from.
func DescribeGuide(name string, share float64) string {
	if name == "" || share == 0 || share == 1 {
		return name
	}
	return fmt.Sprintf("%s (%v) and no class", name, share)
}

// Describe is [Method.DescribeGuidance] for drawings by a method with weights of the range, in
// which guidance is computed for each velocity.
func (r GuidanceRange) Describe(m Method) string {
	return r.describe(DescribeGuide(m.GuideName(), m.GuideShare), m.GuidedWithin(), 1)
}

// describe is DescribeGuidance for the weights of a range.
func (r GuidanceRange) describe(guide string, within Interval, every int) string {
	if r == OneGuidance(0) || r == OneGuidance(1) {
		return ""
	}
	words := fmt.Sprintf("guidance %v", r)
	if guide != "" {
		words += " away from " + guide
	}
	if within != (Interval{}) {
		words += fmt.Sprintf(" for t from %v to %v", within[0], within[1])
	}
	if every > 1 {
		words += fmt.Sprintf(" held for %d velocities", every)
	}
	return words
}
