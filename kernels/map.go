package kernels

import (
	"fmt"
	"unsafe"

	"github.com/fmimg/fmimg/internal/bfloat16"
)

// slack is how many floats behind the last element of a map a kernel may read, and ignore.
const slack = 64

// A Map is a batch of feature maps, [N, H, W, C] with channels contiguous, or a view of some of its
// channels. Around each image there may be a halo of pixels that are always zero: convolutions read
// the halo, and nothing writes to it. [Precision.NewMap] and [Precision.NewDense] make maps; copies
// of the struct share memory.
type Map struct {
	N, H, W, C        int
	Pixel, Row, Image int // distances between neighbours, in elements
	Precision         Precision

	data []float32 // the memory; with BF16 each float32 holds two elements
	base int       // index of channel 0 of pixel (0, 0) of image 0, in elements
	halo int       // width of the halo in pixels
}

// NewMap makes a map of zeros with a halo of one pixel. Below and on the right, the halo is wider
// where that completes a tile of 4x4 pixels, because Winograd's convolution reads whole tiles.
func (p Precision) NewMap(n, h, w, c int) Map { return p.newMap(n, h, w, c, 1) }

// NewDense makes a map of zeros without a halo: its elements lie side by side.
func (p Precision) NewDense(n, h, w, c int) Map { return p.newMap(n, h, w, c, 0) }

// NewMap is [Precision.NewMap] in float32.
func NewMap(n, h, w, c int) Map { return F32.NewMap(n, h, w, c) }

// NewDense is [Precision.NewDense] in float32.
func NewDense(n, h, w, c int) Map { return F32.NewDense(n, h, w, c) }

func (p Precision) newMap(n, h, w, c, halo int) Map {
	m := p.shaped(n, h, w, c, halo)
	m.data = aligned(m.memory())
	return m
}

// shaped returns a map without memory.
func (p Precision) shaped(n, h, w, c, halo int) Map {
	rows, cols := h, w
	if halo > 0 {
		rows, cols = roundUp(h, 4)+2*halo, roundUp(w, 4)+2*halo
	}
	m := Map{N: n, H: h, W: w, C: c, Pixel: c, Row: cols * c, Image: rows * cols * c, Precision: p, halo: halo}
	m.base = halo * (m.Row + m.Pixel)
	return m
}

// memory returns the length of the memory of a map that is not a view.
func (m Map) memory() int { return (m.N*m.Image+1)*m.Precision.Bytes()/4 + slack }

