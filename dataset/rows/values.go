package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// length32 returns the length that stands before bytes or levels.
func length32(data []byte) (n int, ok bool) {
	if len(data) < 4 {
		return 0, false
	}
	n = int(binary.LittleEndian.Uint32(data))
	return n, n >= 0 && n <= len(data)
}

// A value is a value of a column: bytes or a whole number, or neither where it is null.
type value struct {
	null   bool
	bytes  []byte // valid until the next page
	number int64
}

// runs reads numbers of few bits, in runs of one value and packed (RLE, bit-packing hybrid).
type runs struct {
	in    []byte
	width int // bits of a number
	left  uint64
	value uint32 // of a run of one value
	pack  []byte // of numbers side by side; nil in a run of one value
	bit   uint64 // of pack that comes next
}

var errValues = errors.New("its values are cut off or damaged: copy the file again")

// next returns the next number.
func (r *runs) next() (uint32, error) {
	for r.left == 0 {
		if err := r.run(); err != nil {
			return 0, err
		}
	}
	r.left--
	if r.pack == nil {
		return r.value, nil
	}
	n := uint32(0)
	for i := range r.width {
		b := r.bit + uint64(i)
		n |= uint32(r.pack[b/8]>>(b%8)&1) << i
	}
	r.bit += uint64(r.width)
	return n, nil
}

// run reads what stands before a run.
func (r *runs) run() error {
	head, length := binary.Uvarint(r.in)
	if length <= 0 {
		return errValues
	}
	r.in = r.in[length:]
	if head&1 == 0 {
		size := (r.width + 7) / 8
		if len(r.in) < size {
			return errValues
		}
		var raw [4]byte
		copy(raw[:], r.in[:size])
		r.in = r.in[size:]
		r.left, r.value, r.pack = head>>1, binary.LittleEndian.Uint32(raw[:]), nil
		return nil
	}
	groups := head >> 1 // of 8 numbers, which are as many bytes as a number has bits
	if r.width > 0 && groups > uint64(len(r.in))/uint64(r.width)+1 || groups > 1<<40 {
		return errValues
	}
	size := min(int(groups)*r.width, len(r.in)) // some writers cut the last group off
	r.pack, r.bit = r.in[:size:size], 0
	if r.in = r.in[size:]; r.width > 0 {
		r.left = min(8*groups, uint64(8*size/r.width))
		return nil
	}
	r.left, r.value, r.pack = 8*groups, 0, nil
	return nil
}

// A column reads the values of a column, page after page.
type column struct {
	chunk  *chunk
	left   int // values of the page
	levels *runs

	plain   []byte // values one after the other
	bools   *runs  // bits
	indexes *runs  // places in the dictionary, nil where values are plain
	texts   [][]byte
	numbers []int64
}

// next returns the next value, io.EOF behind the last one.
func (c *column) next() (value, error) {
	for c.left == 0 {
		if err := c.turn(); err != nil {
			return value{}, err
		}
	}
	c.left--
	if c.levels != nil {
		level, err := c.levels.next()
		if err != nil {
			return value{}, err
		}
		if int(level) < c.chunk.column.optional {
			return value{null: true}, nil
		}
	}
	if c.indexes != nil {
		return c.fromDictionary()
	}
	return c.fromPlain()
}

// oldDictionary is what writers of the first version of the format call format.RLEDictionary.
const oldDictionary format.Encoding = 2

// turn goes on to the next page.
func (c *column) turn() error {
	p, err := c.chunk.next()
	if err != nil {
		return err
	}
	switch p.header.Type {
	case format.IndexPage:
		return nil
	case format.DictionaryPage:
		return c.readDictionary(p)
	}
	encoding := p.header.DataPageHeader.V.Encoding
	if p.header.Type == format.DataPageV2 {
		encoding = p.header.DataPageHeaderV2.V.Encoding
	}
	c.left, c.levels, c.indexes, c.bools, c.plain = p.values, nil, nil, nil, p.content
	if c.chunk.column.optional > 0 {
		width := 1
		for 1<<width <= c.chunk.column.optional {
			width++
		}
		c.levels = &runs{in: p.levels, width: width}
	}
	switch {
	case encoding == oldDictionary || encoding == format.RLEDictionary:
		if len(p.content) == 0 {
			c.indexes = &runs{}
			return nil // all values are null
		}
		if p.content[0] > 32 {
			return errValues
		}
		c.indexes = &runs{in: p.content[1:], width: int(p.content[0])}
	case encoding == format.Plain && c.chunk.column.kind == format.Boolean:
		c.bools = &runs{pack: p.content, width: 1, left: uint64(8 * len(p.content))}
	case encoding == format.RLE && c.chunk.column.kind == format.Boolean:
		n, ok := length32(p.content)
		if !ok || n > len(p.content)-4 {
			return errValues
		}
		c.bools = &runs{in: p.content[4 : 4+n], width: 1}
	case encoding != format.Plain:
		return fmt.Errorf("the encoding %v is not read: write the file by pyarrow or datasets with their defaults", encoding)
	}
	return nil
}

