package rows

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// limits bound what a file may claim. Tests have smaller ones.
type limits struct {
	footer int64 // bytes of the metadata
	page   int64 // bytes of an unpacked page
	image  int   // bytes of an encoded picture
}

var usualLimits = limits{footer: 1 << 26, page: 1 << 30, image: 1 << 28}

// The most that a codec packs into a byte: Snappy writes 64 bytes as 3, Deflate 258 as 2 bits.
// Zstandard knows no bound; pages that it packs more than this hold nothing but one value.
const (
	snappyRatio = 22
	otherRatio  = 1032
)

// maxWindow is the memory that Zstandard may look back on in any page: its usual levels need no
// more.
const maxWindow = 1 << 23

// headerLen is the number of bytes that are looked at first for the header of a page. Statistics
// may make it longer, up to maxHeader.
const (
	headerLen = 1 << 10
	maxHeader = 1 << 22
)

// A page is the content of a page of a column.
type page struct {
	header  format.PageHeader
	levels  []byte // of definition; nil where all values are there
	content []byte // the values, unpacked
	values  int    // with those that are null
}

// chunk reads the pages of a column in a row group.
type chunk struct {
	file   *File
	column *leaf
	meta   *format.ColumnMetaData
	at     int64 // the next page
	end    int64
	seen   int64 // values of the pages so far
}

// newChunk checks where a column of a row group lies.
func (f *File) newChunk(group *format.RowGroup, column *leaf) (*chunk, error) {
	if column.index >= len(group.Columns) {
		return nil, fmt.Errorf("column %s has no data in a group of rows", column.name())
	}
	meta := &group.Columns[column.index].MetaData
	c := &chunk{file: f, column: column, meta: meta, at: meta.DataPageOffset}
	if d := meta.DictionaryPageOffset; d > 0 && d < c.at {
		c.at = d
	}
	if group.Columns[column.index].FilePath != "" {
		return nil, errors.New("its columns lie in other files: write it as one file")
	}
	if meta.Type != column.kind || c.at < 4 || meta.TotalCompressedSize <= 0 || meta.TotalCompressedSize > f.size-c.at {
		return nil, fmt.Errorf("column %s lies outside of the file: copy it again", column.name())
	}
	c.end = c.at + meta.TotalCompressedSize
	return c, nil
}

// next returns the next page, io.EOF behind the last one.
func (c *chunk) next() (*page, error) {
	if c.at >= c.end || c.seen >= c.meta.NumValues {
		return nil, io.EOF
	}
	p := &page{}
	length, err := c.header(&p.header)
	if err != nil {
		return nil, err
	}
	packed, size := int64(p.header.CompressedPageSize), int64(p.header.UncompressedPageSize)
	c.at += int64(length)
	switch {
	case packed < 0 || size < 0 || packed > c.end-c.at:
		return nil, errThrift
	case size > c.file.limits.page || packed > c.file.limits.page:
		return nil, fmt.Errorf("a page has %d bytes, and at most %d are read: "+
			"write the file with smaller pages or groups of rows", max(size, packed), c.file.limits.page)
	}
	data := make([]byte, packed)
	if _, err := c.file.r.ReadAt(data, c.at); err != nil {
		return nil, fmt.Errorf("a page: %w: copy the file again", err)
	}
	c.at += packed
	if err := p.open(c, data, size); err != nil {
		return nil, fmt.Errorf("a page: %w", err)
	}
	if p.header.Type != format.DictionaryPage {
		c.seen += int64(p.values)
	}
	return p, nil
}

// header reads the header of the next page, and returns how long it is.
func (c *chunk) header(to *format.PageHeader) (length int, err error) {
	for n := int64(headerLen); ; n *= 8 {
		part := make([]byte, min(n, c.end-c.at))
		if _, err := c.file.r.ReadAt(part, c.at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		length, err = decode(part, to)
		if err == nil || n >= c.end-c.at || n >= maxHeader {
			return length, err
		}
		*to = format.PageHeader{}
	}
}

// open unpacks a page of size bytes.
func (p *page) open(c *chunk, data []byte, size int64) (err error) {
	switch h := &p.header; {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		p.values = int(h.DataPageHeader.V.NumValues)
		if data, err = c.unpack(data, size); err != nil {
			return err
		}
		if c.column.optional > 0 {
			return p.cutLevels(data)
		}
		p.content = data
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v2 := &h.DataPageHeaderV2.V
		p.values = int(v2.NumValues)
		repetition, definition := int64(v2.RepetitionLevelsByteLength), int64(v2.DefinitionLevelsByteLength)
		levels := repetition + definition
		if repetition < 0 || definition < 0 || levels > int64(len(data)) || levels > size {
			return errThrift
		}
		p.levels, data = data[repetition:levels], data[levels:]
		if v2.IsCompressed.Valid && !v2.IsCompressed.V {
			p.content = data
			return nil
		}
		p.content, err = c.unpack(data, size-levels)
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		p.values = int(h.DictionaryPageHeader.V.NumValues)
		p.content, err = c.unpack(data, size)
	case h.Type == format.IndexPage:
	default:
		return errThrift
	}
	if p.values < 0 {
		return errThrift
	}
	return err
}

// cutLevels cuts the levels, which their length precedes, off the values.
func (p *page) cutLevels(data []byte) error {
	n, ok := length32(data)
	if !ok || n > len(data)-4 {
		return errThrift
	}
	p.levels, p.content = data[4:4+n], data[4+n:]
	return nil
}

// unpack returns the size bytes that data holds.
func (c *chunk) unpack(data []byte, size int64) ([]byte, error) {
	ratio := int64(otherRatio)
	if c.meta.Codec == format.Snappy {
		ratio = snappyRatio
	}
	if c.meta.Codec == format.Uncompressed {
		ratio = 1
	}
	if size > ratio*int64(len(data))+64 {
		return nil, fmt.Errorf("it claims to unpack %d bytes to %d: copy the file again", len(data), size)
	}
	var out []byte
	var err error
	switch c.meta.Codec {
	case format.Uncompressed:
		out = data
	case format.Snappy:
		var n int
		if n, err = snappy.DecodedLen(data); err == nil && int64(n) == size {
			out, err = snappy.Decode(make([]byte, size), data)
		}
	case format.Gzip:
		out, err = gunzip(data, size)
	case format.Zstd:
		out, err = c.file.unzstd(data, size)
	default:
		return nil, fmt.Errorf("it is packed by %v, and Snappy, gzip and Zstandard are read: "+
			"write the file with one of these", c.meta.Codec)
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be unpacked (%w): copy the file again", err)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("it unpacks to other than the %d bytes that it claims: copy the file again", size)
	}
	return out, nil
}

// gunzip unpacks exactly size bytes.
func gunzip(data []byte, size int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	var one [1]byte
	if n, _ := r.Read(one[:]); n != 0 {
		return nil, io.ErrShortBuffer
	}
	return out, nil
}

// unzstd unpacks exactly size bytes. The decoder refuses a frame that claims more or needs a larger
// window.
func (f *File) unzstd(data []byte, size int64) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(uint64(f.limits.page)+1), zstd.WithDecoderMaxWindow(uint64(max(size, min(maxWindow, f.limits.page)))))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	var one [1]byte
	if n, _ := r.Read(one[:]); n != 0 {
		return nil, io.ErrShortBuffer
	}
	return out, nil
}
