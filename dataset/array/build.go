package array

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// looked is the number of images by which chooseChannels decides, and lookedAcross of the first
// numbers of each where those of all images come first.
const (
	looked       = 16
	lookedAcross = 24
)

// chooseChannels decides whether rows of pixels are planes or have contiguous channels. Neighbours
// in an image resemble each other: in planes these are the numbers beside each other, otherwise
// they are 3 numbers apart.
func (p *reading) chooseChannels(l *layout) error {
	var head []float64
	row := p.pixels.dims[1]
	step, needed := 1, looked*row
	if p.pixels.fortran {
		step, needed = l.n, lookedAcross*l.n
	}
	enough := errors.New("enough")
	err := p.pixels.walk(func(chunk []float64) error {
		if head = append(head, chunk...); len(head) >= needed {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return err
	}
	beside, apart := 0.0, 0.0
	for i := 3 * step; i < len(head); i++ {
		beside += abs(head[i] - head[i-step])
		apart += abs(head[i] - head[i-3*step])
	}
	kind := "planes of red, green and blue"
	if apart < beside {
		l.interleave()
		kind = "red, green and blue for each pixel"
	}
	l.note = fmt.Sprintf("rows of %d pixels were taken for squares of %dx%d in RGB, as %s", row, l.w, l.h, kind)
	return nil
}

func abs(x float64) float64 { return max(x, -x) }
