package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"strconv"

	"github.com/go-analyze/charts"
)

// A panel is a picture with two linear axes.
type panel struct {
	title string
	xName string // of the horizontal axis; may be empty
	x, y  axis
	lines []line
	dots  []dots
}

// An axis goes from low to high, and has a mark and its number at each tick.
type axis struct {
	low, high float64
	ticks     []float64
}

type point struct{ x, y float64 }

// A line goes through points. A line with a name is in the panel's legend.
type line struct {
	name   string
	points []point
	colour charts.Color
	width  float64
}

type dots struct {
	points []point
	colour charts.Color
	radius float64
}

// The sizes of a panel, in pixels of the figure.
const (
	side         = 300
	left, right  = 38, 12
	top, bottom  = 26, 40
	tick         = 5
	titleSize    = 10
	textSize     = 8.5
	legendLine   = 14
	legendSwatch = 24
)

// fine is how many pixels the painter has for a pixel of the figure, whose points it takes as whole
// numbers.
const fine = 4

// writeFigure draws panels side by side into a PNG.
func writeFigure(w io.Writer, panels []*panel) error {
	width := len(panels) * side
	painter := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputPNG, Width: fine * width, Height: fine * side,
	})
	painter.FilledRect(0, 0, fine*width, fine*side, charts.ColorWhite, charts.ColorWhite, 0)
	for i, p := range panels {
		s := &sheet{painter, p, float64(i * side)}
		s.draw()
	}
	text, err := painter.Bytes()
	if err != nil {
		return err
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return png.Encode(w, shrink(picture))
}

// shrink makes each block of fine x fine pixels one pixel of their mean colour.
func shrink(m image.Image) image.Image {
	size := m.Bounds().Size().Div(fine)
	small := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			var sum [3]uint32
			for i := range fine * fine {
				r, g, b, _ := m.At(fine*x+i%fine, fine*y+i/fine).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+r, sum[1]+g, sum[2]+b
			}
			const whole = fine * fine * 0x101 // from 16 bits to 8
			small.SetRGBA(x, y, color.RGBA{uint8(sum[0] / whole), uint8(sum[1] / whole), uint8(sum[2] / whole), 0xff})
		}
	}
	return small
}

// A sheet is a panel under way, which begins at a pixel of the figure.
type sheet struct {
	painter *charts.Painter
	panel   *panel
	begin   float64
}

func (s *sheet) draw() {
	s.text(s.panel.title, (left+side-right)/2, top-12, titleSize, 0.5)
	s.drawAxes()
	for _, l := range s.panel.lines {
		s.stroke(l.points, l.colour, l.width)
	}
	for _, d := range s.panel.dots {
		for _, p := range d.points {
			x, y := s.pixel(s.place(p))
			s.painter.Circle(fine*d.radius, x, y, d.colour, d.colour, 0)
		}
	}
	s.drawLegend()
}

// place returns where a point of the axes is in the panel.
func (s *sheet) place(p point) point {
	share := func(a axis, v float64) float64 { return (v - a.low) / (a.high - a.low) }
	return point{
		x: left + share(s.panel.x, p.x)*(side-left-right),
		y: side - bottom - share(s.panel.y, p.y)*(side-top-bottom),
	}
}

// pixel returns the painter's pixel of a place in the panel.
func (s *sheet) pixel(p point) (x, y int) { return int(fine * (s.begin + p.x)), int(fine * p.y) }

// text writes with its middle line at y, where align is the share of the text that is left of x.
func (s *sheet) text(text string, x, y, size, align float64) {
	style := charts.FontStyle{FontSize: fine * size, FontColor: charts.ColorBlack}
	box := s.painter.MeasureText(text, 0, style)
	px, py := s.pixel(point{x, y})
	s.painter.Text(text, px-int(align*float64(box.Width())), py+box.Height()/2, 0, style)
}

// segment draws a thin black line between two places of the panel.
func (s *sheet) segment(a, b point) { s.polyline([]point{a, b}, charts.ColorBlack, 1) }

// polyline draws a line through places of the panel.
func (s *sheet) polyline(places []point, c charts.Color, width float64) {
	var pixels []charts.Point
	for _, p := range places {
		x, y := s.pixel(p)
		pixels = append(pixels, charts.Point{X: x, Y: y})
	}
	s.painter.LineStroke(pixels, c, fine*width)
}

// stroke draws a line through points of the axes.
func (s *sheet) stroke(points []point, c charts.Color, width float64) {
	var places []point
	for _, p := range points {
		places = append(places, s.place(p))
	}
	s.polyline(places, c, width)
}

func (s *sheet) drawAxes() {
	const floor, wall = side - bottom + 4, left - 4 // a little away from what is drawn
	p := s.panel
	s.segment(point{left, floor}, point{side - right, floor})
	for _, v := range p.x.ticks {
		at := s.place(point{v, p.y.low}).x
		s.segment(point{at, floor}, point{at, floor + tick})
		s.text(spell(v), at, floor+13, textSize, 0.5)
	}
	s.text(p.xName, (left+side-right)/2, floor+27, titleSize, 0.5)
	s.segment(point{wall, top}, point{wall, side - bottom})
	for _, v := range p.y.ticks {
		at := s.place(point{p.x.low, v}).y
		s.segment(point{wall - tick, at}, point{wall, at})
		s.text(spell(v), wall-tick-3, at, textSize, 1)
	}
}

// drawLegend names the lines that have a name, from the top left of the panel.
func (s *sheet) drawLegend() {
	at := point{left + 6, top + 6}
	for _, l := range s.panel.lines {
		if l.name == "" {
			continue
		}
		s.polyline([]point{at, {at.x + legendSwatch, at.y}}, l.colour, l.width)
		s.text(l.name, at.x+legendSwatch+5, at.y, textSize, 0)
		at.y += legendLine
	}
}

// spell writes the number of a tick.
func spell(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
