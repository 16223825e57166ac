package nn

import (
	"fmt"
	"slices"
)

// A Layout says how the elements of a parameter are ordered in the flat vectors.
type Layout uint8

const (
	// Plain is PyTorch's own order.
	Plain Layout = iota
	// HWIO holds a weight as [KH][KW][IC][OC], the order in which kernels read and write it. Its
	// shape is [OC, IC, KH, KW], or [OC, IC, 1], or a linear layer's [OC, IC].
	HWIO
)

// A Param is a named tensor inside the flat vectors of a [Params].
type Param struct {
	Name   string // PyTorch's name in the state dict
	Shape  []int  // PyTorch's shape
	Off    int    // index of the first element in every flat vector
	Layout Layout
}

// Len returns the number of elements.
func (p *Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Of returns p's elements in a flat vector: values, a gradient, an average, an optimiser's moment.
func (p *Param) Of(flat []float32) []float32 { return flat[p.Off : p.Off+p.Len() : p.Off+p.Len()] }

// ofGrad is Of for a gradient, which may be nil.
func (p *Param) ofGrad(flat []float32) []float32 {
	if flat == nil {
		return nil
	}
	return p.Of(flat)
}

// Params is the set of all parameters of a network. Values, gradients and the optimiser's state are
// flat vectors of the same length and order. So element-wise work on them can be cut anywhere.
type Params struct {
	List   []*Param
	Values []float32

	byName map[string]*Param
}

// Len returns the number of elements of all parameters.
func (p *Params) Len() int { return len(p.Values) }

// Lookup returns the parameter of that name, or nil.
func (p *Params) Lookup(name string) *Param { return p.byName[name] }

// Add appends a parameter of zeros. When a parameter of that name is there already, Add returns it,
// and panics if its shape is another one.
func (p *Params) Add(name string, layout Layout, shape ...int) *Param {
	if old := p.byName[name]; old != nil {
		if !slices.Equal(old.Shape, shape) || old.Layout != layout {
			panic(fmt.Sprintf("nn: parameter %s has shape %v, asked for %v", name, old.Shape, shape))
		}
		return old
	}
	if p.byName == nil {
		p.byName = map[string]*Param{}
	}
	q := &Param{Name: name, Shape: shape, Off: len(p.Values), Layout: layout}
	p.Values = append(p.Values, make([]float32, q.Len())...)
	p.List = append(p.List, q)
	p.byName[name] = q
	return q
}

// Export copies p's elements from a flat vector into PyTorch's order.
func (p *Param) Export(flat []float32) []float32 {
	out := make([]float32, p.Len())
	p.permute(out, p.Of(flat), func(pt, own []float32, i, j int) { pt[i] = own[j] })
	return out
}

// Import copies values in PyTorch's order into p's place in a flat vector.
func (p *Param) Import(flat, values []float32) {
	if len(values) != p.Len() {
		panic(fmt.Sprintf("nn: parameter %s has %d elements, given %d", p.Name, p.Len(), len(values)))
	}
	p.permute(values, p.Of(flat), func(pt, own []float32, i, j int) { own[j] = pt[i] })
}

// permute calls f for each element, with its index in PyTorch's order and its index in our own.
func (p *Param) permute(pt, own []float32, f func(pt, own []float32, i, j int)) {
	oc, inner, taps := p.Len(), 1, 1
	if p.Layout == HWIO {
		oc, inner, taps = p.Shape[0], p.Shape[1], p.Len()/(p.Shape[0]*p.Shape[1])
	}
	for o := range oc {
		for c := range inner {
			for t := range taps {
				f(pt, own, (o*inner+c)*taps+t, (t*inner+c)*oc+o)
			}
		}
	}
}
