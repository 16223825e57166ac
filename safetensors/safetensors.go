package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// DType names the type of a tensor's elements in the file.
type DType string

// The types that are read and written; all are little endian.
const (
	F32 DType = "F32" // IEEE 754 binary32
	F16 DType = "F16" // IEEE 754 binary16, float32 in memory
	I64 DType = "I64" // two's complement
)

// width returns the bytes that an element takes in the file; 0 for a type that is not supported.
func (d DType) width() int {
	switch d {
	case F32:
		return 4
	case F16:
		return 2
	case I64:
		return 8
	}
	return 0
}

// A Tensor is one named array of a [File], in C order (the last dimension varies fastest).
type Tensor struct {
	Name  string
	DType DType     // the type in the file: F16 is widened into F32 on reading and narrowed on writing
	Shape []int     // empty for a scalar; a dimension of 0 makes an empty tensor
	F32   []float32 // the elements when DType is F32 or F16, all finite
	I64   []int64   // the elements when DType is I64
}

// Len returns the number of elements in memory.
func (t *Tensor) Len() int {
	if t.DType == I64 {
		return len(t.I64)
	}
	return len(t.F32)
}

// A File is the content of a safetensors file. The order of Tensors is that of the header, and of the
// data in what [Write] writes.
type File struct {
	Metadata map[string]string // free text, "__metadata__" in the file
	Tensors  []Tensor
}

// Tensor returns the tensor of that name, or nil. It looks through all of them.
func (f *File) Tensor(name string) *Tensor {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i]
		}
	}
	return nil
}

const (
	// maxHeader is the longest header, in bytes, that is read or written.
	maxHeader = 1 << 20
	// lengthSize is the size of the header length in front of the header.
	lengthSize = 8
	// headerAlign is what the header's length is a multiple of when written; any length is read.
	headerAlign = 8
	// metadataKey is the one key of the header that names no tensor.
	metadataKey = "__metadata__"
	// chunkSize is how much is converted at a time. What a header claims is never taken on trust:
	// memory grows with the bytes that have come in.
	chunkSize = 1 << 16
)

// elements multiplies a shape out; false when it does not fit in an int or a dimension is negative.
func elements(shape []int) (int, bool) {
	n := uint64(1)
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if d < 0 || hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	return int(n), true
}

// within puts where in front of an error; nil stays nil. What is longer than a line is cut.
func within(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%.80s: %w", where, err)
}

func tensorError(name string, err error) error {
	return within(fmt.Sprintf("tensor %.60q", name), err)
}

// Read reads a whole file, up to the end of r, and accepts nothing that two readers could
// take differently. It refuses a header over 1 MiB or one that does not begin with '{', duplicate
// keys, unknown keys and types, shapes that do not match their offsets, holes and overlaps between
// tensors, bytes after the last one, and weights that are infinite or NaN. Errors name the tensor, not
// the file, which the caller knows. Memory stays within a small multiple of the bytes read, whatever
// the header claims.
func Read(r io.Reader) (*File, error) {
	f, err := readFile(r)
	return f, within("safetensors", err)
}

func readFile(r io.Reader) (*File, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	f, spans, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	order, err := dataOrder(f, spans)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, chunkSize)
	for _, i := range order {
		if err := f.Tensors[i].read(r, buf); err != nil {
			return nil, tensorError(f.Tensors[i].Name, err)
		}
	}
	if err := expectEnd(r); err != nil {
		return nil, err
	}
	return f, nil
}

// readHeader returns the header's bytes.
func readHeader(r io.Reader) ([]byte, error) {
	var length [lengthSize]byte
	if n, err := io.ReadFull(r, length[:]); err != nil {
		return nil, within("header length", truncated(n, lengthSize, err))
	}
	n := binary.LittleEndian.Uint64(length[:])
	torch := bytes.HasPrefix(length[:], []byte("PK\x03\x04")) || bytes.HasPrefix(length[:], []byte("\x80\x02")) // a zip, a pickle
	switch {
	case n > maxHeader && torch:
		return nil, errors.New("this is a file of PyTorch's torch.save: save the weights there with safetensors.torch.save_file")
	case n > maxHeader:
		return nil, fmt.Errorf("header of %d bytes, the most is %d: is it a safetensors file?", n, maxHeader)
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, within("header", err)
	}
	if len(header) < int(n) {
		return nil, within("header", truncated(len(header), int(n), io.EOF))
	}
	return header, nil
}

// truncated says how far a read came; err is what stopped it.
func truncated(got, want int, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("file ends after %d of %d bytes (is the copy complete?): %w", got, want, io.ErrUnexpectedEOF)
}

// expectEnd fails when bytes follow the last tensor.
func expectEnd(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return within("after the last tensor", err)
	}
	return errors.New("bytes follow the last tensor: copy the file again")
}

// read takes t's elements from r; buf is scratch.
func (t *Tensor) read(r io.Reader, buf []byte) (err error) {
	n, _ := elements(t.Shape) // the header's checks saw to it that it fits
	switch t.DType {
	case F32:
		t.F32, err = readElements(r, buf, n, t.DType.width(), decodeF32)
	case F16:
		t.F32, err = readElements(r, buf, n, t.DType.width(), decodeF16)
	case I64:
		t.I64, err = readElements(r, buf, n, t.DType.width(), decodeI64)
	}
	if err != nil {
		return err
	}
	return checkFinite(t.F32)
}

// readElements reads n elements of width bytes by way of buf. The slice at most doubles at a time, so
// that a header which claims too much runs into the end of the file first.
func readElements[T any](r io.Reader, buf []byte, n, width int, decode func(dst []T, src []byte)) ([]T, error) {
	perChunk := len(buf) / width
	out := make([]T, 0, min(n, perChunk))
	for len(out) < n {
		from := len(out)
		k := min(n-from, perChunk)
		got, err := io.ReadFull(r, buf[:k*width])
		if err != nil {
			return nil, truncated(from*width+got, n*width, err)
		}
		if from+k > cap(out) {
			out = append(make([]T, 0, min(n, 2*(from+k))), out...)
		}
		out = out[:from+k]
		decode(out[from:], buf[:k*width])
	}
	return out, nil
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = widenHalf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func decodeI64(dst []int64, src []byte) {
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

func checkFinite(x []float32) error {
	for i, v := range x {
		if math.Float32bits(v)&floatInf == floatInf {
			return fmt.Errorf("element %d is %v, not a finite number", i, v)
		}
	}
	return nil
}

// Write writes f with its tensors in the order given and its metadata sorted by key, so that
// the same content gives the same bytes. The header is padded with spaces to a multiple of 8 bytes.
// F16 tensors are rounded to the nearest, ties to even. What [Read] would refuse, and numbers
// that are too large for F16, are an error before the first byte is written.
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

// check fails when the elements cannot be written as the type and shape say.
func (t *Tensor) check() error {
	if t.DType.width() == 0 {
		return unknownType(t.DType)
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
		if narrowHalf(v)&halfInf == halfInf {
			return fmt.Errorf("element %d is %v, too large for F16, which ends at 65504: write F32", i, v)
		}
	}
	return nil
}

// write gives t's elements to w by way of buf, which is empty and has room for a chunk.
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
		dst = binary.LittleEndian.AppendUint16(dst, narrowHalf(x))
	}
	return dst
}

func appendI64(dst []byte, src []int64) []byte {
	for _, x := range src {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}
