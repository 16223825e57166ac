package safetensors

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// DType names the type of a tensor's elements in the file.
type DType string

// The types that are read; all are little endian. BF16 and F64 are not written.
const (
	F32  DType = "F32"  // IEEE 754 binary32
	F16  DType = "F16"  // IEEE 754 binary16, float32 in memory
	BF16 DType = "BF16" // bfloat16, the upper half of a binary32, float32 in memory
	F64  DType = "F64"  // IEEE 754 binary64, rounded to float32 in memory
	I64  DType = "I64"  // two's complement
)

// written reports whether [Write] writes a type.
func (d DType) written() bool { return d == F32 || d == F16 || d == I64 }

// width returns the bytes that an element takes in the file, or 0 for a type that is not supported.
func (d DType) width() int {
	switch d {
	case F32:
		return 4
	case F16, BF16:
		return 2
	case I64, F64:
		return 8
	}
	return 0
}

// A Tensor is one named array of a [File], in C order: the last dimension varies fastest.
type Tensor struct {
	Name  string
	DType DType     // in the file; reading makes all floats float32, writing narrows them to F16
	Shape []int     // empty for a scalar; a dimension of 0 makes an empty tensor
	F32   []float32 // the elements if DType is F32, F16, BF16 or F64, all finite
	I64   []int64   // the elements if DType is I64
}

// Len returns the number of elements in memory.
func (t *Tensor) Len() int {
	if t.DType == I64 {
		return len(t.I64)
	}
	return len(t.F32)
}

// A File is the content of a safetensors file. Tensors are in the order of the header. [Write] puts
// their data in the same order.
type File struct {
	Metadata map[string]string // free text, "__metadata__" in the file
	Tensors  []Tensor
}

// Tensor returns the tensor of that name, or nil. It looks through all tensors.
func (f *File) Tensor(name string) *Tensor {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i]
		}
	}
	return nil
}

// NewFile returns a file without tensors that PyTorch's library reads too. Its metadata is meta
// and, under key, a configuration as JSON. config must have JSON, as numbers and text do.
func NewFile(key string, config any, meta map[string]string) *File {
	f := &File{Metadata: map[string]string{"format": "pt"}}
	f.SetJSON(key, config)
	maps.Copy(f.Metadata, meta)
	return f
}

// SetJSON sets a metadata entry to the JSON of v. It panics when v has no JSON.
func (f *File) SetJSON(key string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("safetensors: metadata %s: %v", key, err))
	}
	if f.Metadata == nil {
		f.Metadata = map[string]string{}
	}
	f.Metadata[key] = string(text)
}

// Len returns the number of elements of all tensors.
func (f *File) Len() int {
	n := 0
	for i := range f.Tensors {
		n += f.Tensors[i].Len()
	}
	return n
}

// Floats returns the elements of the tensor of that name. They must be floats, and of the given
// shape.
func (f *File) Floats(name string, shape ...int) ([]float32, error) {
	t := f.Tensor(name)
	if t != nil && t.DType != I64 && slices.Equal(t.Shape, shape) {
		return t.F32, nil
	}
	has := "none"
	if t != nil {
		has = fmt.Sprintf("%s of shape %v", t.DType, t.Shape)
	}
	return nil, fmt.Errorf("tensor %s: wanted are floats of shape %v, the file has %s", name, shape, has)
}

// elements returns the product of the dimensions. It is false when a dimension is negative, or when
// the product does not fit in an int.
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
