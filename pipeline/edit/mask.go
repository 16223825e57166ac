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

// half returns for each number of an image of a shape whether it stays, where a mask is a half.
func (m Mask) half(s pipeline.Shape) (known []bool, ok bool) {
	inside, ok := map[Mask]func(y, x int) bool{
		LowerHalf: func(y, _ int) bool { return y >= s.Height/2 },
		UpperHalf: func(y, _ int) bool { return y < s.Height/2 },
		LeftHalf:  func(_, x int) bool { return x < s.Width/2 },
		RightHalf: func(_, x int) bool { return x >= s.Width/2 },
	}[m]
	if !ok {
		return nil, false
	}
	drawn := make([]bool, s.Height*s.Width)
	for i := range drawn {
		drawn[i] = inside(i/s.Width, i%s.Width)
	}
	return knownNumbers(s, drawn), true
}

// mask returns for each number of an image whether it stays. A mask by which nothing or everything
// stays is an error.
func (e *editor) mask(name Mask) ([]bool, error) {
	known, ok := name.half(e.Checkpoint.Shape())
	if ok {
		return known, checkKnown(string(name), known)
	}
	if err := checkPicture(string(name), "mask"); err != nil {
		return nil, err
	}
	file, err := dataset.ReadPictureFile(string(name))
	if err != nil {
		return nil, err
	}
	return e.reader.Mask(string(name), file)
}

// knownNumbers returns for each number of an image whether it stays, when drawn says for each pixel
// whether it is drawn anew.
func knownNumbers(s pipeline.Shape, drawn []bool) []bool {
	known := make([]bool, s.Len())
	for i := range known {
		known[i] = !drawn[i/s.Channels]
	}
	return known
}

// checkKnown returns an error for a mask by which nothing or everything stays.
func checkKnown(name string, known []bool) error {
	if !slices.Contains(known, true) {
		return option.Errorf("mask", name, "nothing of the images is kept: all of them is to be drawn anew").
			Cured("invert it, or draw whole images by %v", option.Action{Command: "generate"})
	}
	if !slices.Contains(known, false) {
		return option.Errorf("mask", name, "nothing in it is white, which is what is drawn anew").
			Cured("paint white what is to be drawn")
	}
	return nil
}

// Mask returns for each number of an image, [H, W, C], whether it stays, from the file of a picture
// that is laid over those that were read. name is for messages. A mask by which nothing or
// everything stays is an error.
func (r *Reader) Mask(name string, file []byte) ([]bool, error) {
	s, colours := r.Shape, r.Shape.Channels
	if r.hasAlpha() {
		colours--
	}
	p, err := r.decode(name, file, s.Size(), colours, dataset.Stretch)
	if err != nil {
		return nil, err
	}
	size := pipeline.Size{Width: p.Width, Height: p.Height}
	if err := r.checkProportions(name, size); err != nil {
		return nil, err
	}
	r.noteBits(name, p)
	means := opaqueMask(p.Pixels, colours)
	if highest := dataset.ToByte(slices.Max(p.Pixels)); p.Opaque && highest > 0 && highest < 128 {
		return nil, option.Errorf("mask", name,
			"nothing in it is white, which is what is drawn anew: its brightest sample is %d of 255", highest).
			Cured("paint white what is to be drawn")
	}
	if !p.Opaque {
		if means, err = r.transparentMask(name, file, size); err != nil {
			return nil, err
		}
		colours = 4
	}
	if note := means.note(); note != "" {
		r.note("%s: %s", name, note)
	}
	drawn, err := r.placeMask(name, file, size, colours, means)
	if err != nil {
		return nil, err
	}
	known := knownNumbers(s, drawn)
	return known, checkKnown(name, known)
}

// checkProportions returns an error unless a mask of a size has the proportions of what it is laid
// over: the pictures, or images of a data set.
func (r *Reader) checkProportions(name string, mask pipeline.Size) error {
	if len(r.sizes) == 0 {
		if images := r.Shape.Size(); !sameProportions(mask, images) {
			return option.Errorf("mask", name, "it is %s, and the images are %s: a mask has the proportions of the images",
				mask.Sides(), images.Sides())
		}
	}
	for i, size := range r.sizes {
		if !sameProportions(mask, size) {
			return option.Errorf("mask", name, "it is %s, and %s is %s: a mask has the size or the proportions of the picture",
				mask.Sides(), r.names[i], size.Sides())
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
func (r *Reader) transparentMask(name string, file []byte, size pipeline.Size) (maskMeaning, error) {
	w, h := min(size.Width, analysed), min(size.Height, analysed)
	p, err := r.decode(name, file, pipeline.Size{Width: w, Height: h}, 4, dataset.Stretch)
	if err != nil {
		return maskMeaning{}, err
	}
	means, unclear := meaningOf(p.Pixels, w, h)
	if unclear != "" {
		return means, option.Errorf("mask", name, "%s", unclear).
			Cured("save it without transparency: white is drawn anew, black is kept")
	}
	return means, nil
}

// placeMask reads a mask where the picture lies in the image, and returns for each pixel whether it
// is drawn anew. The borders of a padded picture are kept.
func (r *Reader) placeMask(
	name string, file []byte, size pipeline.Size, channels int, means maskMeaning,
) (drawn []bool, err error) {
	s, fit := r.Shape, cmp.Or(r.Fit, dataset.Crop)
	if len(r.sizes) == 0 {
		fit = dataset.Stretch // it has the proportions of the images
	}
	box, left, top := s.Size(), 0, 0
	if fit == dataset.Pad {
		box, left, top = padded(size, s.Size())
		fit = dataset.Stretch
	}
	p, err := r.decode(name, file, box, channels, fit)
	if err != nil {
		return nil, err
	}
	drawn = make([]bool, s.Height*s.Width)
	for y := range box.Height {
		for x := range box.Width {
			at := (y*box.Width + x) * channels
			drawn[(top+y)*s.Width+left+x] = means.drawn(p.Pixels[at : at+channels])
		}
	}
	return drawn, nil
}

// padded returns the size of a picture that is scaled to lie within a larger one, with the numbers
// of columns and rows that are left of it and above it.
func padded(picture, within pipeline.Size) (box pipeline.Size, left, top int) {
	scale := min(float64(within.Width)/float64(picture.Width), float64(within.Height)/float64(picture.Height))
	box.Width = min(max(int(float64(picture.Width)*scale+0.5), 1), within.Width)
	box.Height = min(max(int(float64(picture.Height)*scale+0.5), 1), within.Height)
	return box, (within.Width - box.Width) / 2, (within.Height - box.Height) / 2
}
