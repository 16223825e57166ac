package edit

import (
	"math"
	"slices"
)

// A maskMeaning says which pixels of a mask are drawn anew.
type maskMeaning struct {
	by    maskRule
	limit float32 // the least alpha of a pixel that counts as painted
	mixed bool    // an opaque mask has more than black and white
}

// A maskRule is a way in which people make masks.
type maskRule int

const (
	// byBrightness: what is brighter than the middle gray is drawn anew.
	byBrightness maskRule = iota
	// byPaint: what is painted on a transparent layer is drawn anew.
	byPaint
	// byHole: what is transparent is drawn anew, a hole in the picture.
	byHole
)

// drawn reports whether a pixel is drawn anew: gray, RGB or RGBA, and RGBA where alpha decides.
func (m maskMeaning) drawn(pixel []float32) bool {
	switch m.by {
	case byPaint:
		return pixel[3] >= m.limit
	case byHole:
		return pixel[3] < m.limit
	}
	var brightness float32
	for _, v := range pixel[:min(len(pixel), 3)] {
		brightness += v
	}
	return brightness > 0
}

// note says how the mask is taken, where that needs to be said.
func (m maskMeaning) note() string {
	switch {
	case m.by == byPaint:
		return "what is painted in it is drawn anew, and what is transparent is kept"
	case m.by == byHole:
		return "what is transparent in it is drawn anew, and the rest is kept"
	case m.mixed:
		return "it has more than black and white: what is brighter than the middle is drawn anew"
	}
	return ""
}

// Limits of what is taken for one thing: a colour's distance from white or black, and the shares of
// pixels.
const (
	nearColour = 0.2  // of a number in [-1, 1]
	nearlyAll  = 0.98 // the edges of strokes may differ
	hardlyAny  = 0.01
)

// opaqueMask returns the meaning of a mask without transparency: pixels with the given channels.
func opaqueMask(pixels []float32, channels int) maskMeaning {
	mixed := 0
	for i := 0; i < len(pixels); i += channels {
		if !isWhite(pixels[i:i+channels]) && !isBlack(pixels[i:i+channels]) {
			mixed++
		}
	}
	return maskMeaning{by: byBrightness, mixed: 10*mixed*channels > len(pixels)}
}

func isWhite(colour []float32) bool { return slices.Min(colour) >= 1-nearColour }
func isBlack(colour []float32) bool { return slices.Max(colour) <= nearColour-1 }

// meaningOf finds what a mask of w x h RGBA pixels means. People paint on a transparent layer what
// is to be drawn, or erase it from a picture. unclear is not empty where the mask may be either:
//
//	painted            most of the edge transparent   most of the edge painted
//	white alone        drawn where painted            unclear: a frame, or a hole
//	black alone        unclear: black is kept         drawn where transparent
//	one other colour   drawn where painted            drawn where transparent
//	many colours       unclear: a cut-out             drawn where transparent
//	black and white    unclear: says both             unclear
func meaningOf(rgba []float32, w, h int) (m maskMeaning, unclear string) {
	f := look(rgba, w, h)
	paint, hole := maskMeaning{by: byPaint, limit: f.limit}, maskMeaning{by: byHole, limit: f.limit}
	const parts = "it has transparent parts, and "
	switch {
	case f.highest <= hardlyAny*2-1:
		return paint, "all of it is transparent, so that nothing is painted in it"
	case f.faint > hardlyAny && f.painted == 1:
		return paint, "it is half transparent, which is neither painted nor erased"
	case f.painted == 1:
		return opaqueMask(f.colours, 3), ""
	case f.white > hardlyAny && f.black > hardlyAny && f.white+f.black >= nearlyAll:
		return paint, parts + "both black and white: the one or the other says what to draw"
	case f.white >= nearlyAll && f.edge <= 0.75:
		return paint, ""
	case f.white >= nearlyAll:
		return hole, parts + "all around them is white: either may be what to draw"
	case (f.black >= nearlyAll || f.single < nearlyAll) && f.edge >= 0.45:
		return hole, ""
	case f.black >= nearlyAll:
		return paint, parts + "what is painted is black, which is kept: either may be what to draw"
	case f.single >= nearlyAll && f.edge <= 0.25:
		return paint, ""
	case f.single >= nearlyAll && f.edge >= 0.75:
		return hole, ""
	}
	return paint, parts + "either they or the rest may be what to draw"
}

// maskFacts describe a mask with transparent pixels. A pixel is painted if its alpha is at least
// half of the highest one.
type maskFacts struct {
	highest float32   // alpha
	limit   float32   // the least alpha of a painted pixel
	painted float64   // the share of the pixels that are painted
	faint   float64   // the share of the pixels whose alpha is well below the highest
	edge    float64   // the share of the pixels at the edges that are painted
	colours []float32 // of the painted pixels, [N, 3]

	// The shares of the painted pixels that are white, black, and of nearly the mean colour.
	white, black, single float64
}

// look gathers the facts.
func look(rgba []float32, w, h int) maskFacts {
	f := maskFacts{highest: -1}
	for i := 3; i < len(rgba); i += 4 {
		f.highest = max(f.highest, rgba[i])
	}
	at := func(share float32) float32 { return share*(f.highest+1) - 1 }
	f.limit = at(0.5)
	painted, faint, edge, edges := 0, 0, 0, 0
	for i := range w * h {
		pixel, isEdge := rgba[4*i:4*i+4], i/w == 0 || i/w == h-1 || i%w == 0 || i%w == w-1
		if isEdge {
			edges++
		}
		if pixel[3] < at(0.9) {
			faint++
		}
		if pixel[3] < f.limit {
			continue
		}
		f.colours = append(f.colours, pixel[:3]...)
		if painted++; isEdge {
			edge++
		}
	}
	n := float64(w * h)
	f.painted, f.faint, f.edge = float64(painted)/n, float64(faint)/n, float64(edge)/float64(edges)
	f.lookAtColours()
	return f
}

// lookAtColours finds the shares of colours.
func (f *maskFacts) lookAtColours() {
	n := float64(len(f.colours) / 3)
	var mean [3]float64
	for i, v := range f.colours {
		mean[i%3] += float64(v) / n
	}
	white, black, single := 0, 0, 0
	for i := 0; i < len(f.colours); i += 3 {
		colour, near := f.colours[i:i+3], true
		for k, v := range colour {
			near = near && math.Abs(float64(v)-mean[k]) <= nearColour
		}
		white, black, single = white+one(isWhite(colour)), black+one(isBlack(colour)), single+one(near)
	}
	f.white, f.black, f.single = float64(white)/n, float64(black)/n, float64(single)/n
}

// one counts what is so.
func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
