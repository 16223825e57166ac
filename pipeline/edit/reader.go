package edit

import (
	"cmp"
	"path/filepath"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// A Reader brings pictures to the shape of a model's images, and a mask to the pixels of these.
type Reader struct {
	// Shape is that of the model's images.
	Shape pipeline.Shape
	// Fit says how pictures come to the proportions of the images; empty: crop.
	Fit dataset.Fit
	// MaxPixels bounds the pixels of a file, before they are decoded; 0: as many as a data set
	// reads.
	MaxPixels int
	// Note is told of what was assumed; may be nil.
	Note func(pipeline.Event)

	names []string // of the pictures so far
	sizes []pipeline.Size
}

// Picture returns the image, [H, W, C], of the file of a picture. name is for messages.
func (r *Reader) Picture(name string, file []byte) ([]float32, error) {
	p, err := r.decode(name, file, r.Shape.Size(), r.Shape.Channels, r.Fit)
	if err != nil {
		return nil, err
	}
	size := pipeline.Size{Width: p.Width, Height: p.Height}
	r.names, r.sizes = append(r.names, name), append(r.sizes, size)
	r.noteChanges(name, p)
	return p.Pixels, nil
}

// decode decodes a picture of a size.
func (r *Reader) decode(name string, file []byte, size pipeline.Size, channels int, fit dataset.Fit) (*dataset.Picture, error) {
	return dataset.DecodePicture(filepath.Base(name), file, dataset.PictureOptions{
		Width: size.Width, Height: size.Height, Channels: channels, Fit: fit, MaxPixels: r.MaxPixels,
	})
}

// hasAlpha reports whether the last channel of the images is alpha.
func (r *Reader) hasAlpha() bool { return r.Shape.Channels == 2 || r.Shape.Channels == 4 }

// noteChanges says what of a picture is lost in the shape of the model's images.
func (r *Reader) noteChanges(name string, p *dataset.Picture) {
	size, images := pipeline.Size{Width: p.Width, Height: p.Height}, r.Shape.Size()
	if cmp.Or(r.Fit, dataset.Crop) == dataset.Crop && !sameProportions(size, images) {
		r.note("%s is %s, and the images are %s: its middle is taken; %v keeps all of it", name, size.Sides(),
			images.Sides(), option.Setting{Option: "fit", Value: dataset.Pad})
	}
	r.noteBits(name, p)
	if !p.Gray && r.Shape.Channels < 3 {
		r.note("%s has colours, which become gray: the model knows none", name)
	}
	if !p.Opaque && !r.hasAlpha() {
		r.note("%s is transparent in places, which become white: the model knows no transparency", name)
	}
}

// noteBits says that samples of few bits in 16 were made brighter.
func (r *Reader) noteBits(name string, p *dataset.Picture) {
	if p.White != 0 {
		r.note("%s has 16-bit samples of at most %d: read so that %d is white", name, p.Peak, p.White)
	}
}

// note tells of something that a person should know.
func (r *Reader) note(format string, args ...any) {
	if r.Note != nil {
		r.Note(pipeline.Note(format, args...))
	}
}
