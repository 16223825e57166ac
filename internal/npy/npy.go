// Package npy reads and writes the array files of NumPy (numpy.lib.format). A file is a magic
// string, two bytes of version, the length of the header, the header, and the elements. The header
// is a Python dictionary of the type of the elements, their order and the dimensions.
package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Magic is what a file begins with.
const Magic = "\x93NUMPY"

// maxHeader bounds the header: real ones have some hundred bytes.
const maxHeader = 1 << 12

// A Header says what the elements are.
type Header struct {
	Type    string // as NumPy writes it: "|u1", "<f4", "[('a', '<f8')]", …
	Fortran bool   // the first dimension varies fastest, not the last
	Shape   string // as in the file: "(60000, 28, 28)"
}

// entry finds the entries of the dictionary. Programs other than NumPy write it with other quotes
// and spaces, and Python 2 on Windows writes dimensions as 5L.
var entry = regexp.MustCompile(
	`['"](descr|fortran_order|shape)['"]\s*:\s*('[^']*'|"[^"]*"|\[.*?\](?:\s*[,}])|True|False|\([0-9,\sL]*\))`)

// ReadHeader reads a file up to its first element. It takes at most 4 KiB.
func ReadHeader(r io.Reader) (Header, error) {
	start := make([]byte, len(Magic)+2)
	if _, err := io.ReadFull(r, start); err != nil || !bytes.HasPrefix(start, []byte(Magic)) {
		return Header{}, errors.New("it does not begin as a NumPy array does")
	}
	width := 2 // of the header's length, in version 1
	if start[len(Magic)] > 1 {
		width = 4
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return Header{}, truncated(err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHeader {
		return Header{}, fmt.Errorf("a header of %d bytes: at most %d can be read", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, truncated(err)
	}
	return parse(string(text))
}

// truncated says what to do about a header that ends too early.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("header: %w: copy the file again", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("header: %w", err)
}

// parse reads the dictionary.
func parse(text string) (Header, error) {
	entries := map[string]string{}
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		entries[m[1]] = m[2]
	}
	if len(entries) != 3 || !strings.HasPrefix(entries["shape"], "(") {
		return Header{}, errors.New("its header is not that of a NumPy array")
	}
	return Header{
		Type:    strings.Trim(entries["descr"], `'", }`),
		Fortran: entries["fortran_order"] != "False",
		Shape:   entries["shape"],
	}, nil
}

// Dims returns the dimensions and their product, the number of elements. It fails when elements of
// width bytes would take more than limit bytes.
func (h Header) Dims(width int, limit uint64) (dims []int, n int, err error) {
	size := uint64(1)
	for text := range strings.SplitSeq(strings.Trim(h.Shape, "()"), ",") {
		if text = strings.TrimSuffix(strings.TrimSpace(text), "L"); text == "" {
			continue
		}
		d, err := strconv.ParseUint(text, 10, min(32, strconv.IntSize-1))
		high, low := bits.Mul64(size, d)
		if err != nil || high != 0 || low > limit/uint64(width) {
			return nil, 0, fmt.Errorf("shape %s claims more than the %d bytes that are there: copy or save it again", h.Shape, limit)
		}
		size = low
		dims = append(dims, int(d))
	}
	return dims, int(size), nil
}

// chunk is the number of elements that WriteFloat32 writes at once.
const chunk = 1 << 14

// WriteFloat32 writes an array in version 1.0 of the format. len(values) must be the product of
// shape. Spaces after the dictionary bring the first element to a multiple of 64 bytes.
func WriteFloat32(w io.Writer, values []float32, shape ...int) error {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", tuple(shape))
	before := len(Magic) + 4 // with version and length
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	out := append([]byte(Magic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	if _, err := w.Write(append(out, header...)); err != nil {
		return err
	}
	buf := make([]byte, 0, 4*min(chunk, len(values)))
	for part := range slices.Chunk(values, chunk) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// tuple writes dimensions as Python does.
func tuple(shape []int) string {
	if len(shape) == 1 {
		return fmt.Sprintf("(%d,)", shape[0])
	}
	list := make([]string, len(shape))
	for i, d := range shape {
		list[i] = strconv.Itoa(d)
	}
	return "(" + strings.Join(list, ", ") + ")"
}
