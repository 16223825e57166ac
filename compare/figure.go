package compare

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/go-analyze/charts"

	"github.com/fmimg/fmimg/internal/text"
)

// The sizes of the figure, in pixels. It has a column for the data and one for each method. Each
// column has densities, samples and trajectories, one above the other.
const (
	panel     = 220 // side of a picture
	gap       = 14
	margin    = 18
	headings  = 108 // baseline of the titles of columns
	notes     = 126
	panelsTop = 136
	factsTop  = panelsTop + 3*(panel+gap) + 14
	factLine  = 40
	bottom    = 20
	bigSize   = 17
	midSize   = 13
	textSize  = 10.5
)

// writePNG draws the results of the methods beside the data, and their cost.
func writePNG(w io.Writer, d *Data, t *Truth, rows []*Row) error {
	f := &figure{data: d, truth: t, rows: rows}
	f.columns = []*picture{&t.picture}
	for _, r := range rows {
		f.columns = append(f.columns, &r.picture)
	}
	width, height := margin+len(f.columns)*(panel+gap)+margin-gap, factsTop+len(f.facts())*factLine+bottom
	f.Painter = charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputPNG, Width: width, Height: height,
	})
	f.FilledRect(0, 0, width, height, charts.ColorWhite, charts.ColorWhite, 0)
	f.drawWords()
	picture, err := f.Bytes()
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	base, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	f.canvas = image.NewRGBA(base.Bounds())
	draw.Draw(f.canvas, base.Bounds(), base, image.Point{}, draw.Src)
	f.drawPanels()
	return png.Encode(w, f.canvas)
}

// A figure is a picture under way. A painter writes the words first, and the panels come over them.
type figure struct {
	*charts.Painter
	canvas  *image.RGBA
	data    *Data
	truth   *Truth
	rows    []*Row
	columns []*picture
}

// left returns where a column begins.
func (f *figure) left(column int) int { return margin + column*(panel+gap) }

func (f *figure) words(text string, x, y int, size float64, c charts.Color) {
	f.Text(text, x, y, 0, charts.FontStyle{FontSize: size, FontColor: c})
}

var (
	ink   = charts.ColorBlack
	muted = charts.Color{R: 0x60, G: 0x60, B: 0x60, A: 0xff}
	good  = charts.Color{R: 0x0b, G: 0x6e, B: 0x3a, A: 0xff}
	bar   = charts.Color{R: 0xc4, G: 0x4e, B: 0x52, A: 0xff}
)

// drawWords draws everything but the panels.
func (f *figure) drawWords() {
	f.words("Five ways to learn a distribution, in about the same time", margin, 34, bigSize, ink)
	f.words(fmt.Sprintf("Each is shown nothing but points (%s). Rows: the density that it learned; "+
		"points that it draws; how %d points of noise become data.", f.data.Name, ways), margin, 60, textSize, muted)
	f.words("The first two are trained by likelihood, the others by regression: "+
		"no layer has to be inverted, and no equation solved, in training.", margin, 78, textSize, muted)
	for i, c := range f.columns {
		f.words(c.title, f.left(i), headings, midSize, ink)
		f.words(c.note, f.left(i), notes, textSize, muted)
	}
	key := panelsTop + 2*(panel+gap)
	for _, line := range []struct {
		text string
		x, y int
	}{{"density: none to most", 0, 20}, {"noise, x0", 20, 96}, {"its way", 20, 126}, {"data, x1", 20, 156}} {
		f.words(line.text, f.left(0)+line.x, key+line.y, textSize, muted)
	}
	for i, fact := range f.facts() {
		f.drawFact(fact, factsTop+i*factLine)
	}
}

// drawFact draws a line of numbers, the best in green.
func (f *figure) drawFact(l fact, y int) {
	f.words(l.name, f.left(0), y+6, textSize, ink)
	f.words(l.truth, f.left(0), y+21, textSize-1, muted)
	least, most := slices.Min(l.cost), slices.Max(l.cost)
	for k, text := range l.texts {
		c, x := ink, f.left(k+1)
		if l.cost[k] <= least && most > least {
			c = good
		}
		if l.bars {
			long := max(int(l.cost[k]/most*(panel-90)), 1)
			f.FilledRect(x, y-5, x+long, y+7, bar, bar, 0)
			x += long + 6
		}
		f.words(text, x, y+6, midSize-1, c)
	}
}

