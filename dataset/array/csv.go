package array

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// A table of pixels has a row for each image: a label and the pixels, each in a column of its own
// or all in one column with spaces between them (FER2013). encoding/csv is not used, as a quotation
// mark lets it read a whole file into memory as one field.

const (
	maxLine  = 4 << 20 // bytes of a row: pixels of 512x512 in RGB
	headRows = 8       // rows by which a table is recognised
	headLen  = 1 << 16 // bytes that are read for them
	longHead = 1 << 20 // and where these have no two rows
)

// A table says what the columns of a file are.
type table struct {
	file   *tree.File
	comma  byte
	mac    bool // a carriage return ends a line
	header bool
	above  int   // lines above the rows: those that begin with a hash, and the header
	pixels []int // columns with a pixel each; or the one column of all
	packed bool  // the pixels are in one column
	rgb    bool  // pixels has red, green and blue for each pixel, as the names of the columns say
	alpha  bool  // and alpha
	label  int   // column, -1 for none
	usage  int   // column that names the part of a row, -1 for none
	kind   tabular.Kind
	parts  tabular.Split // what the values of that column mean
	size   int           // pixels of an image
	note   string
	others []string // columns that are not read
}

// pixelNames match the names of columns of pixels: pixel0, p1, 1x1, 0.12, 17, r0, red_0, 0_r.
var pixelNames = regexp.MustCompile(`^[a-z_ ]{0,12}\d+([x_.]\d+)*([_. ]?` + colourWords + `)?$`)

// colourNames match the colour in the name of a column of pixels, before the number or behind it.
var colourNames = regexp.MustCompile(`^([a-z]+[_ ])?` + colourWords + `[_ ]?\d|\d[_. ]?` + colourWords + `$`)

const colourWords = `(r|g|b|a|red|green|blue|alpha)`

// What columns other than those of pixels are called.
var (
	labelColumns = []string{"label", "labels", "class", "target", "y", "emotion", "digit", "letter", "category", "symbol"}
	indexColumns = []string{"", "id", "index", "idx", "unnamed: 0", "imageid", "image_id"}
)

// recognise finds the columns of a file, by its first rows. ok is false where its rows are not
// pixels.
func recognise(f *tree.File) (t table, ok bool) {
	data, most := head(f, headLen), headLen
	if len(data) == headLen && bytes.Count(data, []byte("\n")) < 2 {
		data, most = head(f, longHead), longHead
	}
	t = table{file: f, comma: ',', label: -1, usage: -1}
	rows := t.firstRows(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), len(data) < most)
	if len(rows) == 0 {
		return t, false
	}
	t.header = slices.ContainsFunc(rows[0], func(s string) bool { return !isNumber(s) && !isPixels(s) }) &&
		(len(rows) > 1 || !isNumber(rows[0][len(rows[0])-1]))
	if t.header && textLabel(rows) {
		t.header = false
	}
	if t.header {
		t.above++
		ok = len(rows) > 1 && t.byNames(rows[0], rows[1])
	} else {
		ok = t.byPlaces(rows)
	}
	return t, ok
}

// firstRows cuts the first rows of a file out of its beginning, or of all of it. Lines above them
// that begin with a hash are not rows, but the last may be a header, as NumPy writes it.
func (t *table) firstRows(data []byte, whole bool) [][]string {
	t.mac = text.MacLines(data)
	text.UnixLines(data)
	var rows [][]string
	var above []byte
	for len(data) > 0 && len(rows) < headRows {
		end := bytes.IndexByte(data, '\n')
		if end < 0 && !whole {
			break // a row that was cut
		}
		if end < 0 {
			end = len(data) - 1
		}
		line := bytes.TrimSpace(data[:end+1])
		data = data[end+1:]
		switch {
		case len(line) == 0:
			continue
		case len(rows) == 0 && line[0] == '#':
			above = bytes.TrimLeft(line, "# \t")
			t.above++
			continue
		case len(rows) == 0:
			t.comma = separator(line)
			header, row := fields(above, t.comma, nil), fields(decimal(line, t.comma), t.comma, nil)
			if len(header) == len(row) && isRow(row) && !isRow(header) {
				rows = append(rows, header)
				t.above--
			}
		}
		rows = append(rows, fields(decimal(line, t.comma), t.comma, nil))
	}
	return rows
}

