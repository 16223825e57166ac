package kernels

import (
	"fmt"
	"unsafe"
)

// slack is how many floats behind the last element of a map a kernel may read, and ignore.
const slack = 64

// A Map is a batch of feature maps, [N, H, W, C] with channels contiguous, or a view of some of its
// channels. Around each image there may be a halo of pixels that are always zero: convolutions read
// the halo, and nothing writes to it. [NewMap] and [NewDense] make maps; copies of the struct share
// memory.
type Map struct {
	N, H, W, C        int
	Pixel, Row, Image int // distances between neighbours, in elements

	data []float32
	base int // index of channel 0 of pixel (0, 0) of image 0
	halo int // width of the halo in pixels
}

// NewMap makes a map of zeros with a halo of one pixel. Below and on the right, the halo is wider
// where that completes a tile of 4x4 pixels, because Winograd's convolution reads whole tiles.
func NewMap(n, h, w, c int) Map { return newMap(n, h, w, c, 1) }

// NewDense makes a map of zeros without a halo: its elements lie side by side.
func NewDense(n, h, w, c int) Map { return newMap(n, h, w, c, 0) }

func newMap(n, h, w, c, halo int) Map {
	rows, cols := h, w
	if halo > 0 {
		rows, cols = roundUp(h, 4)+2*halo, roundUp(w, 4)+2*halo
	}
	m := Map{N: n, H: h, W: w, C: c, Pixel: c, Row: cols * c, Image: rows * cols * c, halo: halo}
	m.base = halo * (m.Row + m.Pixel)
	m.data = aligned(n*m.Image + slack)
	return m
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

// FirstPixels returns the view of the first w pixels of each line.
func (m Map) FirstPixels(w int) Map {
	if w > m.W {
		panic(fmt.Sprintf("kernels: %d pixels of a line of %d", w, m.W))
	}
	m.W = w
	return m
}

// At returns the channels of a pixel; writing to the slice writes to the map.
func (m Map) At(n, y, x int) []float32 {
	i := m.index(n, y, x)
	return m.data[i : i+m.C : i+m.C]
}

// Flat returns the elements of a dense map that is not a view of channels, in order.
func (m Map) Flat() []float32 {
	if m.halo != 0 || m.Pixel != m.C {
		panic("kernels: the elements of this map do not lie side by side")
	}
	return m.data[m.base : m.base+m.N*m.H*m.W*m.C]
}

// index returns the position of channel 0 of a pixel. The pixel may lie in the halo.
func (m Map) index(n, y, x int) int { return m.base + n*m.Image + y*m.Row + x*m.Pixel }

// ptr returns the address of channel 0 of a pixel. The pixel may lie in the halo.
func (m Map) ptr(n, y, x int) unsafe.Pointer { return unsafe.Pointer(&m.data[m.index(n, y, x)]) }

// lines calls f for each line of pixels.
func (m Map) lines(f func(line []float32, n, y int)) {
	for n := range m.N {
		for y := range m.H {
			i := m.index(n, y, 0)
			f(m.data[i:i+(m.W-1)*m.Pixel+m.C], n, y)
		}
	}
}

// Load copies n images of dense NHWC pixels into the map.
func (m Map) Load(pixels []float32) {
	m.transfer(pixels, func(own, theirs []float32) { copy(own, theirs) })
}

// Store copies the map into n images of dense NHWC pixels.
func (m Map) Store(pixels []float32) {
	m.transfer(pixels, func(own, theirs []float32) { copy(theirs, own) })
}

func (m Map) transfer(pixels []float32, f func(own, theirs []float32)) {
	if len(pixels) != m.N*m.H*m.W*m.C {
		panic(fmt.Sprintf("kernels: %d elements for a map of shape %v", len(pixels), m.shape()))
	}
	for n := range m.N {
		for y := range m.H {
			for x := range m.W {
				i := ((n*m.H+y)*m.W + x) * m.C
				f(m.At(n, y, x), pixels[i:i+m.C])
			}
		}
	}
}

// Copy copies src, a map of the same shape, into m.
func (m Map) Copy(src Map) {
	mustMatch("copy", m, src)
	if m.Pixel == m.C && src.Pixel == m.C {
		m.lines(func(line []float32, n, y int) {
			i := src.index(n, y, 0)
			copy(line, src.data[i:i+len(line)])
		})
		return
	}
	for n := range m.N {
		for y := range m.H {
			for x := range m.W {
				copy(m.At(n, y, x), src.At(n, y, x))
			}
		}
	}
}

// Clear sets all elements to zero.
func (m Map) Clear() {
	for n := range m.N {
		for y := range m.H {
			for x := range m.W {
				clear(m.At(n, y, x))
			}
		}
	}
}

func (m Map) shape() [4]int { return [4]int{m.N, m.H, m.W, m.C} }

func mustMatch(what string, a, b Map) {
	if a.shape() != b.shape() {
		panic(fmt.Sprintf("kernels: %s: shapes %v and %v differ", what, a.shape(), b.shape()))
	}
}