// A fact is a line of numbers below the panels.
type fact struct {
	name, truth string
	texts       []string
	cost        []float64 // the smallest is the best
	bars        bool
}

func (f *figure) facts() []fact {
	loglik := "the true density is not known"
	if f.truth.LogLikelihood != nil {
		loglik = fmt.Sprintf("%.3f for the true density", *f.truth.LogLikelihood)
	}
	energy := fmt.Sprintf("%.4f for as many real points", f.truth.EnergyDistance)
	line := func(name, truth string, bars bool, of func(r *Row) (string, float64)) fact {
		l := fact{name: name, truth: truth, bars: bars}
		for _, r := range f.rows {
			text, cost := of(r)
			l.texts, l.cost = append(l.texts, text), append(l.cost, cost)
		}
		return l
	}
	return []fact{
		line("time of a training step", fmt.Sprintf("on %d points", batchSize), true, func(r *Row) (string, float64) {
			return milliseconds(r.SecondsPerStep), r.SecondsPerStep
		}),
		line("training", "steps, fixed beforehand", false, func(r *Row) (string, float64) {
			return fmt.Sprintf("%s, %.0f s", text.Count(r.Steps, "step", "steps"), r.Seconds), 0
		}),
		line("log-likelihood of held-out points", loglik, false, func(r *Row) (string, float64) {
			return fmt.Sprintf("%.3f ± %.3f", r.LogLikelihood, r.LogError), -r.LogLikelihood
		}),
		line("energy distance to held-out points", energy, false, func(r *Row) (string, float64) {
			return fmt.Sprintf("%.4f", r.EnergyDistance), r.EnergyDistance
		}),
		line("evaluations to draw a sample", "of the network, mean", false, func(r *Row) (string, float64) {
			return fmt.Sprintf("%.3g", r.Evaluations), r.Evaluations
		}),
	}
}

// milliseconds spells a time with two or three digits.
func milliseconds(seconds float64) string {
	if ms := 1000 * seconds; ms < 10 {
		return fmt.Sprintf("%.2g ms", ms)
	}
	return fmt.Sprintf("%.0f ms", 1000*seconds)
}

// drawPanels draws the panels of all columns.
func (f *figure) drawPanels() {
	scale := f.densityScale()
	for i, c := range f.columns {
		for row := range 3 {
			at := image.Rect(0, 0, panel, panel).Add(image.Pt(f.left(i), panelsTop+row*(panel+gap)))
			switch {
			case row == 0 && c.density != nil:
				f.drawDensity(at, c.density, scale)
			case row == 0 || row == 1:
				f.drawSamples(at, c.samples)
			case c.ways != nil:
				f.drawWays(at, c.ways)
			default:
				f.drawKey(at)
			}
		}
	}
}

// densityScale returns the density that is drawn brightest: a little above the highest true
// densities. When the true density is not known, it is above most of the learned densities.
func (f *figure) densityScale() float64 {
	var all []float64
	for _, c := range f.columns {
		if all = append(all, c.density...); len(all) > 0 && f.truth.density != nil {
			break
		}
	}
	slices.Sort(all)
	return 1.25 * max(all[len(all)*995/1000], 1e-9)
}

func (f *figure) drawDensity(at image.Rectangle, density []float64, scale float64) {
	side := int(math.Sqrt(float64(len(density))) + 0.5)
	for y := range panel {
		for x := range panel {
			f.canvas.Set(at.Min.X+x, at.Min.Y+y, heat(density[y*side/panel*side+x*side/panel]/scale))
		}
	}
}

// heatColors are equally spaced between no density and the brightest.
var heatColors = [][3]float64{{8, 8, 32}, {60, 22, 110}, {150, 44, 120}, {222, 82, 86}, {250, 160, 70}, {252, 250, 180}}

// heat returns the colour of a density between 0 and 1. Its root is shown, so that faint densities
// can be seen.
func heat(v float64) color.RGBA {
	at := math.Sqrt(min(max(v, 0), 1)) * float64(len(heatColors)-1)
	i := min(int(at), len(heatColors)-2)
	part := at - float64(i)
	var c [3]uint8
	for k := range c {
		c[k] = uint8(heatColors[i][k]*(1-part) + heatColors[i+1][k]*part)
	}
	return color.RGBA{c[0], c[1], c[2], 0xff}
}