// isRow reports whether fields are numbers, or pixels, but for one label.
func isRow(row []string) bool {
	texts := 0
	for _, s := range row {
		if !isNumber(s) && !isPixels(s) {
			texts++
		}
	}
	return texts <= 1
}

// textLabel reports whether the first row is not a header, though one of its fields is not a
// number: the label is a text in all rows.
func textLabel(rows [][]string) bool {
	texts := 0
	for _, s := range rows[0] {
		if !isNumber(s) {
			texts++
		}
	}
	return texts == 1 && len(rows[0]) > 2 && !slices.ContainsFunc(rows[0], func(s string) bool {
		name := strings.ToLower(s)
		return slices.Contains(labelColumns, name) || slices.Contains(indexColumns, name)
	})
}

// separator returns what stands between the fields of a row most often. Commas may stand in the
// numbers between semicolons.
func separator(line []byte) byte {
	if n := bytes.Count(line, []byte{';'}); n >= minSide*minSide && 2*n >= bytes.Count(line, []byte{','}) {
		return ';'
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{best}) {
			best = c
		}
	}
	return best
}

// decimal makes points of the commas in numbers: where semicolons stand between fields, numbers may
// have commas.
func decimal(line []byte, comma byte) []byte {
	if comma != ';' {
		return line
	}
	return bytes.ReplaceAll(line, []byte{','}, []byte{'.'})
}

