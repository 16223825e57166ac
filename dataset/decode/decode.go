package decode

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// The reasons for which a file is refused. An error that wraps one of them has the details.
var (
	ErrNoPicture   = errors.New("not a picture")
	ErrUnsupported = errors.New("unsupported picture")
	ErrTooLarge    = errors.New("too many pixels")
	ErrDamaged     = errors.New("damaged picture")
)

// A Fit says how a picture of other proportions comes to the size that is asked for. The empty
// string is Crop.
type Fit string

// The ways to fit a picture.
const (
	Crop    Fit = "crop"    // the largest part in the middle that has the right proportions
	Pad     Fit = "pad"     // the whole picture in the middle, and transparent pixels beside it
	Stretch Fit = "stretch" // the whole picture, in other proportions
)

// Options say what a picture is made into. The zero value leaves its size, and makes it RGB.
type Options struct {
	// Width and Height are those of the result, in pixels. 0 and 0 mean as large as the picture.
	Width, Height int
	// Fit is for pictures of other proportions.
	Fit Fit
	// Channels is 1 for gray, 2 for gray and alpha, 3 for RGB and 4 for RGBA. 0 means 3. Without
	// alpha, transparent pixels are drawn over white.
	Channels int
	// White is the sample that becomes 255, in pictures whose samples have more than 8 bits. 0
	// means 65535.
	White uint16
	// MaxPixels bounds the pixels that a file may claim. 0 means 2²⁶.
	MaxPixels int
	// Room bounds the pixels that are decoded at once, by all who share it. nil is no bound.
	Room *Room
}

// defaultPixels is the default of MaxPixels. A decoder takes up to 24 bytes a pixel for a while:
// 1.6 GB at this limit. Few cameras make larger photos.
const defaultPixels = 1 << 26

// A Picture is a decoded file.
type Picture struct {
	// Pixels are Height·Width·Channels bytes of the size asked for, rows from the top. Alpha is
	// straight: colours are not multiplied by it. Where alpha is 0, the colour is that of the
	// nearest visible pixel, and white in a picture without one.
	Pixels []byte

	Gray          bool // red, green and blue of the result are equal everywhere, before any luma
	Opaque        bool // the file's picture has no transparent pixel
	Empty         bool // all pixels of the file's picture are wholly transparent
	Width, Height int  // of the picture in the file, turned upright

	// Peak is the highest sample of a picture whose samples have more than 8 bits: 0 to 65535, as
	// it is stored in 16 bits. It is 0 for other pictures.
	Peak uint16
}

// check returns an error for options that none can mean.
func (o Options) check() error {
	switch {
	case o.Width < 0 || o.Height < 0 || (o.Width == 0) != (o.Height == 0):
		return fmt.Errorf("a picture of %dx%d: give both sides, or 0 for both", o.Width, o.Height)
	case o.Channels < 0 || o.Channels > 4:
		return fmt.Errorf("a picture of %d channels: 1 to 4 can be made", o.Channels)
	case o.Fit != "" && o.Fit != Crop && o.Fit != Pad && o.Fit != Stretch:
		return fmt.Errorf("a picture fitted by %q: %s, %s and %s are known", o.Fit, Crop, Pad, Stretch)
	}
	return nil
}

// A stored picture is one whose header is read and whose pixels are not.
type stored struct {
	width, height int // as the rows and columns lie in the file
	orientation   int // 1 to 8 as in Exif
	decode        func() (image.Image, error)

	claims int // the fewest bytes that a file of this size has; 0 where nobody knows
}

// Decode reads a file of a picture. It takes memory for the pixels only when the header is checked
// and the room has them. An error is about this file, also when a decoder panics, and wraps one of
// the errors of this package.
func Decode(file []byte, o Options) (p Picture, err error) {
	if err := o.check(); err != nil {
		return Picture{}, err
	}
	f, err := readable(file)
	if err != nil {
		return Picture{}, err
	}
	defer func() {
		if v := recover(); v != nil {
			p, err = Picture{}, fmt.Errorf("%w: the decoder of %s failed: %v", ErrDamaged, f.name, v)
		}
	}()
	s, err := f.open(file)
	if err != nil {
		return Picture{}, f.fault(err)
	}
	pixels, err := s.claim(cmp.Or(o.MaxPixels, defaultPixels), len(file))
	if err != nil {
		return Picture{}, err
	}
	taken := o.Room.take(pixels)
	defer o.Room.give(taken)
	m, err := s.decode()
	if err != nil {
		return Picture{}, f.fault(err)
	}
	if b := m.Bounds(); b.Empty() || b.Dx() > s.width || b.Dy() > s.height {
		return Picture{}, fmt.Errorf("%w: %dx%d pixels, not %dx%d", ErrDamaged, b.Dx(), b.Dy(), s.width, s.height)
	}
	return finish(m, s.orientation, o), nil
}

// claim checks the size in the header of a file of some bytes, and returns the number of pixels.
func (s *stored) claim(limit, bytes int) (pixels int, err error) {
	if s.width < 1 || s.height < 1 {
		return 0, fmt.Errorf("%w: %dx%d pixels", ErrDamaged, s.width, s.height)
	}
	claim := uint64(s.width) * uint64(s.height) // both below 2³²
	if claim > uint64(limit) {
		return 0, fmt.Errorf("%w: %dx%d, more than %s", ErrTooLarge, s.width, s.height, millions(limit))
	}
	if s.claims > bytes {
		return 0, cannotHold(s.width, s.height, bytes)
	}
	return int(claim), nil
}

// millions writes a number of pixels.
func millions(pixels int) string {
	if pixels < 1<<20 {
		return fmt.Sprint(pixels)
	}
	return fmt.Sprintf("%d million", pixels>>20)
}

// fault returns an error of a decoder as one of this package.
func (f *format) fault(err error) error {
	for _, known := range []error{ErrNoPicture, ErrUnsupported, ErrTooLarge, ErrDamaged} {
		if errors.Is(err, known) {
			return err
		}
	}
	_, isJPEG := errors.AsType[jpeg.UnsupportedError](err)
	_, isPNG := errors.AsType[png.UnsupportedError](err)
	_, isTIFF := errors.AsType[tiff.UnsupportedError](err)
	if isJPEG || isPNG || isTIFF || errors.Is(err, bmp.ErrUnsupported) {
		return unsupported(f.name + " of a rare kind (" + err.Error() + ")")
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// unsupported returns an error about a kind of picture.
func unsupported(what string) error {
	return fmt.Errorf("%w: %s: %s", ErrUnsupported, what, usualCure)
}

// damaged returns an error about what is wrong in a file.
func damaged(format string, values ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, values...)...)
}

// cannotHold returns an error about a header that claims more pixels than the file can have.
func cannotHold(width, height, bytes int) error {
	return damaged("%dx%d pixels in a file of %d bytes, which cannot hold them", width, height, bytes)
}
