package array

import (
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
)

// numbers describes an array of numbers that lies in a file, or is one.
type numbers struct {
	name    string // of the file or array, for messages
	dims    []int  // the last varies fastest in the file
	fortran bool   // the first varies fastest in the file instead
	exact   bool   // the format fixes the dimensions: count, height, width and perhaps channels
	kind    kind
	rgb     bool // rows of RGB have the three numbers of a pixel beside each other

	// open returns a reader at the first number. Nothing may follow the last one. It is nil where
	// each is set.
	open func() (io.ReadCloser, error)
	// stored is the size in bytes of what the numbers were read from. It tells whether a claim can
	// be true.
	stored int64
	packed bool // the file is compressed

	// each calls do for all numbers, some at a time, in the order of the file. It is set for files
	// of text alone.
	each func(do func(chunk []float64) error) error
}

// maxRatio is the most that Deflate can pack into a byte: 258 bytes into 2 bits.
const maxRatio = 1032

// count returns the number of numbers. The dimensions were checked by check.
func (a *numbers) count() int { return product(a.dims) }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// check refuses dimensions that claim more than the file can hold. So no memory is taken, and no
// product overflows, on the word of a header alone.
func (a *numbers) check() error {
	if slices.Contains(a.dims, 0) {
		return nil // for arrange to refuse
	}
	limit := uint64(a.stored)
	if a.packed {
		limit = min(limit, math.MaxInt/maxRatio) * maxRatio
	}
	size := uint64(a.kind.size)
	for _, d := range a.dims {
		high, low := bits.Mul64(size, uint64(d))
		if high != 0 || low > limit {
			return fmt.Errorf("dimensions %v claim more bytes than its %d hold: copy or save it again", a.dims, a.stored)
		}
		size = low
	}
	return nil
}

// chunkLen is the number of numbers that a walk takes at once.
const chunkLen = 1 << 12

// walk calls do for all numbers, some at a time, in the order of the file. The chunk is do's until
// it returns. walk fails when the file holds fewer or more numbers.
func (a *numbers) walk(do func(chunk []float64) error) error {
	if a.each != nil {
		return a.each(do)
	}
	chunk := make([]float64, chunkLen)
	return a.raw(func(part []byte) error { return do(chunk[:a.kind.decode(chunk, part)]) })
}

// raw calls do for the bytes of all elements, some at a time.
func (a *numbers) raw(do func(part []byte) error) error {
	r, err := a.open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	most := max(1, min(chunkLen, 8*chunkLen/a.kind.size))
	buffer := make([]byte, most*a.kind.size)
	for left := a.count(); left > 0; {
		part := buffer[:min(left, most)*a.kind.size]
		if n, err := io.ReadFull(r, part); err != nil {
			return a.ended(a.count()-left+n/a.kind.size, err)
		}
		if err := do(part); err != nil {
			return err
		}
		left -= len(part) / a.kind.size
	}
	return a.atEnd(r)
}

// bytes returns all numbers of a kind that is the byte. Memory beyond what the size of the file
// warrants is taken only after the bytes were counted.
func (a *numbers) bytes() ([]byte, error) {
	n := a.count()
	if a.packed && int64(n) > 4*a.stored+1<<20 {
		if err := a.walk(func([]float64) error { return nil }); err != nil {
			return nil, err
		}
	}
	r, err := a.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data := make([]byte, n)
	if got, err := io.ReadFull(r, data); err != nil {
		return nil, a.ended(got, err)
	}
	return data, a.atEnd(r)
}

// atEnd fails unless r is at its end.
func (a *numbers) atEnd(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return cutOff("at the end", err)
	}
	return fmt.Errorf("bytes follow the %d that dimensions %v need: copy or save it again", a.count()*a.kind.size, a.dims)
}

// ended says that a file ends after n numbers.
func (a *numbers) ended(n int, err error) error {
	return cutOff(fmt.Sprintf("after %d of %d numbers of dimensions %v", n, a.count(), a.dims), err)
}

// cutOff says what to do about a file that ends too early or is damaged.
func cutOff(where string, err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w: copy the file again", where, io.ErrUnexpectedEOF)
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zip.ErrChecksum):
		return fmt.Errorf("%s: %w: copy the file again", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// index returns the place of number k of the file, as Python would write it.
func (a *numbers) index(k int) []int {
	at := make([]int, len(a.dims))
	for i := range a.dims {
		axis := len(a.dims) - 1 - i
		if a.fortran {
			axis = i
		}
		at[axis] = k % a.dims[axis]
		k /= a.dims[axis]
	}
	return at
}
