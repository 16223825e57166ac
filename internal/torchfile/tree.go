package torchfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/pickle"
)

// deepest bounds how deep dictionaries lie in each other, and mostValues how many values are looked
// at: a small pickle may refer to one tuple so often that there is no end to it.
const (
	deepest    = 32
	mostValues = 1 << 22
)

var errValues = errors.New("it holds too many values: save model.state_dict() alone")

// known are the modules whose objects a checkpoint may hold, each with all below it: those of
// PyTorch, and those that trainers keep beside the weights. Nothing of them is run.
var known = []string{
	"torch", "collections", "numpy", "argparse", "pathlib", "_codecs", "omegaconf", "lightning", "pytorch_lightning",
}

// plain are the builtins of data.
var plain = []string{"set", "frozenset", "dict", "list", "tuple", "int", "float", "bool", "str", "bytes", "bytearray", "complex"}

// allowed reports whether a checkpoint may hold objects of a class.
func allowed(g pickle.Global) bool {
	top, _, _ := strings.Cut(g.Module, ".")
	if top == "builtins" || top == "__builtin__" {
		return slices.Contains(plain, g.Name)
	}
	return slices.Contains(known, top)
}

// A walker finds the dictionaries with tensors in what a pickle holds.
type walker struct {
	dicts []Dict
	seen  map[any]bool // what has been walked over, by pointer
	steps int          // values that have been looked at
}

// find returns the dictionaries with tensors below a value.
func find(v any) ([]Dict, error) {
	w := &walker{seen: map[any]bool{}}
	if err := w.walk("", v, 0); err != nil {
		return nil, err
	}
	if len(w.dicts) == 0 {
		return nil, errors.New("it holds no dictionary of tensors: save model.state_dict() there")
	}
	return w.dicts, nil
}

func (w *walker) walk(path string, v any, depth int) error {
	if depth > deepest {
		return errors.New("its dictionaries lie too deep in each other")
	}
	if w.steps++; w.steps > mostValues {
		return errValues
	}
	switch v := v.(type) {
	case pickle.Global:
		if !allowed(v) {
			return unknown(v)
		}
	case pickle.Tuple:
		return w.each(path, v, depth)
	case *pickle.List:
		return w.once(v, func() error { return w.each(path, v.Items, depth) })
	case *pickle.Dict:
		return w.once(v, func() error { return w.dict(path, v, depth) })
	case *pickle.Call:
		return w.once(v, func() error { return w.call(path, v, depth) })
	}
	return nil
}

// once walks over a value that may be referred to several times.
func (w *walker) once(pointer any, walk func() error) error {
	if w.seen[pointer] {
		return nil
	}
	w.seen[pointer] = true
	return walk()
}

func (w *walker) each(path string, items []any, depth int) error {
	for _, item := range items {
		if err := w.walk(path, item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// call walks over an object, which is not made.
func (w *walker) call(path string, c *pickle.Call, depth int) error {
	of, ok := c.Of.(pickle.Global)
	if !ok {
		return errors.New("it calls what is not a class")
	}
	if !allowed(of) {
		return unknown(of)
	}
	if err := w.each(path, c.Args, depth); err != nil {
		return err
	}
	if err := w.dict(path, &c.Entries, depth); err != nil {
		return err
	}
	return w.walk(path, c.State, depth+1)
}

// dict notes the tensors of a dictionary, and walks over its other values.
func (w *walker) dict(path string, d *pickle.Dict, depth int) error {
	here := Dict{Path: path}
	at := len(w.dicts)
	w.dicts = append(w.dicts, here) // before those below it
	for i, key := range d.Keys {
		name, ok := pickle.String(key)
		if !ok {
			name = fmt.Sprint(key)
		}
		t, ok, err := tensor(d.Values[i])
		if err != nil {
			return fmt.Errorf("tensor %.60q: %w", name, err)
		}
		if ok {
			t.Name = name
			here.Tensors = append(here.Tensors, t)
			continue
		}
		below := name
		if path != "" {
			below = path + "." + name
		}
		if err := w.walk(below, d.Values[i], depth+1); err != nil {
			return err
		}
	}
	if w.dicts[at] = here; len(here.Tensors) == 0 {
		w.dicts = slices.Delete(w.dicts, at, at+1)
	}
	return nil
}

func unknown(g pickle.Global) error {
	return fmt.Errorf("it holds %.80q, which is not a tensor: nothing in a file is run, so save model.state_dict() alone",
		g.Module+"."+g.Name)
}

// tensor returns the tensor of floats that a call would have made. ok is false for all else.
func tensor(v any) (t Tensor, ok bool, err error) {
	c, isCall := v.(*pickle.Call)
	if !isCall {
		return t, false, nil
	}
	of, _ := c.Of.(pickle.Global)
	if of.Module != "torch._utils" {
		return t, false, nil
	}
	switch of.Name {
	case "_rebuild_parameter", "_rebuild_parameter_with_state":
		if len(c.Args) == 0 || c.Args[0] == v {
			return t, false, errors.New("a parameter without a tensor")
		}
		if inner, isCall := c.Args[0].(*pickle.Call); isCall && inner.Of != c.Of {
			return tensor(inner)
		}
		return t, false, nil
	case "_rebuild_tensor", "_rebuild_tensor_v2":
		return rebuilt(c.Args)
	}
	return t, false, nil
}

// rebuilt reads the arguments of torch._utils._rebuild_tensor_v2: a storage, an offset, a shape and
// strides.
func rebuilt(args pickle.Tuple) (t Tensor, ok bool, err error) {
	wrong := errors.New("it is not described as PyTorch does")
	if len(args) < 4 {
		return t, false, wrong
	}
	p, _ := args[0].(pickle.Persistent)
	id, _ := p.ID.(pickle.Tuple)
	if len(id) < 5 {
		return t, false, wrong
	}
	of, _ := id[1].(pickle.Global)
	key, isText := pickle.String(id[2])
	if what, _ := pickle.String(id[0]); what != "storage" || !isText {
		return t, false, wrong
	}
	if len(id) > 5 && id[5] != nil { // of the older layout: a part of another storage
		return t, false, errors.New("it is a view of another storage: save it there with a newer PyTorch")
	}
	if t.kind, ok = kinds[of.Name]; !ok {
		return t, false, nil // whole numbers and the like
	}
	offset, isInt := args[1].(int64)
	shape, strides := integers(args[2]), integers(args[3])
	if !isInt || shape == nil || strides == nil {
		return t, false, wrong
	}
	t.storage, t.offset, t.strides = key, offset, strides
	for _, d := range shape {
		if d < 0 || d > 1<<31 {
			return t, false, wrong
		}
		t.Shape = append(t.Shape, int(d))
	}
	err = t.check()
	return t, true, err
}

// integers returns a tuple of whole numbers, or nil for another value.
func integers(v any) []int64 {
	items, ok := v.(pickle.Tuple)
	if !ok {
		return nil
	}
	out := make([]int64, 0, len(items))
	for _, item := range items {
		n, ok := item.(int64)
		if !ok {
			return nil
		}
		out = append(out, n)
	}
	return out
}
