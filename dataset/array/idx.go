package array

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/fmimg/fmimg/dataset/tree"
)

// The IDX format (http://yann.lecun.com/exdb/mnist/) begins with two zero bytes, a byte for the
// type of the elements and a byte for the number of dimensions. Then come the dimensions, each as
// 32 bits with the highest byte first, and the elements. The last dimension varies fastest.

// idxMaxDims bounds the header: images have 3 dimensions, and 4 with channels.
const idxMaxDims = 4

// idxTypes are the types of elements, as [kindOf] names them.
var idxTypes = map[byte]string{0x08: "u1", 0x09: "i1", 0x0b: "i2", 0x0c: "i4", 0x0d: "f4", 0x0e: "f8"}

// readIDX reads the header of an IDX file, compressed or not.
func readIDX(f *tree.File) (numbers, error) {
	a := numbers{name: path.Base(f.Name), stored: f.Size, exact: true}
	r, packed, err := unpacked(f)
	if err != nil {
		return numbers{}, fmt.Errorf("%s: %w", a.name, err)
	}
	defer func() { _ = r.Close() }()
	a.packed = packed
	if err := a.idxHeader(r); err != nil {
		return numbers{}, fmt.Errorf("%s: %w", a.name, err)
	}
	offset := int64(4 + 4*len(a.dims))
	a.open = func() (io.ReadCloser, error) { return skipTo(f, offset) }
	if !packed {
		a.stored -= offset
	}
	return a, nil
}

// idxHeader reads the type and the dimensions.
func (a *numbers) idxHeader(r io.Reader) error {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return cutOff("header", err)
	}
	if magic[0] != 0 || magic[1] != 0 {
		return fmt.Errorf("it begins with %#x, not with two zero bytes: is it an IDX file?", magic)
	}
	known := false
	if a.kind, known = kindOf(idxTypes[magic[2]], binary.BigEndian); !known {
		return fmt.Errorf("elements of type %#02x, which IDX does not have: is it an IDX file?", magic[2])
	}
	if n := magic[3]; n == 0 || n > idxMaxDims {
		return fmt.Errorf("%d dimensions, want 1 to %d", n, idxMaxDims)
	}
	packed := make([]byte, 4*int(magic[3]))
	if _, err := io.ReadFull(r, packed); err != nil {
		return cutOff("header", err)
	}
	for ; len(packed) > 0; packed = packed[4:] {
		d := binary.BigEndian.Uint32(packed)
		if int64(d) != int64(int(d)) {
			return errors.New("a dimension is larger than this machine can count")
		}
		a.dims = append(a.dims, int(d))
	}
	return nil
}
