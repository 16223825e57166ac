// Package plot draws measured curves over two logarithmic axes.
package plot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-analyze/charts"
)

// A Chart is a picture of curves. Both axes are logarithmic. The X axis has a label at each
// measured value.
type Chart struct {
	Title  string
	XTitle string
	Curves []Curve
}

// A Curve is a series of measurements. Several points may have one X: each is shown, and the line
// goes through their geometric mean. Points with a number that is not above 0 have no place on the
// axes and are left out.
type Curve struct {
	Name   string
	Points []Point
	Level  bool // a level to compare with: dashed, without dots, from one side to the other
}

// A Point is one measurement.
type Point struct{ X, Y float64 }

func (p Point) drawable() bool {
	return p.X > 0 && p.Y > 0 && !math.IsInf(p.X, 1) && !math.IsInf(p.Y, 1)
}

// The picture, in pixels.
const (
	width, height       = 900, 450
	left, right         = 70, 30 // of the frame
	top, bottom         = 70, 60
	titleSize, textSize = 14, 11
	titleLine           = 26 // baselines from the top of the picture
	legendLine          = 52
	swatch              = 28
	dot                 = 4
)

// A sheet is a chart that is being drawn.
type sheet struct {
	*charts.Painter
	theme  charts.ColorPalette
	x, y   axis
	curves []Curve // with only the points that can be drawn
}

// WritePNG draws the chart. It fails when no point can be drawn.
func (c *Chart) WritePNG(w io.Writer) error {
	s, err := c.layOut()
	if err != nil {
		return err
	}
	s.FilledRect(0, 0, width, height, charts.ColorWhite, charts.ColorWhite, 0)
	s.text(c.Title, left, titleLine, titleSize)
	s.text(c.XTitle, (left+width-right-s.width(c.XTitle))/2, height-bottom/4, textSize)
	s.drawLegend()
	s.drawAxes()
	for i := range s.curves {
		s.drawCurve(i)
	}
	picture, err := s.Bytes()
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	_, err = w.Write(picture)
	return err
}

// layOut finds the axes and the points that can be drawn.
func (c *Chart) layOut() (*sheet, error) {
	s := &sheet{theme: charts.GetDefaultTheme()}
	var x, y []float64
	for _, curve := range c.Curves {
		curve.Points = slices.DeleteFunc(slices.Clone(curve.Points), func(p Point) bool { return !p.drawable() })
		for _, p := range curve.Points {
			x, y = append(x, p.X), append(y, p.Y)
		}
		if len(curve.Points) > 0 {
			s.curves = append(s.curves, curve)
		}
	}
	if len(x) == 0 {
		return nil, errors.New("chart: there is nothing to draw: no point has two numbers above 0")
	}
	s.x, s.y = measuredAxis(x, left, width-right), roundAxis(y, height-bottom, top)
	s.Painter = charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputPNG, Width: width, Height: height,
	})
	return s, nil
}

func (s *sheet) style(size float64) charts.FontStyle {
	return charts.FontStyle{FontSize: size, FontColor: s.theme.GetLegendTextColor()}
}

func (s *sheet) text(text string, x, y int, size float64) { s.Text(text, x, y, 0, s.style(size)) }

// width returns the pixels that a text takes.
func (s *sheet) width(text string) int { return s.MeasureText(text, 0, s.style(textSize)).Width() }

// drawLegend names the curves in one line.
func (s *sheet) drawLegend() {
	at := left
	for i, c := range s.curves {
		middle := legendLine - textSize/2
		s.line(i, []charts.Point{{X: at, Y: middle}, {X: at + swatch, Y: middle}})
		at += swatch + 8
		s.text(c.Name, at, legendLine, textSize)
		at += s.width(c.Name) + 24
	}
}

// drawAxes draws the lines of the grid and their values. It leaves out values that would touch.
func (s *sheet) drawAxes() {
	color := s.theme.GetAxisSplitLineColor()
	for _, v := range s.y.ticks {
		y := s.y.pixel(v)
		s.LineStroke([]charts.Point{{X: s.x.from, Y: y}, {X: s.x.to, Y: y}}, color, 1)
		s.text(label(v), left-8-s.width(label(v)), y+textSize/2, textSize)
	}
	free := 0
	for _, v := range s.x.ticks {
		x, wide := s.x.pixel(v), s.width(label(v))
		s.LineStroke([]charts.Point{{X: x, Y: s.y.from}, {X: x, Y: s.y.from + 6}}, s.theme.GetXAxisStrokeColor(), 1)
		if x-wide/2 >= free {
			s.text(label(v), x-wide/2, s.y.from+22, textSize)
			free = x + wide/2 + 8
		}
	}
}

// drawCurve draws a line and, unless it is a level, the points.
func (s *sheet) drawCurve(i int) {
	c := s.curves[i]
	var line []charts.Point
	for _, p := range means(c.Points) {
		line = append(line, s.place(p))
	}
	if c.Level {
		first, last := line[0], line[len(line)-1]
		first.X, last.X = s.x.from, s.x.to
		line = slices.Concat([]charts.Point{first}, line, []charts.Point{last})
	}
	s.line(i, line)
	if c.Level {
		return
	}
	for _, p := range c.Points {
		at := s.place(p)
		s.Circle(dot, at.X, at.Y, s.theme.GetSeriesColor(i), s.theme.GetSeriesColor(i), 1)
	}
}

// line draws a line in the colour of curve i, dashed for a level.
func (s *sheet) line(i int, points []charts.Point) {
	if s.curves[i].Level {
		s.DashedLineStroke(points, s.theme.GetSeriesColor(i), 2, []float64{8, 5})
		return
	}
	s.LineStroke(points, s.theme.GetSeriesColor(i), 2)
}

func (s *sheet) place(p Point) charts.Point {
	return charts.Point{X: s.x.pixel(p.X), Y: s.y.pixel(p.Y)}
}

// means returns the geometric mean of the points of each X, in the order of X.
func means(points []Point) []Point {
	logs := map[float64][]float64{}
	for _, p := range points {
		logs[p.X] = append(logs[p.X], math.Log(p.Y))
	}
	var line []Point
	for x, all := range logs {
		sum := 0.0
		for _, v := range all {
			sum += v
		}
		line = append(line, Point{x, math.Exp(sum / float64(len(all)))})
	}
	slices.SortFunc(line, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
	return line
}
