package safetensors

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/fmimg/fmimg/internal/bfloat16"
	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/float16"
)

const (
	// maxHeader is the longest header, in bytes, that is read or written.
	maxHeader = 1 << 20
	// lengthSize is the size of the header length in front of the header.
	lengthSize = 8
	// headerAlign divides the length of a header that is written. A header of any length is read.
	headerAlign = 8
	// metadataKey is the one key of the header that is not a tensor's name.
	metadataKey = "__metadata__"
	// chunkSize is the number of bytes that are converted at a time. Memory grows with the bytes
	// that have come in: the header may claim more than the file holds.
	chunkSize = 1 << 16
)

// within puts where, cut to the length of a line, in front of an error. nil stays nil.
func within(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%.80s: %w", where, err)
}

func tensorError(name string, err error) error {
	return within(fmt.Sprintf("tensor %.60q", name), err)
}

// Read reads a whole file, up to the end of r. It accepts no file that two readers could take
// differently. It refuses
//
//   - a header over 1 MiB, or one that does not begin with '{',
//   - duplicate keys, and unknown keys and types,
//   - shapes that do not match their offsets,
//   - holes and overlaps between tensors, and bytes after the last one,
//   - weights that are infinite or NaN.
//
// Errors name the tensor, not the file, which the caller knows. Of a file of another format, they
// say which. Memory stays within a small multiple of the bytes read, whatever the header claims.
func Read(r io.Reader) (*File, error) {
	f, err := readFile(r)
	return f, within("safetensors", err)
}

func readFile(r io.Reader) (*File, error) {
	buffered := bufio.NewReaderSize(r, filekind.HeadSize)
	f, order, err := readTensors(buffered)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, chunkSize)
	for _, i := range order {
		if err := f.Tensors[i].read(buffered, buf); err != nil {
			return nil, tensorError(f.Tensors[i].Name, err)
		}
	}
	if err := expectEnd(buffered); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadHeader is [Read] for the header alone: tensors have names, types and shapes, and no numbers.
// It reads no further than the header, but for a buffer.
func ReadHeader(r io.Reader) (*File, error) {
	f, _, err := readTensors(bufio.NewReaderSize(r, filekind.HeadSize))
	return f, within("safetensors", err)
}

// readTensors reads the header of a file: what tensors there are, and the order of their numbers.
func readTensors(r *bufio.Reader) (f *File, order []int, err error) {
	other := otherKind(r)
	header, err := readHeader(r)
	if err != nil {
		return nil, nil, cmp.Or(other, err)
	}
	f, spans, err := parseHeader(header)
	if err != nil {
		return nil, nil, cmp.Or(other, err)
	}
	order, err = dataOrder(f, spans)
	return f, order, err
}

// otherKind returns the error of a file that is of another kind by its first bytes, else nil. It
// leaves errors of reading to others, as they come again.
func otherKind(r *bufio.Reader) error {
	head, err := r.Peek(filekind.HeadSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	what, cure := filekind.Of(head)
	if what == "" || what == filekind.Safetensors {
		return nil
	}
	sentence := filekind.Sentence(what, cmp.Or(cure, "a file of tensors (safetensors) is needed"))
	if len(head) < lengthSize { // it may be the beginning of a good one
		return fmt.Errorf("%s (%w)", sentence, io.ErrUnexpectedEOF)
	}
	return errors.New(sentence)
}

// readHeader returns the bytes of the header.
func readHeader(r io.Reader) ([]byte, error) {
	var length [lengthSize]byte
	if n, err := io.ReadFull(r, length[:]); err != nil {
		return nil, within("header length", truncated(n, lengthSize, err))
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
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

// truncated says how many of the wanted bytes a read got before err stopped it.
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

// read takes t's elements from r by way of buf.
func (t *Tensor) read(r io.Reader, buf []byte) (err error) {
	n, _ := elements(t.Shape) // which fits: parseHeader has checked it
	switch t.DType {
	case F32:
		t.F32, err = readElements(r, buf, n, t.DType.width(), decodeF32)
	case F16:
		t.F32, err = readElements(r, buf, n, t.DType.width(), decodeF16)
	case BF16:
		t.F32, err = readElements(r, buf, n, t.DType.width(), decodeBF16)
	case F64:
		return t.readF64(r, buf, n)
	case I64:
		t.I64, err = readElements(r, buf, n, t.DType.width(), decodeI64)
	}
	if err != nil {
		return err
	}
	return checkFinite(t.F32)
}

// readElements reads n elements of width bytes by way of buf. Its slice at most doubles at a time.
// So a header that claims too much meets the end of the file before it costs memory.
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

// readF64 takes n elements of F64 and rounds them to float32.
func (t *Tensor) readF64(r io.Reader, buf []byte, n int) error {
	tooLarge := error(nil) // the first number that float32 does not have
	at := 0
	var err error
	t.F32, err = readElements(r, buf, n, t.DType.width(), func(dst []float32, src []byte) {
		for i := range dst {
			wide := math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
			dst[i] = float32(wide)
			if math.IsInf(float64(dst[i]), 0) && !math.IsInf(wide, 0) && tooLarge == nil {
				tooLarge = fmt.Errorf("element %d is %v, too large for float32", at+i, wide)
			}
		}
		at += len(dst)
	})
	if err == nil && tooLarge != nil {
		err = tooLarge
	}
	if err != nil {
		return err
	}
	return checkFinite(t.F32)
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float16.Float32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = bfloat16.Float32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func decodeI64(dst []int64, src []byte) {
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

// checkFinite fails when an element is infinite or NaN.
func checkFinite(x []float32) error {
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("element %d is %v, not a finite number", i, v)
		}
	}
	return nil
}
