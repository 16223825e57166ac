package api

import (
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// usualCount returns how many images a kind of request draws unless it says so: those of the
// command.
func usualCount(kind draw.Kind) int {
	switch kind {
	case draw.Vary:
		return edit.VaryOptions{}.WithDefaults().Count
	case draw.Interpolate:
		return edit.InterpolateOptions{}.WithDefaults().Count
	case draw.Inpaint:
		return edit.InpaintOptions{}.WithDefaults().Count
	default:
		return 1
	}
}

// defaultLevel is how far variations go towards noise unless the request says so.
const defaultLevel = 0.5

// editFields returns the level of variations and the times of inpainting, with their defaults. A
// field that does nothing for the kind is refused.
func editFields(kind draw.Kind, level *float64, times *int) (float64, int, error) {
	switch {
	case level != nil && kind != draw.Vary:
		return 0, 0, option.Errorf("level", *level, "only variations have a level: leave it out")
	case times != nil && kind != draw.Inpaint:
		return 0, 0, option.Errorf("times", *times, "only inpainting takes steps again: leave it out")
	case level != nil && !(*level > 0 && *level <= 1):
		return 0, 0, option.Errorf("level", *level, "a number above 0 and up to 1 is needed")
	}
	if err := given("times", times, 1, 1000); err != nil {
		return 0, 0, err
	}
	switch kind {
	case draw.Vary:
		if level == nil {
			return defaultLevel, 0, nil
		}
		return *level, 0, nil
	case draw.Inpaint:
		if times == nil {
			return 0, edit.InpaintOptions{}.WithDefaults().Times, nil
		}
		return 0, *times, nil
	}
	return 0, 0, nil
}

// fits checks that the pictures that came with a request are those that its kind takes.
func (in *jobRequest) fits(kind draw.Kind) error {
	n, made, count := len(in.Images), max(len(in.Images), 1), usualCount(kind)
	if kind == draw.Interpolate {
		made = n / 2
	}
	if in.Count != nil {
		count = *in.Count
	}
	switch {
	case kind == draw.Generate && n > 0:
		return problem.BadField("images", ": kind generate takes none: take vary, interpolate, inpaint or likelihood")
	case kind != draw.Generate && n == 0:
		return problem.BadField("images", ": kind %s needs pictures, each the base64 of a file", kind)
	case kind == draw.Interpolate && n%2 != 0:
		return problem.BadField("images", ": %d pictures: interpolate takes pairs of them", n)
	case n > maxInputs:
		return problem.BadField("images", ": %d pictures: at most %d are taken", n, maxInputs)
	case kind == draw.Inpaint && in.Mask == nil:
		return problem.BadField("mask", ": inpaint needs the base64 of a picture that is white where it draws")
	case kind != draw.Inpaint && in.Mask != nil:
		return problem.BadField("mask", ": only inpaint has one: leave it out")
	case kind == draw.Likelihood && in.Count != nil:
		return option.Errorf("count", *in.Count, "a likelihood is one number for each picture: leave it out")
	case made*count > maxImages && kind != draw.Likelihood:
		return option.Errorf("count", count,
			"%d pictures make more than %d images: take fewer of either", n, maxImages)
	}
	return nil
}

// pictures decodes the pictures that came with a request.
func (in *jobRequest) pictures() (images [][]byte, mask []byte, err error) {
	for _, text := range in.Images {
		file, err := decodePicture("images", text)
		if err != nil {
			return nil, nil, err
		}
		images = append(images, file)
	}
	if in.Mask != nil {
		mask, err = decodePicture("mask", *in.Mask)
	}
	return images, mask, err
}