// fields cuts a row, and takes quotation marks and spaces off.
func fields(line []byte, comma byte, list []string) []string {
	for part := range bytes.SplitSeq(line, []byte{comma}) {
		list = append(list, string(bytes.Trim(part, " \"'\r\n")))
	}
	return list
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// isPixels reports whether a field holds all pixels of an image.
func isPixels(s string) bool {
	head, rest, ok := strings.Cut(s, " ")
	next, _, _ := strings.Cut(rest, " ")
	return ok && isNumber(head) && isNumber(next)
}

// byNames finds the columns by their names.
func (t *table) byNames(header, row []string) bool {
	if len(header) != len(row) {
		return false
	}
	var named, numeric []int // columns of pixels by their names, and other ones of numbers
	for i, name := range header {
		name = strings.ToLower(name)
		switch {
		case tabular.KindOf(name) != tabular.NoSplit:
			if t.usage < 0 {
				t.usage, t.kind = i, tabular.KindOf(name)
			}
		case slices.Contains(labelColumns, name) && t.label < 0:
			t.label = i
		case slices.Contains(indexColumns, name):
		case isPixels(row[i]):
			t.packed, t.pixels = true, []int{i}
			t.size = len(strings.Fields(row[i]))
		case pixelNames.MatchString(name):
			named = append(named, i)
		default:
			t.others = append(t.others, name)
			if isNumber(row[i]) {
				numeric = append(numeric, i)
			}
		}
	}
	if t.packed {
		return t.square()
	}
	if t.pixels, t.size = named, len(named); t.square() {
		t.byColours(header)
		return true
	}
	// Some columns of pixels may have other names.
	t.pixels, t.others = slices.Concat(named, numeric), nil
	slices.Sort(t.pixels)
	t.size = len(t.pixels)
	return len(named)*10 >= len(t.pixels)*9 && t.square()
}

// byColours brings the columns of pixels into the order of red, green, blue and perhaps alpha for
// each pixel, where their names tell the channel of each: r0, g0, b0, r1, or r0, r1, and the others
// behind.
func (t *table) byColours(header []string) {
	var of [4][]int
	for _, column := range t.pixels {
		found := colourNames.FindStringSubmatch(strings.ToLower(header[column]))
		if found == nil {
			return
		}
		c := strings.IndexByte("rgba", (found[2] + found[3])[0])
		of[c] = append(of[c], column)
	}
	n := len(of[0])
	if len(of[1]) != n || len(of[2]) != n || len(of[3]) != 0 && (len(of[3]) != n || side(n) == 0) {
		return
	}
	t.rgb, t.alpha, t.pixels = true, len(of[3]) > 0, nil
	for i := range n {
		for _, columns := range of {
			if len(columns) > 0 {
				t.pixels = append(t.pixels, columns[i])
			}
		}
	}
}

// square reports whether the pixels of a row are a square, gray or in RGB.
func (t *table) square() bool {
	return side(t.size) >= minSide || t.size%3 == 0 && side(t.size/3) >= minSide
}

// byPlaces finds the columns of a file without a header: the label is the first or the last.
func (t *table) byPlaces(rows [][]string) bool {
	d := len(rows[0])
	for _, row := range rows {
		if len(row) != d {
			return false
		}
	}
	if d <= 3 {
		return t.onePacked(rows[0])
	}
	for i, s := range rows[0] {
		if isNumber(s) {
			t.pixels = append(t.pixels, i)
		} else if t.label = i; i != 0 && i != d-1 {
			return false
		}
	}
	if t.size = len(t.pixels); t.label >= 0 || side(d-1) < minSide && side(d) >= minSide {
		return t.label >= 0 == (len(t.pixels) == d-1) && t.square()
	}
	if t.size = d - 1; !t.square() {
		t.size = d
		return t.square()
	}
	first, last := varied(rows, 0), varied(rows, d-1)
	switch t.label = 0; {
	case last && !first:
		t.label = d - 1
	case last && highest(rows, d-1) < highest(rows, 0):
		t.label = d - 1
		t.note = "the last column was taken for the label"
	case last == first:
		t.note = "the first column was taken for the label"
	}
	t.pixels = slices.Delete(t.pixels, t.label, t.label+1)
	return true
}

// onePacked finds a column with all pixels, beside a label.
func (t *table) onePacked(row []string) bool {
	for i, s := range row {
		if isPixels(s) {
			t.packed, t.pixels, t.size = true, []int{i}, len(strings.Fields(s))
		} else if t.label < 0 {
			t.label = i
		}
	}
	return t.packed && t.square()
}

// highest returns the highest number of a column. Labels are lower than pixels.
func highest(rows [][]string, column int) float64 {
	high := math.Inf(-1)
	for _, row := range rows {
		if v, err := strconv.ParseFloat(row[column], 64); err == nil {
			high = max(high, v)
		}
	}
	return high
}

// varied reports whether a column differs between rows: corners of images seldom do.
func varied(rows [][]string, column int) bool {
	return slices.ContainsFunc(rows, func(row []string) bool { return row[column] != rows[0][column] })
}

// rows calls do for each row of a part; "" means all rows. The pixels are do's until it returns.
func (t *table) rows(part string, do func(label string, pixels []float64) error) error {
	return t.each(func(label, usage string, pixels []float64) error {
		if part != "" && t.parts.Part(usage) != part {
			return nil
		}
		return do(label, pixels)
	})
}

// each calls do for each row, with its value in the column of parts.
func (t *table) each(do func(label, usage string, pixels []float64) error) error {
	r, _, err := unpacked(t.file)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	if t.mac {
		lines.Split(macLine)
	}
	pixels, row, above := make([]float64, t.size), newCells(t), t.above
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 {
			continue
		}
		if above > 0 {
			above--
			continue
		}
		label, usage, err := row.parse(decimal(line, t.comma), pixels)
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if err := do(label, usage, pixels); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a row has more than %d bytes: is it a table of pixels?", maxLine)
	}
	if err := lines.Err(); err != nil {
		return cutOff("in a row", err)
	}
	return nil
}

// macLine is a bufio.SplitFunc for lines that end in a carriage return, or a few in a line feed.
func macLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// cells cuts rows without taking memory for each.
type cells struct {
	table *table
	role  []int // of each column: the index of its pixel, or one of the roles below
}

