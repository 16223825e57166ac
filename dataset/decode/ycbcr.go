package decode

import (
	"image"
	"math"
)

// A coding says how samples in a byte stand for colours, as ITU-T H.273 has it. Package image takes
// all samples of YCbCr for those of JPEG, which are of BT.601 and of full range.
type coding struct {
	matrix int  // the number of the matrix coefficients (8.3)
	full   bool // samples take 0 to 255, not 16 to 235 (colour differences 16 to 240)
	blend  bool // a colour difference of several pixels runs into the next one, as libwebp has it
}

// vp8Coding is that of WebP with loss (RFC 6386, 9.2).
var vp8Coding = coding{matrix: matrixBT601, blend: true}

// Numbers of matrix coefficients.
const (
	matrixIdentity    = 0 // the samples are green, blue and red
	matrixBT709       = 1
	matrixUnspecified = 2
	matrixBT601       = 6
	matrixYCgCo       = 8
)

// lumaWeights are the shares of red and of blue in luma, KR and KB in H.273.
var lumaWeights = map[int][2]float64{
	matrixBT709: {0.2126, 0.0722},
	4:           {0.30, 0.11},
	5:           {0.299, 0.114},
	matrixBT601: {0.299, 0.114},
	7:           {0.212, 0.087},
	9:           {0.2627, 0.0593}, // BT.2020
}

// weights returns what each sample adds to each colour: the rows are red, green and blue, the
// columns luma and the two differences. ok is false for what is not such a sum.
func (c coding) weights() (w [3][3]float64, ok bool) {
	switch c.matrix {
	case matrixIdentity:
		return [3][3]float64{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}, true
	case matrixYCgCo:
		return [3][3]float64{{1, -1, 1}, {1, 1, 0}, {1, -1, -1}}, true
	}
	k, ok := lumaWeights[c.matrix]
	red, blue := k[0], k[1]
	green := 1 - red - blue
	return [3][3]float64{
		{1, 0, 2 * (1 - red)},
		{1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green},
		{1, 2 * (1 - blue), 0},
	}, ok
}

// known reports whether colours can be made of such samples.
func (c coding) known() bool {
	_, ok := c.weights()
	return ok
}

// level is the share of white that a sample of luma, of gray, or of a colour itself stands for.
func (c coding) level(v int) float64 {
	if c.full {
		return float64(v) / 255
	}
	return float64(v-16) / 219
}

// difference is the share, -1/2 to 1/2, that a sample of a colour difference stands for.
func (c coding) difference(v int) float64 {
	if c.full {
		return float64(v-128) / 255
	}
	return float64(v-128) / 224
}

// A mixer makes colours of samples. mixer[s][v] is what value v of sample s (luma and the two
// differences) adds to red, green and blue, in units of 1/2^16.
type mixer [3][256][3]int32

func (c coding) mixer() *mixer {
	var m mixer
	w, _ := c.weights()
	for v := range 256 {
		share := [3]float64{c.level(v), c.difference(v), c.difference(v)}
		if c.matrix == matrixIdentity {
			share = [3]float64{share[0], share[0], share[0]}
		}
		for s := range m {
			for colour := range w {
				m[s][v][colour] = int32(math.Round(share[s] * w[colour][s] * 255 * (1 << 16)))
			}
		}
	}
	return &m
}

// colours returns a picture whose samples have the coding as one of package image's RGB. Other
// kinds of pictures than YCbCr and gray stay as they are.
func (c coding) colours(m image.Image) image.Image {
	switch m := m.(type) {
	case *image.YCbCr:
		return c.mixer().rgb(m, c.blend)
	case *image.NYCbCrA:
		to := c.mixer().rgb(&m.YCbCr, c.blend)
		for y := range to.Rect.Dy() {
			row := to.Pix[y*to.Stride:]
			for x, alpha := range m.A[y*m.AStride:][:to.Rect.Dx()] {
				row[4*x+3] = alpha
			}
		}
		return to
	case *image.Gray:
		c.spread(m.Pix)
	}
	return m
}

// spread makes gray samples take the full range, in place.
func (c coding) spread(pix []byte) {
	if c.full {
		return
	}
	var table [256]byte
	for v := range table {
		table[v] = byte(math.Round(255 * min(max(c.level(v), 0), 1)))
	}
	for i, v := range pix {
		pix[i] = table[v]
	}
}

// rgb mixes a picture that begins at 0,0 and has a sample of each difference for one pixel, for two
// beside each other, or for four. blend is that of a coding.
func (t *mixer) rgb(m *image.YCbCr, blend bool) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	wide := m.SubsampleRatio != image.YCbCrSubsampleRatio444
	high := m.SubsampleRatio == image.YCbCrSubsampleRatio420
	across, down := places(w, wide, blend), places(h, high, blend)
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	blue, red := make([]byte, w), make([]byte, w)
	for y, at := range down {
		interpolate(blue, m.Cb[at.near*m.CStride:], m.Cb[at.beside*m.CStride:], across)
		interpolate(red, m.Cr[at.near*m.CStride:], m.Cr[at.beside*m.CStride:], across)
		luma, row := m.Y[y*m.YStride:][:w], to.Pix[y*to.Stride:][:4*w]
		for x, v := range luma {
			a, b, c := &t[0][v], &t[1][blue[x]], &t[2][red[x]]
			pixel := row[4*x:][:4]
			pixel[0] = fromFixed(a[0] + b[0] + c[0])
			pixel[1] = fromFixed(a[1] + b[1] + c[1])
			pixel[2] = fromFixed(a[2] + b[2] + c[2])
			pixel[3] = 255
		}
	}
	return to
}

// fromFixed rounds a number in units of 1/2^16 to a byte.
func fromFixed(v int32) byte { return byte(min(max((v+1<<15)>>16, 0), 255)) }

// A place says between which samples a pixel lies along a side. It is a quarter of the way from the
// nearest one to the one beside it, which may be the same.
type place struct{ near, beside int }

// places returns those of n pixels. half says that there is a sample in the middle of each two.
func places(n int, half, blend bool) []place {
	list := make([]place, n)
	for i := range list {
		switch {
		case !half:
			list[i] = place{i, i}
		case !blend:
			list[i] = place{i / 2, i / 2}
		default:
			beside := i/2 + 2*(i&1) - 1
			list[i] = place{i / 2, min(max(beside, 0), (n+1)/2-1)}
		}
	}
	return list
}

// interpolate makes a colour difference for each pixel of a row, of the nearest row of samples and
// the one beside it.
func interpolate(row, near, beside []byte, across []place) {
	for x, at := range across {
		sum := 3*(3*int(near[at.near])+int(beside[at.near])) + 3*int(near[at.beside]) + int(beside[at.beside])
		row[x] = byte((sum + 8) >> 4)
	}
}
