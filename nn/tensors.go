package nn

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// AppendTensors appends all parameters, taken from a flat vector, under their names behind a prefix.
func (p *Params) AppendTensors(f *File, prefix string, dtype DType, flat []float32) {
	for _, q := range p.List {
		f.Tensors = append(f.Tensors, Tensor{Name: prefix + q.Name, DType: dtype, Shape: q.Shape, F32: q.Export(flat)})
	}
}

// SetValues fills a flat vector from the tensors whose names begin with the prefix: exactly the
// parameters of this network must be there, in their shapes.
func (p *Params) SetValues(f *File, prefix string, flat []float32) error {
	for _, q := range p.List {
		values, err := f.Floats(prefix+q.Name, q.Shape...)
		if err != nil {
			return err
		}
		q.Import(flat, values)
	}
	for _, t := range f.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok && p.Lookup(name) == nil {
			return fmt.Errorf("tensor %s: no such parameter in this network", t.Name)
		}
	}
	return nil
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
