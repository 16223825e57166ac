package array

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/pickle"
)

// CIFAR's Python versions are pickles of a dictionary: data is an array of rows of three planes,
// and labels, or fine_labels and coarse_labels, are lists. Package internal/pickle reads them as
// data.

// isPickle reports whether a file begins as a pickled dictionary does.
func isPickle(f *tree.File) bool {
	b := head(f, 4)
	switch {
	case len(b) < 4:
		return false
	case b[0] == 0x80 && b[1] <= 5:
		return b[2] == '}' || b[2] == '(' || b[2] == 0x95
	}
	return b[0] == '(' && b[1] == 'd' || b[0] == '}' && (b[1] == 'q' || b[1] == '(')
}

// maxPickle bounds a batch, which is read into memory. Those of ImageNet at 64x64 have 1.6 GB.
const maxPickle = 2<<30 - 1

// unpickled reads a pickled dictionary.
func unpickled(f *tree.File) (*pickle.Dict, error) {
	data, err := whole(f, maxPickle)
	if err != nil {
		return nil, err
	}
	v, err := pickle.Read(data)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, errors.New("it is a pickle, but not of a dictionary as CIFAR's files are")
	}
	return d, nil
}

// pickledNames reads the names of the classes.
func pickledNames(f *tree.File) ([]string, error) {
	name := path.Base(f.Name)
	d, err := unpickled(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, key := range []string{"fine_label_names", "label_names"} {
		list, ok := pickledValue(d, key).(*pickle.List)
		if !ok {
			continue
		}
		var classes []string
		for _, item := range list.Items {
			class, ok := pickle.String(item)
			if raw, isRaw := pickle.Raw(item); !ok && isRaw {
				class, ok = string(raw), true
			}
			if !ok || len(classes) == maxClasses {
				return nil, fmt.Errorf("%s: its %s are not texts", name, key)
			}
			classes = append(classes, class)
		}
		return classes, nil
	}
	return nil, fmt.Errorf("%s: it has no label_names", name)
}

// readPickle adds the images of a pickled batch to m.
func readPickle(_ *batches, f *tree.File, m *Images, l Limits) error {
	d, err := unpickled(f)
	if err != nil {
		return err
	}
	rows, width, err := pickledBytes(pickledValue(d, "data"))
	if err != nil {
		return fmt.Errorf("its data: %w", err)
	}
	s := side(width / 3)
	switch {
	case width%3 != 0 || s < minSide || s > maxSide:
		return fmt.Errorf("its data are rows of %d bytes, not of three planes of square images", width)
	case m.Height != 0 && m.Height != s:
		return fmt.Errorf("its images are %dx%d, those of the files before %dx%d", s, s, m.Height, m.Height)
	}
	m.Height, m.Width = s, s
	given, ok := pickledValue(d, "fine_labels").(*pickle.List)
	if !ok {
		given, ok = pickledValue(d, "labels").(*pickle.List)
	}
	if !ok {
		return errors.New("it has no list of labels or fine_labels")
	}
	n := len(rows) / width
	if n == 0 {
		return errors.New("it holds no image")
	}
	if len(given.Items) != n {
		return fmt.Errorf("%d images, but %d labels", n, len(given.Items))
	}
	for i, item := range given.Items {
		label, ok := item.(int64)
		if !ok || label < 0 || label >= maxClasses {
			return fmt.Errorf("the label of image %d is not a whole number from 0 to %d", i, maxClasses-1)
		}
		if err := m.add(rows[i*width:(i+1)*width], int32(label), l); err != nil {
			return err
		}
	}
	return nil
}

// pickledValue returns the value of a key, which Python 3 may have written as the bytes of a text.
func pickledValue(d *pickle.Dict, key string) any {
	if v := d.Get(key); v != nil {
		return v
	}
	for i, k := range d.Keys {
		if raw, ok := pickle.Raw(k); ok && string(raw) == key {
			return d.Values[i]
		}
	}
	return nil
}

// pickledBytes returns the bytes of a pickled array of two dimensions, the first varying slowest,
// and the length of its rows.
func pickledBytes(v any) (rows []byte, width int, err error) {
	call, ok := v.(*pickle.Call)
	if !ok {
		return nil, 0, errors.New("there is no array of NumPy")
	}
	of, _ := call.Of.(pickle.Global)
	var shape pickle.Tuple
	var raw, kind, fortran any
	state, _ := call.State.(pickle.Tuple)
	switch {
	case of.Name == "_reconstruct" && len(state) == 5: // version, shape, type, order, bytes
		shape, _ = state[1].(pickle.Tuple)
		kind, fortran, raw = state[2], state[3], state[4]
	case of.Name == "_frombuffer" && len(call.Args) == 4: // bytes, type, shape, order
		shape, _ = call.Args[2].(pickle.Tuple)
		raw, kind, fortran = call.Args[0], call.Args[1], call.Args[3]
	default:
		return nil, 0, errors.New("there is no array of NumPy")
	}
	bytes, ok := pickle.Raw(raw)
	if !ok {
		return nil, 0, errors.New("the array has no bytes")
	}
	if name := pickledType(kind); name != "u1" {
		return nil, 0, fmt.Errorf("the array holds %q, want u1 (uint8)", name)
	}
	if order, _ := pickle.String(fortran); fortran == true || order == "F" {
		return nil, 0, errors.New("the array is in Fortran's order: save numpy.ascontiguousarray of it")
	}
	return rowsOf(bytes, shape)
}

// rowsOf checks the shape of an array.
func rowsOf(bytes []byte, shape pickle.Tuple) (rows []byte, width int, err error) {
	n := int64(1) // bytes of a row; no product overflows, as no factor is above len(bytes)
	for i, d := range shape {
		size, ok := d.(int64)
		if !ok || size < 0 || size > int64(len(bytes)) || i > 0 && n*size > int64(len(bytes)) {
			return nil, 0, fmt.Errorf("the array claims more than its %d bytes: %w", len(bytes), io.ErrUnexpectedEOF)
		}
		if i > 0 {
			n *= size
		}
	}
	if len(shape) < 2 || n < 1 || int64(len(bytes)) != n*shape[0].(int64) {
		return nil, 0, fmt.Errorf("the array has %d dimensions and %d bytes, want rows", len(shape), len(bytes))
	}
	return bytes, int(n), nil
}

// pickledType returns the name of a pickled type of numbers.
func pickledType(v any) string {
	call, ok := v.(*pickle.Call)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	name, _ := pickle.String(call.Args[0])
	if raw, ok := pickle.Raw(call.Args[0]); ok {
		name = string(raw)
	}
	return name
}