// clearHalo sets the halo of a map that is not a view to zero.
func (m Map) clearHalo() {
	if m.halo == 0 {
		return
	}
	for n := range m.N {
		clear(m.raw(n, -m.halo, -m.halo, m.base))
		for y := range m.H {
			clear(m.raw(n, y, m.W, m.Row-m.W*m.C))
		}
		clear(m.raw(n, m.H, 0, m.Image-m.base-m.H*m.Row))
	}
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// aligned makes a slice that begins at a cache line.
func aligned(n int) []float32 {
	buf := make([]float32, n+lineFloats)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % lineBytes / 4
	return buf[skip : int(skip)+n : int(skip)+n]
}

// Channels returns the view of channels [from, to).
func (m Map) Channels(from, to int) Map {
	if from < 0 || from > to || to > m.C {
		panic(fmt.Sprintf("kernels: channels [%d, %d) of a map of %d", from, to, m.C))
	}
	m.base, m.C = m.base+from, to-from
	return m
}

// First returns the view of the first n images.
func (m Map) First(n int) Map { return m.Images(0, n) }

// Images returns the view of images [from, to).
func (m Map) Images(from, to int) Map {
	if from < 0 || from > to || to > m.N {
		panic(fmt.Sprintf("kernels: images [%d, %d) of a map of %d", from, to, m.N))
	}
	m.base, m.N = m.base+from*m.Image, to-from
	return m
}

// Lines returns the view of lines [from, to) of each image. Where a convolution reads the halo of a
// map, it reads the neighbouring lines of a view. A view for a convolution must begin at a multiple
// of 4 lines, and end at one or with the image, because Winograd's reads and writes tiles of 4x4
// pixels.
func (m Map) Lines(from, to int) Map {
	if from < 0 || from > to || to > m.H {
		panic(fmt.Sprintf("kernels: lines [%d, %d) of a map of %d", from, to, m.H))
	}
	m.base, m.H = m.base+from*m.Row, to-from
	return m
}

// FirstPixels returns the view of the first w pixels of each line.
func (m Map) FirstPixels(w int) Map {
	if w > m.W {
		panic(fmt.Sprintf("kernels: %d pixels of a line of %d", w, m.W))
	}
	m.W = w
	return m
}

// At returns the channels of a pixel of a float32 map; writing to the slice writes to the map.
func (m Map) At(n, y, x int) []float32 {
	m.mustBe(F32)
	i := m.index(n, y, x)
	return m.data[i : i+m.C : i+m.C]
}

// AtBF16 is [Map.At] for a bfloat16 map.
func (m Map) AtBF16(n, y, x int) []uint16 {
	m.mustBe(BF16)
	return unsafe.Slice((*uint16)(m.ptr(n, y, x)), m.C)
}

// pixelTo copies the channels of a pixel.
func (m Map) pixelTo(dst []float32, n, y, x int) {
	if m.Precision == F32 {
		copy(dst, m.At(n, y, x))
		return
	}
	for i, v := range m.AtBF16(n, y, x) {
		dst[i] = bfloat16.Float32(v)
	}
}

func (m Map) mustBe(p Precision) {
	if m.Precision != p {
		panic(fmt.Sprintf("kernels: a map in %v where one in %v is needed", m.Precision, p))
	}
}

// Flat returns the elements of a dense float32 map that is not a view of channels, in order.
func (m Map) Flat() []float32 {
	m.mustBe(F32)
	if m.halo != 0 || m.Pixel != m.C {
		panic("kernels: the elements of this map do not lie side by side")
	}
	return m.data[m.base : m.base+m.N*m.H*m.W*m.C]
}

// index returns the position of channel 0 of a pixel. The pixel may lie in the halo.
func (m Map) index(n, y, x int) int { return m.base + n*m.Image + y*m.Row + x*m.Pixel }

// ptr returns the address of channel 0 of a pixel. The pixel may lie in the halo.
func (m Map) ptr(n, y, x int) unsafe.Pointer {
	i := m.index(n, y, x)
	if m.Precision == BF16 {
		return unsafe.Add(unsafe.Pointer(&m.data[i/2]), i%2*2)
	}
	return unsafe.Pointer(&m.data[i])
}

// bytes returns the size of n elements.
func (m Map) bytes(n int) uintptr { return uintptr(n * m.Precision.Bytes()) }

// runs calls f for the first pixel and the length of each run of elements that lie side by side: a
// line of pixels, or in a view of some channels one pixel.
func (m Map) runs(f func(n, y, x, elements int)) {
	for n := range m.N {
		for y := range m.H {
			if m.Pixel == m.C {
				f(n, y, 0, m.W*m.C)
				continue
			}
			for x := range m.W {
				f(n, y, x, m.C)
			}
		}
	}
}

// raw returns the memory of elements that begin at a pixel.
func (m Map) raw(n, y, x, elements int) []byte {
	return unsafe.Slice((*byte)(m.ptr(n, y, x)), m.bytes(elements))
}

// Load copies n images of dense NHWC pixels into the map, and rounds them to its precision.
func (m Map) Load(pixels []float32) {
	m.transfer(pixels, func(n, y, x int, theirs []float32) {
		if m.Precision == F32 {
			copy(m.At(n, y, x), theirs)
			return
		}
		for i, own := 0, m.AtBF16(n, y, x); i < len(own); i++ {
			own[i] = bfloat16.From(theirs[i])
		}
	})
}

// Store copies the map into n images of dense NHWC pixels.
func (m Map) Store(pixels []float32) {
	m.transfer(pixels, func(n, y, x int, theirs []float32) { m.pixelTo(theirs, n, y, x) })
}

func (m Map) transfer(pixels []float32, f func(n, y, x int, theirs []float32)) {
	if len(pixels) != m.N*m.H*m.W*m.C {
		panic(fmt.Sprintf("kernels: %d elements for a map of shape %v", len(pixels), m.shape()))
	}
	for n := range m.N {
		for y := range m.H {
			for x := range m.W {
				i := ((n*m.H+y)*m.W + x) * m.C
				f(n, y, x, pixels[i:i+m.C])
			}
		}
	}
}

// Copy copies src, a map of the same shape and precision, into m.
func (m Map) Copy(src Map) {
	mustMatch("copy", m, src)
	src.mustBe(m.Precision)
	pieces := m
	if m.Pixel == m.C {
		pieces = src // the runs must suit both
	}
	pieces.runs(func(n, y, x, elements int) { copy(m.raw(n, y, x, elements), src.raw(n, y, x, elements)) })
}

// Clear sets all elements to zero.
func (m Map) Clear() {
	m.runs(func(n, y, x, elements int) { clear(m.raw(n, y, x, elements)) })
}

func (m Map) shape() [4]int { return [4]int{m.N, m.H, m.W, m.C} }

func mustMatch(what string, a, b Map) {
	if a.shape() != b.shape() {
		panic(fmt.Sprintf("kernels: %s: shapes %v and %v differ", what, a.shape(), b.shape()))
	}
}
