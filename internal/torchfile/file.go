package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/fmimg/fmimg/internal/bfloat16"
	"github.com/fmimg/fmimg/internal/float16"
)

// A File is what torch.save wrote, without the numbers.
type File struct {
	// Dicts are the dictionaries that hold tensors of floats, in the order of the file.
	Dicts []Dict

	order  binary.ByteOrder
	stored func(key string) (io.Reader, int64, error) // the bytes of a storage, and how many
	size   int64                                      // of the file, in bytes
}

// A Dict is a dictionary with tensors of floats. Others of its values are left out.
type Dict struct {
	Path    string // the keys that lead to it, with dots between; empty for the file itself
	Tensors []Tensor
}

// A Tensor is a tensor of floats: what is known of it without its numbers.
type Tensor struct {
	Name  string
	Shape []int

	storage string
	kind    kind
	offset  int64 // in numbers
	strides []int64
}

// A kind is a type of numbers.
type kind struct {
	bytes int64
	read  func(order binary.ByteOrder, raw []byte) float32
}

// kinds are the types of floats, by the names of their storages.
var kinds = map[string]kind{
	"FloatStorage":    {4, func(o binary.ByteOrder, raw []byte) float32 { return math.Float32frombits(o.Uint32(raw)) }},
	"DoubleStorage":   {8, func(o binary.ByteOrder, raw []byte) float32 { return float32(math.Float64frombits(o.Uint64(raw))) }},
	"HalfStorage":     {2, func(o binary.ByteOrder, raw []byte) float32 { return float16.Float32(o.Uint16(raw)) }},
	"BFloat16Storage": {2, func(o binary.ByteOrder, raw []byte) float32 { return bfloat16.Float32(o.Uint16(raw)) }},
}

// Read finds the tensors of a file of a given size in bytes.
func Read(r io.ReaderAt, size int64) (*File, error) {
	start := make([]byte, len(oldMagic))
	if _, err := r.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte(oldMagic)) {
		return readOld(r, size)
	}
	return readZip(r, size)
}

// most bounds the numbers of one dictionary by the size of the file: tensors may share storage.
const most = 4

// Load returns the numbers of tensors, each in C order.
func (f *File) Load(tensors []Tensor) ([][]float32, error) {
	total := int64(0)
	for i := range tensors {
		n := tensors[i].len()
		if n > f.size || total > most*f.size {
			return nil, errors.New("its tensors are larger than the file")
		}
		total += n
	}
	values := make([][]float32, len(tensors))
	byStorage := map[string][]int{}
	var keys []string
	for i := range tensors {
		key := tensors[i].storage
		if byStorage[key] == nil {
			keys = append(keys, key)
		}
		byStorage[key] = append(byStorage[key], i)
	}
	for _, key := range keys {
		raw, err := f.storage(key)
		if err != nil {
			return nil, err
		}
		for _, i := range byStorage[key] {
			if values[i], err = tensors[i].values(f.order, raw); err != nil {
				return nil, fmt.Errorf("tensor %.60q: %w", tensors[i].Name, err)
			}
		}
	}
	return values, nil
}

// storage returns the bytes of a storage.
func (f *File) storage(key string) ([]byte, error) {
	r, n, err := f.stored(key)
	if err != nil {
		return nil, fmt.Errorf("storage %.60q: %w", key, err)
	}
	if n > f.size {
		return nil, fmt.Errorf("storage %.60q: it is larger than the file", key)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("storage %.60q: %w: copy the file again", key, err)
	}
	return raw, nil
}

// len returns the number of elements.
func (t *Tensor) len() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d) // check has bounded them
	}
	return n
}

// values gathers the numbers of a tensor from its storage.
func (t *Tensor) values(order binary.ByteOrder, raw []byte) ([]float32, error) {
	n := t.len()
	last := t.offset
	for i, d := range t.Shape {
		last += int64(max(d-1, 0)) * t.strides[i]
	}
	if n > 0 && (last < 0 || last >= int64(len(raw))/t.kind.bytes) {
		return nil, errors.New("its numbers lie outside of its storage: copy the file again")
	}
	out := make([]float32, n)
	at, index := t.offset, make([]int, len(t.Shape))
	for i := range out {
		v := t.kind.read(order, raw[at*t.kind.bytes:])
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("number %d is %v: only finite ones are weights", i, v)
		}
		out[i] = v
		for d := len(index) - 1; d >= 0; d-- {
			index[d]++
			at += t.strides[d]
			if index[d] < t.Shape[d] {
				break
			}
			at -= int64(index[d]) * t.strides[d]
			index[d] = 0
		}
	}
	return out, nil
}

// check refuses shapes, offsets and strides that no tensor has.
func (t *Tensor) check() error {
	if len(t.Shape) > 16 || len(t.Shape) != len(t.strides) {
		return errors.New("its shape and strides do not fit")
	}
	n := int64(1)
	for i, d := range t.Shape {
		if d < 0 || t.strides[i] < 0 || t.strides[i] > math.MaxInt32 {
			return errors.New("its shape or strides are out of range")
		}
		if n *= int64(d); n > math.MaxInt32 || d > math.MaxInt32 {
			return errors.New("it is larger than 2³¹ numbers")
		}
	}
	if t.offset < 0 || t.offset > math.MaxInt32 {
		return errors.New("its offset is out of range")
	}
	return nil
}

// Tensor returns the tensor of that name, or nil.
func (d *Dict) Tensor(name string) *Tensor {
	i := slices.IndexFunc(d.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &d.Tensors[i]
}