// Roles of columns without pixels.
const (
	noCell    = -1
	labelCell = -2
	usageCell = -3
	allCells  = -4 // the column has all pixels
)

func newCells(t *table) *cells {
	c := &cells{table: t}
	last := max(slices.Max(t.pixels), t.label, t.usage)
	c.role = slices.Repeat([]int{noCell}, last+1)
	for i, column := range t.pixels {
		c.role[column] = i
		if t.packed {
			c.role[column] = allCells
		}
	}
	if t.label >= 0 {
		c.role[t.label] = labelCell
	}
	if t.usage >= 0 {
		c.role[t.usage] = usageCell
	}
	return c
}

// parse cuts a row into its label, its part and its pixels.
func (c *cells) parse(line []byte, pixels []float64) (label, usage string, err error) {
	column, found := 0, 0
	for part := range bytes.SplitSeq(line, []byte{c.table.comma}) {
		if column >= len(c.role) {
			break
		}
		part = bytes.Trim(part, " \"'")
		switch role := c.role[column]; role {
		case noCell:
		case labelCell:
			label = string(part)
		case usageCell:
			usage = string(part)
		case allCells:
			for one := range bytes.FieldsSeq(part) {
				if found < len(pixels) {
					pixels[found], err = number(one)
				}
				if found++; err != nil {
					return "", "", err
				}
			}
		default:
			if pixels[role], err = number(part); err != nil {
				return "", "", fmt.Errorf("column %d: %w", column+1, err)
			}
			found++
		}
		column++
	}
	if found != len(pixels) {
		return "", "", fmt.Errorf("%d pixels, want %d", found, len(pixels))
	}
	return label, usage, nil
}

// number reads a number. Most pixels are small and whole.
func number(text []byte) (float64, error) {
	n := 0
	for i, c := range text {
		if c < '0' || c > '9' || i == 9 {
			v, err := strconv.ParseFloat(string(text), 64)
			if err != nil {
				return 0, fmt.Errorf("%.20q is not a number", text)
			}
			return v, nil
		}
		n = 10*n + int(c-'0')
	}
	if len(text) == 0 {
		return 0, errors.New("an empty field where a pixel belongs")
	}
	return float64(n), nil
}

// A survey is what a first walk over a part of a table finds.
type survey struct {
	rows    int
	float   bool
	labels  map[string]int  // rows of each label that is not empty
	missing map[string]bool // labels that stand for none; they are not among the others
	none    int             // rows without a label
}

// look walks over a part of the table.
func (t *table) look(part string) (survey, error) {
	s := survey{labels: map[string]int{}}
	err := t.rows(part, func(label string, pixels []float64) error {
		s.rows++
		for _, v := range pixels {
			s.float = s.float || v != math.Trunc(v)
		}
		if label == "" {
			s.none++
			return nil
		}
		if s.labels[label] == 0 && (len(s.labels) == maxClasses || len(label) > 256) {
			return fmt.Errorf("%d different labels, more than %d: is the column right?", len(s.labels)+1, maxClasses)
		}
		s.labels[label]++
		return nil
	})
	return s, err
}

// numbers returns the pixels of a part as an array.
func (t *table) numbers(part string, s survey) numbers {
	dims := []int{s.rows, t.size}
	if t.alpha { // the number of a row is a square of gray pixels too
		dims = []int{s.rows, side(t.size / 4), side(t.size / 4), 4}
	}
	return numbers{
		name: path.Base(t.file.Name), dims: dims, exact: t.alpha, kind: kind{size: 8, float: s.float}, rgb: t.rgb,
		each: func(do func([]float64) error) error {
			left := s.rows
			err := t.rows(part, func(_ string, pixels []float64) error {
				if left--; left < 0 {
					return errors.New("the file grew while it was read")
				}
				return do(pixels)
			})
			if err == nil && left > 0 {
				err = fmt.Errorf("the file shrank while it was read: %w", io.ErrUnexpectedEOF)
			}
			return err
		},
	}
}
