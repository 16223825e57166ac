package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/fmimg/fmimg/internal/npy"
)

// npyMaxBytes is the most that a header may claim.
const npyMaxBytes uint64 = min(1<<32, math.MaxInt)

// npyTypes are the types of elements that are read: bytes as pixels have them, and numbers in
// [-1,1].
var npyTypes = map[string]npyType{
	"|u1": {1, func(b []byte) float32 { return FromByte(b[0]) }},
	"<f4": {4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"<f8": {8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
}

type npyType struct {
	size int
	read func(b []byte) float32
}

// npyFar is the largest float that is accepted. Generated images may pass -1 and 1 a little. Pixels
// up to 255 must be refused.
const npyFar = 8

// check refuses floats that were not meant to lie in [-1,1].
func (k npyType) check(raw []byte) error {
	if k.size == 1 || len(raw) == 0 {
		return nil
	}
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for ; len(raw) > 0; raw = raw[k.size:] {
		v := k.read(raw)
		if v != v {
			return errors.New("some of its elements are no numbers")
		}
		low, high = min(low, v), max(high, v)
	}
	switch {
	case low < -npyFar || high > npyFar:
		return fmt.Errorf("its numbers lie between %g and %g: bring them into [-1,1], or save them as uint8", low, high)
	case low >= 0 && high > 0:
		return fmt.Errorf("its numbers lie between %g and %g, none below 0: in [-1,1] black is -1: save 2*x-1",
			low, high)
	}
	return nil
}

// openNPY reads an array of images, [N, H, W] or [N, H, W, C], without classes.
func openNPY(path string) (*Set, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	images, err := readNPY(file)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	s, err := newLabelled(baseName(path), images, idxArray{}, nil)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	return &Set{Train: s, Format: "NumPy array", Path: path, Files: 1}, nil
}

// readNPY reads an array to the end of r, as bytes. Memory grows with the bytes that come in.
func readNPY(r io.Reader) (idxArray, error) {
	kind, dims, size, err := readNPYHeader(r)
	if err != nil {
		return idxArray{}, err
	}
	raw, err := readBytes(r, size*kind.size, idxChunk)
	if err != nil {
		where := fmt.Sprintf("after %d of %d bytes of dimensions %v", len(raw), size*kind.size, dims)
		return idxArray{}, truncatedIDX(where, err)
	}
	var one [1]byte
	if n, _ := io.ReadFull(r, one[:]); n != 0 {
		return idxArray{}, fmt.Errorf("bytes follow the %d that dimensions %v need", len(raw), dims)
	}
	if err := kind.check(raw); err != nil {
		return idxArray{}, err
	}
	for i := range size { // in place: no element is smaller than a byte
		raw[i] = ToByte(kind.read(raw[i*kind.size:]))
	}
	return idxArray{dims, raw[:size:size]}, nil
}

// readNPYHeader reads up to the first element, and returns the type, the dimensions and their
// product.
func readNPYHeader(r io.Reader) (kind npyType, dims []int, size int, err error) {
	h, err := npy.ReadHeader(r)
	if err != nil {
		return npyType{}, nil, 0, err
	}
	kind, ok := npyTypes[h.Type]
	switch {
	case !ok:
		err := fmt.Errorf("elements of type %s; uint8, and float32 or float64 in [-1,1], can be read", h.Type)
		return npyType{}, nil, 0, err
	case h.Fortran:
		return npyType{}, nil, 0, errors.New("its elements are in Fortran's order: save numpy.ascontiguousarray of it")
	}
	dims, size, err = h.Dims(kind.size, npyMaxBytes)
	return kind, dims, size, err
}
