package dataset

import (
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
}

// A Picture is one picture as numbers.
type Picture struct {
	Pixels []float32 // [height, width, channels] in [-1, 1]
	// Width and Height are the pixels of the picture in its file, upright.
	Width, Height int
	Opaque        bool // no pixel of the file is transparent
}

// ReadPicture reads one picture as a data set does.
func ReadPicture(path string, o PictureOptions) (*Picture, error) {
	if min(o.Width, o.Height) < 1 || max(o.Width, o.Height) > maxSide || o.Channels < 1 || o.Channels > maxChannels {
		return nil, fmt.Errorf("picture %s: no picture can be made of %dx%d with %d channels",
			path, o.Width, o.Height, o.Channels)
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	file, err := io.ReadAll(io.LimitReader(f, int64(usualLimits.fileBytes)+1))
	if err != nil {
		return nil, err
	}
	if len(file) > usualLimits.fileBytes {
		return nil, fmt.Errorf("picture %s: %w: its file is larger than %d MB",
			filepath.Base(path), decode.ErrTooLarge, usualLimits.fileBytes>>20)
	}
	name := filepath.Base(path)
	if err := noPicture(name, file[:min(len(file), decode.HeadLen)]); err != nil {
		return nil, fmt.Errorf("picture %s: %w", name, err)
	}
	p, err := decode.Decode(file, decode.Options{
		Width: o.Width, Height: o.Height, Fit: o.Fit, Channels: o.Channels, MaxPixels: usualLimits.pixels,
	})
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", name, err)
	}
	out := &Picture{Width: p.Width, Height: p.Height, Opaque: p.Opaque}
	for _, b := range p.Pixels {
		out.Pixels = append(out.Pixels, FromByte(b))
	}
	return out, nil
}
