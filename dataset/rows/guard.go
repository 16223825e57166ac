package rows

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// The types of Thrift's compact protocol, as a list or a field names them.
const (
	typeTrue = iota + 1
	typeFalse
	typeByte
	typeInt16
	typeInt32
	typeInt64
	typeDouble
	typeBinary
	typeList
	typeSet
	typeMap
	typeStruct
)

const (
	// maxDepth bounds how deep structures lie in each other.
	maxDepth = 32
	// freeItems and bytesPerItem bound the items of lists. One takes up to a kilobyte when it is
	// decoded; a column of a row group, which is the largest, has some hundred bytes in a file.
	freeItems    = 1 << 12
	bytesPerItem = 32
)

var errThrift = errors.New("its metadata are cut off or damaged")

// A guard walks over a structure before it is decoded.
type guard struct {
	in    []byte
	items int // that may still come
}

// decode decodes a structure at the beginning of data, and returns how long it is. It checks first
// that what the structure claims is there, so that memory is bounded by the length of data.
func decode(data []byte, to any) (length int, err error) {
	g := &guard{in: data, items: freeItems + len(data)/bytesPerItem}
	if err := g.structure(0); err != nil {
		return 0, err
	}
	length = len(data) - len(g.in)
	var protocol thrift.CompactProtocol
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(data[:length:length])).Decode(to); err != nil {
		return 0, fmt.Errorf("%w: %w", errThrift, err)
	}
	return length, nil
}

// byte returns the next byte.
func (g *guard) byte() (byte, error) {
	if len(g.in) == 0 {
		return 0, errThrift
	}
	b := g.in[0]
	g.in = g.in[1:]
	return b, nil
}

// number returns a number of variable length.
func (g *guard) number() (uint64, error) {
	n, length := binary.Uvarint(g.in)
	if length <= 0 {
		return 0, errThrift
	}
	g.in = g.in[length:]
	return n, nil
}

// skip passes over n bytes.
func (g *guard) skip(n uint64) error {
	if n > uint64(len(g.in)) {
		return errThrift
	}
	g.in = g.in[n:]
	return nil
}

// structure passes over the fields of a structure.
func (g *guard) structure(depth int) error {
	if depth > maxDepth {
		return errThrift
	}
	for {
		head, err := g.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := g.number(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind == typeTrue || kind == typeFalse {
			continue // the type is the value
		} else if err := g.value(kind, depth); err != nil {
			return err
		}
	}
}

// value passes over a value that is not in the type itself.
func (g *guard) value(kind byte, depth int) error {
	switch kind {
	case typeTrue, typeFalse, typeByte:
		return g.skip(1)
	case typeInt16, typeInt32, typeInt64:
		_, err := g.number()
		return err
	case typeDouble:
		return g.skip(8)
	case typeBinary:
		n, err := g.number()
		if err != nil {
			return err
		}
		return g.skip(n)
	case typeList, typeSet:
		return g.list(depth)
	case typeMap:
		return g.dictionary(depth)
	case typeStruct:
		return g.structure(depth + 1)
	}
	return errThrift
}

// list passes over a list or a set.
func (g *guard) list(depth int) error {
	head, err := g.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = g.number(); err != nil {
			return err
		}
	}
	if kind := head & 15; kind < typeList { // a number or a text takes little more than in the file
		g.items += int(min(n, uint64(len(g.in))))
	}
	return g.each(n, func() error { return g.value(head&15, depth+1) })
}

// dictionary passes over a map.
func (g *guard) dictionary(depth int) error {
	n, err := g.number()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := g.byte()
	if err != nil {
		return err
	}
	return g.each(n, func() error {
		if err := g.value(kinds>>4, depth+1); err != nil {
			return err
		}
		return g.value(kinds&15, depth+1)
	})
}

// each passes over n items.
func (g *guard) each(n uint64, item func() error) error {
	if n > uint64(len(g.in)) || n > uint64(g.items) {
		return errThrift
	}
	g.items -= int(n)
	for range n {
		if err := item(); err != nil {
			return err
		}
	}
	return nil
}
