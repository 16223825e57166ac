package edit

import (
	"cmp"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// A Mask is a half of an image, or the path of a picture.
type Mask string

// The halves.
const (
	LowerHalf Mask = "lower"
	UpperHalf Mask = "upper"
	LeftHalf  Mask = "left"
	RightHalf Mask = "right"
)

// mask returns for each number of an image whether it stays. A mask by which nothing or everything
// stays is an error.
func (e *editor) mask(name Mask) ([]bool, error) {
	s := e.ck.Shape()
	inside, half := map[Mask]func(y, x int) bool{
		LowerHalf: func(y, _ int) bool { return y >= s.Height/2 },
		UpperHalf: func(y, _ int) bool { return y < s.Height/2 },
		LeftHalf:  func(_, x int) bool { return x < s.Width/2 },
		RightHalf: func(_, x int) bool { return x >= s.Width/2 },
	}[name]
	drawn := make([]bool, s.Height*s.Width)
	if half {
		for i := range drawn {
			drawn[i] = inside(i/s.Width, i%s.Width)
		}
	} else if err := e.readMask(string(name), drawn); err != nil {
		return nil, err
	}
	if !slices.Contains(drawn, false) {
		return nil, option.Errorf("mask", name, "nothing of the images is kept: all of them is to be drawn anew").
			Cured("invert it, or draw whole images by %v", option.Action{Command: "generate"})
	}
	if !slices.Contains(drawn, true) {
		return nil, option.Errorf("mask", name, "nothing in it is white, which is what is drawn anew").
			Cured("paint white what is to be drawn")
	}
	keep := make([]bool, s.Len())
	for i := range keep {
		keep[i] = !drawn[i/s.Channels]
	}
	return keep, nil
}

// readMask reads a picture, and sets for each pixel of an image whether it is drawn anew.
func (e *editor) readMask(path string, drawn []bool) error {
	if err := checkPicture(path, "mask"); err != nil {
		return err
	}
	s := e.ck.Shape()
	colours := s.Channels
	if e.inputs.HasAlpha() {
		colours--
	}
	p, err := dataset.ReadPicture(path, dataset.PictureOptions{
		Width: s.Width, Height: s.Height, Channels: colours, Fit: dataset.Stretch,
	})
	if err != nil {
		return err
	}
	size := pipeline.Size{Width: p.Width, Height: p.Height}
	if err := e.checkProportions(path, size); err != nil {
		return err
	}
	e.noteBits(path, p)
	means := opaqueMask(p.Pixels, colours)
	if highest := dataset.ToByte(slices.Max(p.Pixels)); p.Opaque && highest > 0 && highest < 128 {
		return option.Errorf("mask", path, "nothing in it is white, which is what is drawn anew: its brightest sample is %d of 255",
			highest).Cured("paint white what is to be drawn")
	}
	if !p.Opaque {
		if means, err = e.transparentMask(path, size); err != nil {
			return err
		}
		colours = 4
	}
	if note := means.note(); note != "" {
		e.note("%s: %s", path, note)
	}
	return e.placeMask(path, size, colours, means, drawn)
}

// checkProportions returns an error unless a mask of a size has the proportions of what it is laid
// over: the input's file, or images of a data set.
func (e *editor) checkProportions(path string, mask pipeline.Size) error {
	if len(e.sizes) == 0 {
		if images := e.ck.Shape().Size(); !sameProportions(mask, images) {
			return option.Errorf("mask", path, "it is %s, and the images are %s: a mask has the proportions of the images",
				mask.Sides(), images.Sides())
		}
	}
	for i, size := range e.sizes {
		if !sameProportions(mask, size) {
			return option.Errorf("mask", path, "it is %s, and %s is %s: a mask has the size or the proportions of the picture",
				mask.Sides(), e.opt.In[i], size.Sides())
		}
	}
	return nil
}

// sameProportions reports whether a picture of one size, scaled to the width or the height of the
// other, has its other side too, but for less than a pixel of the coarser of the two.
func sameProportions(a, b pipeline.Size) bool {
	near := func(aw, ah, bw, bh int) bool {
		w, scaled, want := float64(aw), float64(ah)*float64(bw)/float64(aw), float64(bh)
		return max(scaled-want, want-scaled) < max(1, float64(bw)/w)
	}
	return near(a.Width, a.Height, b.Width, b.Height) && near(a.Height, a.Width, b.Height, b.Width)
}

// analysed bounds the sides of the picture in which the meaning of a mask is looked for.
const analysed = 512

// transparentMask finds what a mask with transparent pixels means, from all of its picture.
func (e *editor) transparentMask(path string, size pipeline.Size) (maskMeaning, error) {
	w, h := min(size.Width, analysed), min(size.Height, analysed)
	p, err := dataset.ReadPicture(path, dataset.PictureOptions{
		Width: w, Height: h, Channels: 4, Fit: dataset.Stretch,
	})
	if err != nil {
		return maskMeaning{}, err
	}
	means, unclear := meaningOf(p.Pixels, w, h)
	if unclear != "" {
		return means, option.Errorf("mask", path, "%s", unclear).
			Cured("save it without transparency: white is drawn anew, black is kept")
	}
	return means, nil
}

// placeMask reads a mask where the input's picture lies in the image, and sets which pixels are
// drawn anew. The borders of a padded picture are kept.
func (e *editor) placeMask(path string, size pipeline.Size, channels int, means maskMeaning, drawn []bool) error {
	s, fit := e.ck.Shape(), cmp.Or(e.fit(), dataset.Crop)
	if len(e.sizes) == 0 {
		fit = dataset.Stretch // it has the proportions of the images
	}
	box, left, top := s.Size(), 0, 0
	if fit == dataset.Pad {
		box, left, top = padded(size, s.Size())
		fit = dataset.Stretch
	}
	p, err := dataset.ReadPicture(path, dataset.PictureOptions{
		Width: box.Width, Height: box.Height, Channels: channels, Fit: fit,
	})
	if err != nil {
		return err
	}
	for y := range box.Height {
		for x := range box.Width {
			at := (y*box.Width + x) * channels
			drawn[(top+y)*s.Width+left+x] = means.drawn(p.Pixels[at : at+channels])
		}
	}
	return nil
}

// padded returns the size of a picture that is scaled to lie within a larger one, with the numbers
// of columns and rows that are left of it and above it.
func padded(picture, within pipeline.Size) (box pipeline.Size, left, top int) {
	scale := min(float64(within.Width)/float64(picture.Width), float64(within.Height)/float64(picture.Height))
	box.Width = min(max(int(float64(picture.Width)*scale+0.5), 1), within.Width)
	box.Height = min(max(int(float64(picture.Height)*scale+0.5), 1), within.Height)
	return box, (within.Width - box.Width) / 2, (within.Height - box.Height) / 2
}
