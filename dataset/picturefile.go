package dataset

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
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
			filepath.Base(path), errTooLarge, usualLimits.fileBytes>>20)
	}
	p, err := readPicture(file, cmp.Or(o.Width, o.Height), usualLimits.pixels, newRoom(usualLimits.pixels))
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", filepath.Base(path), err)
	}
	out := &Picture{Width: p.width, Height: p.height, Opaque: true}
	for _, b := range withChannels(p.pixels, 3, o.Channels) {
		out.Pixels = append(out.Pixels, FromByte(b))
	}
	return out, nil
}
