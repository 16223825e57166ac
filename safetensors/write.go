package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/fmimg/fmimg/internal/float16"
)

// Write writes f with its tensors in their order and its metadata sorted by key. So the same
// content gives the same bytes. Spaces pad the header to a multiple of 8 bytes. F16 tensors are
// rounded to the nearest, ties to even.
//
// Write fails before the first byte where [Read] would refuse the file, for types that are read
// alone, and where a number is too large for F16.
func Write(w io.Writer, f *File) error {
	return within("safetensors", writeFile(w, f))
}

func writeFile(w io.Writer, f *File) error {
	for i := range f.Tensors {
		if err := f.Tensors[i].check(); err != nil {
			return tensorError(f.Tensors[i].Name, err)
		}
	}
	header, err := formatHeader(f)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buf := make([]byte, 0, chunkSize)
	for i := range f.Tensors {
		if err := f.Tensors[i].write(w, buf); err != nil {
			return tensorError(f.Tensors[i].Name, err)
		}
	}
	return nil
}

// check fails when the elements do not fit the type and shape.
func (t *Tensor) check() error {
	if t.DType.width() == 0 {
		return unknownType(t.DType)
	}
	if !t.DType.written() {
		return fmt.Errorf("type %s is read and not written: write F32", t.DType)
	}
	if n, ok := elements(t.Shape); !ok || n != t.Len() {
		return fmt.Errorf("shape %v does not match its %d elements", t.Shape, t.Len())
	}
	if t.DType == I64 {
		return nil
	}
	if err := checkFinite(t.F32); err != nil || t.DType == F32 {
		return err
	}
	for i, v := range t.F32 {
		if !float16.Fits(v) {
			return fmt.Errorf("element %d is %v, too large for F16, which ends at 65504: write F32", i, v)
		}
	}
	return nil
}

// write gives t's elements to w by way of buf, which is empty and has room for a chunk of bytes.
func (t *Tensor) write(w io.Writer, buf []byte) error {
	switch t.DType {
	case F32:
		return writeElements(w, buf, t.F32, t.DType.width(), appendF32)
	case F16:
		return writeElements(w, buf, t.F32, t.DType.width(), appendF16)
	default:
		return writeElements(w, buf, t.I64, t.DType.width(), appendI64)
	}
}

func writeElements[T any](w io.Writer, buf []byte, x []T, width int, encode func([]byte, []T) []byte) error {
	perChunk := cap(buf) / width
	for len(x) > 0 {
		k := min(len(x), perChunk)
		if _, err := w.Write(encode(buf[:0], x[:k])); err != nil {
			return err
		}
		x = x[k:]
	}
	return nil
}

func appendF32(dst []byte, src []float32) []byte {
	for _, x := range src {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

func appendF16(dst []byte, src []float32) []byte {
	for _, x := range src {
		dst = binary.LittleEndian.AppendUint16(dst, float16.From(x))
	}
	return dst
}

func appendI64(dst []byte, src []int64) []byte {
	for _, x := range src {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

// formatHeader returns the padded header of a file whose tensors lie one after the other, in their
// order.
func formatHeader(f *File) ([]byte, error) {
	header := []byte{'{'}
	if len(f.Metadata) > 0 {
		header = appendMetadata(header, f.Metadata)
	}
	seen := map[string]bool{metadataKey: true}
	offset := 0
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if seen[t.Name] {
			return nil, tensorError(t.Name, errors.New("the name stands twice, or is reserved"))
		}
		seen[t.Name] = true
		end := offset + t.Len()*t.DType.width()
		header = appendEntry(header, t, offset, end)
		offset = end
	}
	header = append(bytes.TrimSuffix(header, []byte{','}), '}')
	for len(header)%headerAlign != 0 {
		header = append(header, ' ')
	}
	if !utf8.Valid(header) {
		return nil, errors.New("names and metadata must be UTF-8")
	}
	if len(header) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, the most is %d: shorten the metadata", len(header), maxHeader)
	}
	return header, nil
}

// appendMetadata appends the metadata as an entry of the header, with a comma behind it.
func appendMetadata(dst []byte, metadata map[string]string) []byte {
	dst = append(appendText(dst, metadataKey), ":{"...)
	for i, key := range slices.Sorted(maps.Keys(metadata)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		dst = appendText(dst, metadata[key])
	}
	return append(dst, "},"...)
}

// appendEntry appends the entry of a tensor whose bytes are [begin, end), with a comma behind it.
func appendEntry(dst []byte, t *Tensor, begin, end int) []byte {
	dst = append(appendText(dst, t.Name), `:{"dtype":"`...)
	dst = append(dst, t.DType...)
	dst = append(dst, `","shape":[`...)
	for i, d := range t.Shape {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d), 10)
	}
	return fmt.Appendf(dst, `],"data_offsets":[%d,%d]},`, begin, end)
}

// appendText appends a JSON string. Bytes that are not UTF-8 stay as they are, for the caller to
// find.
func appendText(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
