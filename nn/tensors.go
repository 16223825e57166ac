package nn

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/safetensors"
)

// AppendTensors appends a tensor for each parameter to a file. Its elements come from a flat
// vector, its name is the parameter's behind a prefix.
func (p *Params) AppendTensors(f *safetensors.File, prefix string, dtype safetensors.DType, flat []float32) {
	for _, q := range p.List {
		t := safetensors.Tensor{Name: prefix + q.Name, DType: dtype, Shape: q.Shape, F32: q.Export(flat)}
		f.Tensors = append(f.Tensors, t)
	}
}

// SetValues fills a flat vector from the tensors whose names begin with the prefix. There must be
// one for each parameter, of its shape, and no other.
func (p *Params) SetValues(f *safetensors.File, prefix string, flat []float32) error {
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
