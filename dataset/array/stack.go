package array

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// joined is the parts as one. class names the class of a source, in the list of classes; it is nil
// where the parts have labels, or none.
func (b *bundle) joined(classes []string, class func(Source) string) (*part, error) {
	one := b.single()
	p := &part{wanted: b.parts[0].wanted}
	var pixels, values []numbers
	var runs []run
	for i, from := range b.parts {
		a := from.pixels
		if one {
			a.dims = append([]int{1}, a.dims...)
			a.fortran = a.fortran && len(a.dims) > 2
		}
		pixels = append(pixels, a)
		if from.labels != nil {
			values = append(values, from.labels.values)
		}
		if class != nil && len(a.dims) > 0 {
			runs = append(runs, run{int32(slices.Index(classes, class(b.sources[i]))), a.dims[0]})
		}
	}
	var err error
	if p.pixels, err = stacked(pixels); err != nil {
		return nil, err
	}
	p.pixels.exact = len(p.pixels.dims) == 3
	switch {
	case class != nil:
		p.labels = &labels{name: "the list of files", runs: runs}
	case len(values) == len(b.parts):
		p.labels = &labels{name: b.parts[0].labels.name, column: b.parts[0].labels.column}
		p.labels.values, err = stacked(values)
	}
	return p, err
}

// stacked is arrays as one, whose first dimension is the sum of theirs.
func stacked(list []numbers) (numbers, error) {
	all := list[0]
	all.dims = slices.Clone(all.dims)
	for _, a := range list {
		if err := a.check(); err != nil {
			return all, fmt.Errorf("%w: %s: %w", ErrApart, a.name, err)
		}
		switch {
		case len(a.dims) == 0 || !slices.Equal(a.dims[1:], all.dims[1:]):
			return all, fmt.Errorf("%w: dimensions %v of %s, %v of %s", ErrApart, all.dims, all.name, a.dims, a.name)
		case a.kind.name != all.kind.name:
			return all, fmt.Errorf("%w: elements of type %s in %s, %s in %s", ErrApart, all.kind.name, all.name, a.kind.name, a.name)
		case a.fortran && len(a.dims) > 1:
			return all, fmt.Errorf("%w: %s is in Fortran's order: save numpy.ascontiguousarray of it", ErrApart, a.name)
		}
	}
	all.dims[0], all.stored = 0, 0
	for _, a := range list {
		all.dims[0] += a.dims[0]
		all.stored += a.stored
		all.packed = all.packed || a.packed
	}
	all.open = func() (io.ReadCloser, error) { return &chain{list: list}, nil }
	return all, nil
}

// A chain reads the numbers of arrays one after the other. One file is open at a time.
type chain struct {
	list []numbers
	file io.ReadCloser // of the first of list, nil where it is not open yet
	left int64         // bytes of it
}

// Read implements [io.Reader].
func (c *chain) Read(p []byte) (int, error) {
	for len(c.list) > 0 {
		a := &c.list[0]
		if c.file == nil {
			file, err := a.open()
			if err != nil {
				return 0, fmt.Errorf("%s: %w", a.name, err)
			}
			c.file, c.left = file, int64(a.count()*a.kind.size)
		}
		if c.left > 0 {
			n, err := c.file.Read(p[:min(int64(len(p)), c.left)])
			if c.left -= int64(n); n > 0 || err == nil {
				return n, nil
			}
			return 0, c.ended(a, err)
		}
		err := a.atEnd(c.file)
		c.list = c.list[1:]
		if err := errors.Join(err, c.Close()); err != nil {
			return 0, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return 0, io.EOF
}

// ended is the error of a file that ends before its numbers do.
func (c *chain) ended(a *numbers, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	// The end of one file is not that of all: what reads on must not take it for that.
	return fmt.Errorf("%s: %v", a.name, a.ended(a.count()-int(c.left)/a.kind.size, err)) //nolint:errorlint // see above
}

// Close closes the file that is open.
func (c *chain) Close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