// The colours of points.
var (
	noiseColor = color.RGBA{0x9a, 0x9a, 0x9a, 0xff}
	wayColor   = color.RGBA{0x3b, 0x6f, 0xb6, 0xff}
	dataColor  = color.RGBA{0xc4, 0x2e, 0x32, 0xff}
	paper      = color.RGBA{0xf6, 0xf6, 0xf4, 0xff}
)

func (f *figure) drawSamples(at image.Rectangle, points []float32) {
	draw.Draw(f.canvas, at, image.NewUniform(paper), image.Point{}, draw.Src)
	for i := 0; i < len(points); i += 2 {
		f.dot(at, place(at, points[i:]), wayColor, 0.55)
	}
}

// drawWays draws lines through the moments, from gray noise to red data.
func (f *figure) drawWays(at image.Rectangle, moments [][]float32) {
	draw.Draw(f.canvas, at, image.NewUniform(paper), image.Point{}, draw.Src)
	for i := 0; i < len(moments[0]); i += 2 {
		for k := 1; k < len(moments); k++ {
			f.line(at, place(at, moments[k-1][i:]), place(at, moments[k][i:]))
		}
	}
	for i := 0; i < len(moments[0]); i += 2 {
		f.blob(at, place(at, moments[0][i:]), noiseColor)
		f.blob(at, place(at, moments[len(moments)-1][i:]), dataColor)
	}
}

// A spot is a place of the canvas, in pixels.
type spot struct{ x, y float64 }

func place(at image.Rectangle, point []float32) spot {
	part := func(v float32) float64 { return (float64(v)/extent + 1) / 2 * panel }
	return spot{float64(at.Min.X) + part(point[0]), float64(at.Min.Y) + part(-point[1])}
}

// line draws a thin line as dots, three for each pixel.
func (f *figure) line(at image.Rectangle, from, to spot) {
	n := int(3*math.Hypot(to.x-from.x, to.y-from.y)) + 1
	if n > 100*panel { // far outside
		return
	}
	for i := range n {
		part := float64(i) / float64(n)
		f.dot(at, spot{from.x + part*(to.x-from.x), from.y + part*(to.y-from.y)}, wayColor, 0.12)
	}
}

// blob draws a small disc.
func (f *figure) blob(at image.Rectangle, s spot, c color.RGBA) {
	for _, d := range []spot{{0, 0}, {-0.8, 0}, {0.8, 0}, {0, -0.8}, {0, 0.8}} {
		f.dot(at, spot{s.x + d.x, s.y + d.y}, c, 0.8)
	}
}

// dot draws a pixel of colour over the four pixels around a spot, within a panel.
func (f *figure) dot(at image.Rectangle, s spot, c color.RGBA, opacity float64) {
	if !(math.Abs(s.x) < 1e6 && math.Abs(s.y) < 1e6) {
		return
	}
	x, y := math.Floor(s.x-0.5), math.Floor(s.y-0.5)
	for _, d := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		p := image.Pt(int(x)+d.X, int(y)+d.Y)
		cover := (1 - math.Abs(s.x-0.5-float64(p.X))) * (1 - math.Abs(s.y-0.5-float64(p.Y))) * opacity
		if !p.In(at) {
			continue
		}
		i := f.canvas.PixOffset(p.X, p.Y)
		for k, v := range []uint8{c.R, c.G, c.B} {
			old := float64(f.canvas.Pix[i+k])
			f.canvas.Pix[i+k] = uint8(old + cover*(float64(v)-old))
		}
	}
}

// drawKey shows what the colours mean. It stands where the data has no trajectories.
func (f *figure) drawKey(at image.Rectangle) {
	for y := range 12 {
		for x := range panel {
			f.canvas.Set(at.Min.X+x, at.Min.Y+30+y, heat(float64(x)/panel))
		}
	}
	f.blob(at, spot{float64(at.Min.X + 6), float64(at.Min.Y + 92)}, noiseColor)
	f.blob(at, spot{float64(at.Min.X + 6), float64(at.Min.Y + 152)}, dataColor)
	from := spot{float64(at.Min.X + 6), float64(at.Min.Y + 96)}
	f.line(at, from, spot{from.x, float64(at.Min.Y + 148)})
}
