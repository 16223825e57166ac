package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// NumPy's array format (numpy.lib.format): a magic string, two bytes of version, the length of the header, the header
// (a Python dictionary that names the type of the elements, their order and the dimensions), the elements.
const (
	npyMagic     = "\x93NUMPY"
	npyMaxHeader = 1 << 12
)

// npyMaxBytes is what a header may claim.
const npyMaxBytes uint64 = min(1<<32, math.MaxInt)

// npyTypes are the types of elements that are read: bytes as pixels have them, and numbers in [-1,1].
var npyTypes = map[string]npyType{
	"|u1": {1, func(b []byte) float32 { return FromByte(b[0]) }},
	"<f4": {4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"<f8": {8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
}

type npyType struct {
	size int
	read func(b []byte) float32
}

// npyFar is how far floats may lie: generated ones may pass -1 and 1 a little, but not as pixels up to 255 do.
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
		return fmt.Errorf("its numbers lie between %g and %g, none below 0: in [-1,1] black is -1: save 2*x-1", low, high)
	}
	return nil
}

// npyEntry finds the entries of the header's dictionary.
var npyEntry = regexp.MustCompile(`'(descr|fortran_order|shape)': *('[^']*'|True|False|\([0-9, ]*\))`)

// An npyHeader is what the header says.
type npyHeader struct {
	dims []int
	size int // elements
	kind string
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

// readNPY reads an array to the end of r, as bytes. Memory grows with what comes in.
func readNPY(r io.Reader) (idxArray, error) {
	h, err := readNPYHeader(r)
	if err != nil {
		return idxArray{}, err
	}
	kind := npyTypes[h.kind]
	raw, err := readBytes(r, h.size*kind.size, idxChunk)
	if err != nil {
		return idxArray{}, truncatedIDX(fmt.Sprintf("after %d of %d bytes of dimensions %v", len(raw), h.size*kind.size, h.dims), err)
	}
	var one [1]byte
	if n, _ := io.ReadFull(r, one[:]); n != 0 {
		return idxArray{}, fmt.Errorf("bytes follow the %d that dimensions %v need", len(raw), h.dims)
	}
	if err := kind.check(raw); err != nil {
		return idxArray{}, err
	}
	for i := range h.size { // in place: no element is smaller than a byte
		raw[i] = ToByte(kind.read(raw[i*kind.size:]))
	}
	return idxArray{h.dims, raw[:h.size:h.size]}, nil
}

// readNPYHeader reads up to the first element.
func readNPYHeader(r io.Reader) (npyHeader, error) {
	var h npyHeader
	start := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, start); err != nil || !bytes.HasPrefix(start, []byte(npyMagic)) {
		return h, errors.New("it does not begin as a NumPy array does")
	}
	width := 2 // of the header's length, in version 1
	if start[len(npyMagic)] > 1 {
		width = 4
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return h, truncatedIDX("header", err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > npyMaxHeader {
		return h, fmt.Errorf("a header of %d bytes: at most %d can be read", n, npyMaxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, truncatedIDX("header", err)
	}
	return parseNPYHeader(string(text))
}

// parseNPYHeader reads the dictionary.
func parseNPYHeader(text string) (npyHeader, error) {
	var h npyHeader
	entries := map[string]string{}
	for _, m := range npyEntry.FindAllStringSubmatch(text, -1) {
		entries[m[1]] = m[2]
	}
	h.kind = strings.Trim(entries["descr"], "'")
	kind, ok := npyTypes[h.kind]
	switch {
	case len(entries) != 3 || !strings.HasPrefix(entries["shape"], "("):
		return h, errors.New("its header is not that of a NumPy array")
	case !ok:
		return h, fmt.Errorf("elements of type %s; uint8, and float32 or float64 in [-1,1], can be read", h.kind)
	case entries["fortran_order"] != "False":
		return h, errors.New("its elements are in Fortran's order: save numpy.ascontiguousarray of it")
	}
	size := uint64(1)
	for text := range strings.SplitSeq(strings.Trim(entries["shape"], "()"), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d, err := strconv.ParseUint(text, 10, min(32, strconv.IntSize-1))
		high, low := bits.Mul64(size, d)
		if err != nil || high != 0 || low > npyMaxBytes/uint64(kind.size) {
			return h, fmt.Errorf("shape %s claims more than %d bytes", entries["shape"], npyMaxBytes)
		}
		size = low
		h.dims = append(h.dims, int(d))
	}
	h.size = int(size)
	return h, nil
}
