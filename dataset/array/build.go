package array

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// A recipe is a set that was found, before its numbers are read.
type recipe struct {
	format      string
	train, test *part // test is nil where there is none
	names       names
	notes       []string
	files       []*tree.File
	opened      []io.Closer // files that stay open until the numbers are read
}

// A part is the images to train or to test on.
type part struct {
	pixels numbers
	turned bool // each image is stored column by column
	labels *labels
	wanted string // how the labels would be called
}

// reading is a part while it is read.
type reading struct {
	part
	layout layout
	span   span
	data   []byte // bytes as in the file, where they are in order; nil otherwise
}

// build reads what a recipe describes.
func build(ctx context.Context, l Limits, r recipe) (*Set, error) {
	if r.train == nil {
		r.train, r.test = r.test, nil
	}
	set := &Set{Format: r.format, Notes: r.notes, Files: r.files, keepAlpha: l.Alpha}
	parts, err := arrangeParts(r, set)
	if err != nil {
		return nil, err
	}
	if err := fits(parts, l); err != nil {
		return nil, err
	}
	s, err := scaleOfAll(ctx, parts, set)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		m, err := p.images(ctx, s, set)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.pixels.name, err)
		}
		if i == 0 {
			set.Train = m
		} else {
			set.Test = m
		}
	}
	var of []*labels
	for _, p := range parts {
		of = append(of, p.labels)
	}
	texts, err := set.sortTexts(of)
	if err != nil {
		return nil, err
	}
	if texts != nil {
		r.names = names{list: texts, from: "the array of labels"}
	}
	if err := set.name(r.names, of...); err != nil {
		return nil, err
	}
	return set, nil
}

// scaleOfAll finds the scale of all images together.
func scaleOfAll(ctx context.Context, parts []*reading, set *Set) (scale, error) {
	all := newSpan()
	for _, p := range parts {
		if err := p.look(ctx); err != nil {
			return scale{}, fmt.Errorf("%s: %w", p.pixels.name, err)
		}
		all = all.join(p.span)
	}
	for _, p := range parts {
		if p.span.float != parts[0].span.float && (parts[0].span.high > 16) != (p.span.high > 16) {
			return scale{}, fmt.Errorf("pixels of %s are at most %.5g, those of %s at most %.5g: save both on one scale",
				parts[0].pixels.name, parts[0].span.high, p.pixels.name, p.span.high)
		}
	}
	s, note := scaleOf(all)
	set.note(note)
	return s, nil
}

// note adds a note that is not empty and not there yet.
func (s *Set) note(note string) {
	if note != "" && !slices.Contains(s.Notes, note) {
		s.Notes = append(s.Notes, note)
	}
}

// arrangeParts checks what the headers claim, and finds the layouts.
func arrangeParts(r recipe, set *Set) ([]*reading, error) {
	var parts []*reading
	for _, p := range []*part{r.train, r.test} {
		if p == nil {
			continue
		}
		read := &reading{part: *p}
		l, err := read.arranged()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.pixels.name, err)
		}
		read.layout = l
		set.note(l.note)
		set.wanted = append(set.wanted, p.wanted)
		parts = append(parts, read)
	}
	if len(parts) == 0 {
		return nil, errors.New("there are labels, but no images beside them")
	}
	if len(parts) == 2 {
		a, b := parts[0].layout, parts[1].layout
		if a.h != b.h || a.w != b.w || a.c != b.c {
			return nil, fmt.Errorf("images to train on have %dx%d pixels and %s, those to test on %dx%d and %d: "+
				"do the files belong together?", a.w, a.h, text.Count(a.c, "channel", "channels"), b.w, b.h, b.c)
		}
		if a.either && slices.Contains(a.order, "HWC") != slices.Contains(b.order, "HWC") {
			// Training images are more, and know better.
			parts[1].layout.order = slices.Clone(a.order)
		}
	}
	return parts, nil
}

