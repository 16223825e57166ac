package dataset

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// The IDX format (http://yann.lecun.com/exdb/mnist/) begins with two zero bytes, a byte for the
// type of the elements and a byte for the number of dimensions. Then come the dimensions, each as
// 32 bits with the highest byte first, and the elements. The last dimension varies fastest.
const (
	idxUnsignedByte = 0x08
	// idxMaxDims bounds the header: images have 3 dimensions, and 4 with channels.
	idxMaxDims = 4
	// idxMaxBytes bounds what a header may claim, 20 times the size of MNIST. A compressed file of
	// a few kB can unpack to that.
	idxMaxBytes = 1 << 30
	// idxChunk is the memory that is taken before the first element has come in.
	idxChunk = 1 << 16
)

// An idxArray is the content of an IDX file of unsigned bytes.
type idxArray struct {
	dims []int
	data []byte // as many as the product of dims
}

// readGzipIDX reads a compressed IDX file to its end and checks its checksum.
func readGzipIDX(r io.Reader, reserve int) (idxArray, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return idxArray{}, truncatedIDX("gzip header", err)
	}
	return readIDX(unzipped, reserve)
}

// readIDX reads an IDX file of unsigned bytes, to the end of r. It allocates up to reserve bytes on
// the word of the header, for files whose size is known. Beyond that, memory grows with the bytes
// that come in.
func readIDX(r io.Reader, reserve int) (idxArray, error) {
	dims, size, err := readIDXHeader(r)
	if err != nil {
		return idxArray{}, err
	}
	data, err := readBytes(r, size, max(reserve, idxChunk))
	if err != nil {
		where := fmt.Sprintf("after %d of %d bytes of dimensions %v", len(data), size, dims)
		return idxArray{}, truncatedIDX(where, err)
	}
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case err == nil:
		return idxArray{}, fmt.Errorf("bytes follow the %d that dimensions %v need: copy the file again", size, dims)
	case !errors.Is(err, io.EOF):
		return idxArray{}, truncatedIDX("at the end", err)
	}
	return idxArray{dims, data}, nil
}

// truncatedIDX says what to do about a file that ends too early or is damaged.
func truncatedIDX(where string, err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w: copy the file again", where, io.ErrUnexpectedEOF)
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("%s: %w: copy the file again", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// readIDXHeader returns the dimensions and their product.
func readIDXHeader(r io.Reader) (dims []int, size int, err error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, 0, truncatedIDX("header", err)
	}
	if magic[0] != 0 || magic[1] != 0 {
		return nil, 0, fmt.Errorf("it begins with %#x, not with two zero bytes: is it an IDX file?", magic)
	}
	if magic[2] != idxUnsignedByte {
		return nil, 0, fmt.Errorf("elements of type %#02x; only unsigned bytes (0x08) can be read", magic[2])
	}
	if n := magic[3]; n == 0 || n > idxMaxDims {
		return nil, 0, fmt.Errorf("%d dimensions, want 1 to %d", n, idxMaxDims)
	}
	packed := make([]byte, 4*int(magic[3]))
	if _, err := io.ReadFull(r, packed); err != nil {
		return nil, 0, truncatedIDX("header", err)
	}
	return idxDims(packed)
}

// idxDims unpacks the dimensions and multiplies them.
func idxDims(packed []byte) (dims []int, size int, err error) {
	product, fits := uint64(1), true
	for ; len(packed) > 0; packed = packed[4:] {
		d := binary.BigEndian.Uint32(packed)
		high, low := bits.Mul64(product, uint64(d))
		fits = fits && high == 0 && low <= idxMaxBytes
		product = low
		dims = append(dims, int(d))
	}
	if !fits {
		return nil, 0, fmt.Errorf("dimensions %v claim more than %d bytes: is it an IDX file?", dims, idxMaxBytes)
	}
	return dims, int(product), nil
}

// readBytes reads size bytes. It takes at most reserve bytes of memory at first, and then at most
// doubles it. When it fails it returns the bytes that came in, with the error.
func readBytes(r io.Reader, size, reserve int) ([]byte, error) {
	data := make([]byte, 0, min(size, reserve))
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil {
			return data, err
		}
	}
	return data, nil
}

func isIDX(head []byte) bool { return bytes.HasPrefix(head, []byte{0, 0, idxUnsignedByte}) }
