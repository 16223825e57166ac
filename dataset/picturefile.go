package dataset

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"

	"github.com/fmimg/fmimg/dataset/decode"
)

// PictureOptions say what one picture is brought to.
type PictureOptions struct {
	Width, Height int // pixels; both needed
	Channels      int // 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; needed
	Fit           Fit // how other proportions are brought there; empty: crop
	// MaxPixels bounds the pixels of the file; 0: as many as a data set reads.
	MaxPixels int
}

// A Picture is one picture as numbers.
type Picture struct {
	Pixels []float32 // [height, width, channels] in [-1, 1]
	// Width and Height are the pixels of the picture in its file, upright.
	Width, Height int
	Opaque        bool // no pixel of the file is transparent
	Gray          bool // red, green and blue are equal everywhere, before colours become gray
	// Peak is the highest sample and White the one that is taken for white, where samples of fewer
	// bits are stored in 16. Both are 0 for other pictures.
	Peak, White uint16
}

// check reports a shape that no picture can be brought to.
func (o PictureOptions) check(name string) error {
	if min(o.Width, o.Height) < 1 || max(o.Width, o.Height) > maxSide || o.Channels < 1 || o.Channels > maxChannels {
		return fmt.Errorf("picture %s: no picture can be made of %dx%d with %d channels",
			name, o.Width, o.Height, o.Channels)
	}
	return nil
}

// ReadPicture reads one picture as a data set does.
func ReadPicture(path string, o PictureOptions) (*Picture, error) {
	if err := o.check(path); err != nil {
		return nil, err
	}
	file, err := ReadPictureFile(path)
	if err != nil {
		return nil, err
	}
	return DecodePicture(filepath.Base(path), file, o)
}

// ReadPictureFile reads the bytes of a picture's file, for [DecodePicture]. A file that is too
// large for a picture is an error.
func ReadPictureFile(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	file, err := io.ReadAll(io.LimitReader(f, int64(usualLimits.fileBytes)+1))
	if err != nil {
		return nil, err
	}
	return file, checkFileSize(filepath.Base(path), file)
}

// checkFileSize reports a file that is too large for a picture.
func checkFileSize(name string, file []byte) error {
	if len(file) > usualLimits.fileBytes {
		return fmt.Errorf("picture %s: %w: its file is larger than %d MB",
			name, decode.ErrTooLarge, usualLimits.fileBytes>>20)
	}
	return nil
}

// DecodePicture is [ReadPicture] for the bytes of a file. name is for errors. The size in the
// file's header is checked before memory is taken for pixels.
func DecodePicture(name string, file []byte, o PictureOptions) (*Picture, error) {
	if err := o.check(name); err != nil {
		return nil, err
	}
	if err := checkFileSize(name, file); err != nil {
		return nil, err
	}
	if err := noPicture(name, file[:min(len(file), decode.HeadLen)]); err != nil {
		return nil, fmt.Errorf("picture %s: %w", name, err)
	}
	shape := decode.Options{
		Width: o.Width, Height: o.Height, Fit: o.Fit, Channels: o.Channels,
		MaxPixels: cmp.Or(o.MaxPixels, usualLimits.pixels),
	}
	p, err := decode.Decode(file, shape)
	if _, shape.White = whiteOf(p.Peak); err == nil && shape.White != 0 {
		p, err = decode.Decode(file, shape)
	}
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", name, err)
	}
	out := &Picture{Width: p.Width, Height: p.Height, Opaque: p.Opaque, Gray: p.Gray}
	if shape.White != 0 {
		out.Peak, out.White = p.Peak, shape.White
	}
	for _, b := range p.Pixels {
		out.Pixels = append(out.Pixels, FromByte(b))
	}
	return out, nil
}
