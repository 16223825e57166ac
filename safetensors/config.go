package safetensors

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// NewFile returns a file without tensors whose metadata is meta and, under key, a configuration as JSON: numbers and text alone.
func NewFile(key string, config any, meta map[string]string) *File {
	text, err := json.Marshal(config)
	if err != nil {
		panic(err) // numbers and text
	}
	f := &File{Metadata: map[string]string{"format": "pt", key: string(text)}}
	maps.Copy(f.Metadata, meta)
	return f
}

// Floats returns the elements of the tensor of a name, which must be floats of the given shape.
func (f *File) Floats(name string, shape ...int) ([]float32, error) {
	t := f.Tensor(name)
	if t != nil && t.DType != I64 && slices.Equal(t.Shape, shape) {
		return t.F32, nil
	}
	has := "none"
	if t != nil {
		has = fmt.Sprintf("%s of shape %v", t.DType, t.Shape)
	}
	return nil, fmt.Errorf("tensor %s: the network wants floats of shape %v, the file has %s", name, shape, has)
}