// readDictionary reads the values that pages refer to.
func (c *column) readDictionary(p *page) error {
	c.texts, c.numbers = nil, nil
	if least := map[format.Type]int{format.Int64: 8, format.Double: 8}[c.chunk.column.kind]; p.values > len(p.content)/max(least, 4) {
		return errValues
	}
	c.plain = p.content
	for range p.values {
		v, err := c.fromPlain()
		if err != nil {
			return err
		}
		if c.chunk.column.kind == format.ByteArray {
			c.texts = append(c.texts, v.bytes)
		} else {
			c.numbers = append(c.numbers, v.number)
		}
	}
	return nil
}

// fromDictionary returns the value that the next index means.
func (c *column) fromDictionary() (value, error) {
	i, err := c.indexes.next()
	switch {
	case err != nil:
		return value{}, err
	case int64(i) < int64(len(c.texts)):
		return value{bytes: c.texts[i]}, nil
	case int64(i) < int64(len(c.numbers)):
		return value{number: c.numbers[i]}, nil
	}
	return value{}, errValues
}

// fromPlain returns the next value of those one after the other.
func (c *column) fromPlain() (value, error) {
	switch c.chunk.column.kind {
	case format.ByteArray:
		n, ok := length32(c.plain)
		if !ok || n > len(c.plain)-4 {
			return value{}, errValues
		}
		v := value{bytes: c.plain[4 : 4+n : 4+n]}
		c.plain = c.plain[4+n:]
		return v, nil
	case format.Boolean:
		if c.bools == nil {
			return value{}, errValues
		}
		n, err := c.bools.next()
		return value{number: int64(n)}, err
	case format.Int32:
		if len(c.plain) < 4 {
			return value{}, errValues
		}
		v := value{number: int64(int32(binary.LittleEndian.Uint32(c.plain)))}
		c.plain = c.plain[4:]
		return v, nil
	case format.Float:
		if len(c.plain) < 4 {
			return value{}, errValues
		}
		v := whole(float64(math.Float32frombits(binary.LittleEndian.Uint32(c.plain))))
		c.plain = c.plain[4:]
		return v, nil
	case format.Int64, format.Double:
		if len(c.plain) < 8 {
			return value{}, errValues
		}
		bits := binary.LittleEndian.Uint64(c.plain)
		v := value{number: int64(bits)}
		if c.chunk.column.kind == format.Double {
			v = whole(math.Float64frombits(bits))
		}
		c.plain = c.plain[8:]
		return v, nil
	}
	return value{}, errValues
}

// fraction stands for a number that is not whole.
const fraction = math.MinInt64

// whole returns a float as a label. What is not a number is how pandas writes that there is none.
func whole(v float64) value {
	switch {
	case math.IsNaN(v):
		return value{number: -1}
	case v != math.Trunc(v) || math.Abs(v) > maxClasses:
		return value{number: fraction}
	}
	return value{number: int64(v)}
}

// A walk goes over columns of all row groups side by side.
type walk struct {
	file    *File
	leaves  []*leaf
	columns []*column
	group   int   // the next one
	left    int64 // rows of the group
}

func (f *File) walk(leaves ...*leaf) *walk { return &walk{file: f, leaves: leaves} }

// next writes the values of the next row, io.EOF behind the last one. A column that is nil is left
// as it is.
func (w *walk) next(to []value) error {
	for w.left == 0 {
		if w.group == len(w.file.meta.RowGroups) {
			return io.EOF
		}
		group := &w.file.meta.RowGroups[w.group]
		w.group++
		w.left, w.columns = group.NumRows, make([]*column, len(w.leaves))
		for i, leaf := range w.leaves {
			if leaf == nil {
				continue
			}
			chunk, err := w.file.newChunk(group, leaf)
			if err != nil {
				return err
			}
			w.columns[i] = &column{chunk: chunk}
		}
	}
	w.left--
	for i, c := range w.columns {
		if c == nil {
			continue
		}
		v, err := c.next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("column %s has fewer values than there are rows: copy the file again", c.chunk.column.name())
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.chunk.column.name(), err)
		}
		to[i] = v
	}
	return nil
}