// arranged finds the layout of a part.
func (p *reading) arranged() (layout, error) {
	if p.pixels.kind.text {
		return layout{}, errors.New("its elements are texts, not numbers")
	}
	if p.pixels.each == nil {
		if err := p.pixels.check(); err != nil {
			return layout{}, err
		}
	}
	l, err := arrange(p.pixels.dims, p.pixels.exact)
	if err != nil {
		return layout{}, err
	}
	if p.turned {
		l.turn()
	}
	if l.either && p.pixels.rgb {
		l.interleave()
		l.either, l.note = false, l.rowNote("by the names of their columns")
	}
	if l.either {
		if err := p.chooseChannels(&l); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}

// fits checks the memory that the images need, with about 64 bytes for the bookkeeping of each.
func fits(parts []*reading, l Limits) error {
	need, n := 0.0, 0
	for _, p := range parts {
		need += p.layout.bytes() + 64*float64(p.layout.n)
		n += p.layout.n
	}
	if need <= float64(l.maxBytes()) {
		return nil
	}
	a := parts[0].layout
	return tooMany(n, a.w, a.h, a.c, need, l)
}

// tooMany says that images need more memory than is allowed.
func tooMany(n, w, h, c int, need float64, l Limits) error {
	return option.Faultf("%s of %dx%d with %s need %s of memory, and %s are allowed", text.Count(n, "image", "images"),
		w, h, text.Count(c, "channel", "channels"), text.Bytes(need), text.Bytes(float64(l.maxBytes()))).
		Cured("save fewer images, or allow more by %v", option.Setting{Option: "data-memory"})
}

// look finds the range of the numbers. It keeps bytes that already are in order.
func (p *reading) look(ctx context.Context) error {
	a := &p.pixels
	if a.each != nil || !a.kind.isByte() || !p.layout.plain(a.fortran) {
		var err error
		p.span, err = spanOf(ctx, a)
		return err
	}
	data, err := a.bytes()
	if err != nil {
		return err
	}
	p.data, p.span = data, newSpan()
	p.span.addBytes(data)
	return ctx.Err()
}

// images returns the part's images and labels.
func (p *reading) images(ctx context.Context, s scale, set *Set) (*Images, error) {
	data, err := p.data, error(nil)
	switch {
	case data == nil:
		data, err = fill(ctx, &p.pixels, &p.layout, s)
	case s != byteScale:
		s.applied(data)
	}
	if err != nil {
		return nil, err
	}
	m := &Images{Height: p.layout.h, Width: p.layout.w, Channels: p.layout.c, Pixels: data}
	if m.Channels%2 == 0 && opaqueAtOne(data, m.Channels) {
		set.note(fmt.Sprintf("the last of %d channels is at most 1, and other numbers are not: 1 was taken for opaque", m.Channels))
	}
	if set.Channels = m.Channels; m.Channels%2 == 0 && !set.keepAlpha {
		m.Pixels, set.Alpha = onWhite(data, m.Channels, set.Alpha)
		m.Channels--
	}
	if p.labels != nil {
		m.Labels, err = p.labels.read(m.Len())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.labels.name, err)
		}
	}
	return m, nil
}

// looked is the number of images by which chooseChannels decides.
const looked = 16

// chooseChannels decides whether rows of pixels are planes or have contiguous channels: in images
// pixels resemble those beside and below them, as long as the colours are not mixed up.
func (p *reading) chooseChannels(l *layout) error {
	rows, err := p.firstRows(min(looked, l.n))
	if err != nil {
		return err
	}
	planes, pixels := variation(rows, l.h, 1, l.h*l.w), variation(rows, l.h, 3, 1)
	kind := "as planes of red, green and blue"
	if pixels < planes {
		l.interleave()
		kind = "as red, green and blue for each pixel"
	}
	if high := max(planes, pixels); high-min(planes, pixels) < unclear*high {
		kind += ", which is a guess: " + p.cureOfOrder()
	}
	l.note = l.rowNote(kind)
	return nil
}

// cureOfOrder says how a file tells the order of its numbers.
func (p *reading) cureOfOrder() string {
	if p.pixels.each != nil {
		return "call the columns r0, g0, b0 and so on"
	}
	return "save the array with the dimensions count, height, width and 3"
}

// unclear is the share by which the two orders must differ. Noise has 0.2 % by chance, and photos
// of twice as much noise as picture 2 %.
const unclear = 0.01

// rowNote says how rows of RGB were taken.
func (l *layout) rowNote(how string) string {
	return fmt.Sprintf("rows of %d pixels were taken for squares of %dx%d in RGB, %s", l.c*l.h*l.w, l.w, l.h, how)
}

// firstRows returns the numbers of the first images, one image after the other, of an array of
// rows.
func (p *reading) firstRows(images int) ([][]float64, error) {
	n, row := p.pixels.dims[0], p.pixels.dims[1]
	rows, k := make([][]float64, images), 0
	enough := errors.New("enough")
	err := p.pixels.walk(func(chunk []float64) error {
		for _, v := range chunk {
			i := k / row
			if p.pixels.fortran {
				i = k % n
			}
			if k++; i < images {
				rows[i] = append(rows[i], v)
			} else if !p.pixels.fortran {
				return enough
			}
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return rows, err
}

// variation sums the differences between pixels that are beside or below each other, in images of a
// side and three channels. Pixels are some numbers apart, and so are channels.
func variation(rows [][]float64, side, pixel, channel int) float64 {
	sum := 0.0
	for _, row := range rows {
		for c := range 3 {
			for at := range side * side {
				v := row[c*channel+at*pixel]
				if (at+1)%side != 0 {
					sum += math.Abs(row[c*channel+(at+1)*pixel] - v)
				}
				if at < side*(side-1) {
					sum += math.Abs(row[c*channel+(at+side)*pixel] - v)
				}
			}
		}
	}
	return sum
}
