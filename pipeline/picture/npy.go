package picture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// WriteNPY writes images as an array [N, H, W, C] in version 1.0 of NumPy's format: the magic
// bytes, the length of the header, a Python dictionary as header, and the data. The header is
// padded so that the data starts at a multiple of 64.
func WriteNPY(w io.Writer, s *Images) error {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }",
		s.Len(), s.Height, s.Width, s.Channels)
	const before = 10 // magic, version, length
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	if _, err := w.Write(append(out, header...)); err != nil {
		return err
	}
	buf := make([]byte, 0, 4*s.ImageLen())
	for part := range slices.Chunk(s.Pixels, s.ImageLen()) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
