package dataset

import (
	"fmt"
	"io"
	"path/filepath"
)

// ReadPicture reads one picture as a data set does (PNG, JPEG, GIF or WebP). It returns the square
// in the middle, resized to side x side pixels of 1 or 3 channels, as numbers in [-1,1].
func ReadPicture(path string, side, channels int) ([]float32, error) {
	if side < 1 || side > maxSide || channels != 1 && channels != 3 {
		return nil, fmt.Errorf("picture %s: no picture can be made of %dx%d with %d channels: 1 (gray) or 3 (RGB) can",
			path, side, side, channels)
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
	p, err := readPicture(file, side, usualLimits.pixels, newRoom(usualLimits.pixels))
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", filepath.Base(path), err)
	}
	var out []float32
	for _, b := range withChannels(p.pixels, 3, channels) {
		out = append(out, FromByte(b))
	}
	return out, nil
}
