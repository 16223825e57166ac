package toy

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// leastPoints is the fewest points that a file may have. Some are held out, and the others have to
// show a distribution.
const leastPoints = 100

// maxPoints bounds the memory that a file takes.
const maxPoints = 1 << 22

// ReadCSV reads points from two columns of numbers, separated by commas. The first line may have
// titles.
func ReadCSV(r io.Reader) ([]float64, error) {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		text.Discard(len(byteOrderMark)) //nolint:errcheck // it was peeked at
	}
	lines := csv.NewReader(text)
	lines.FieldsPerRecord, lines.ReuseRecord, lines.TrimLeadingSpace = -1, true, true
	var points []float64
	for first := true; ; first = false {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			return nil, fmt.Errorf("line %d: %w", syntax.Line, syntax.Err)
		case err != nil:
			return nil, err
		}
		line, _ := lines.FieldPos(0)
		x, y, err := parsePoint(record)
		if err != nil && first && areTitles(record) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if points = append(points, x, y); len(points) > 2*maxPoints {
			return nil, fmt.Errorf("more than %d points: take some of them", maxPoints)
		}
	}
	if n := len(points) / 2; n < leastPoints {
		return nil, fmt.Errorf("%d points: at least %d are needed", n, leastPoints)
	}
	return points, nil
}

// byteOrderMark stands at the begin of files that some programs write.
const byteOrderMark = "\ufeff"

// areTitles reports whether a record has two columns, and neither is a number.
func areTitles(record []string) bool {
	for _, text := range record {
		if _, err := parseNumber(text); err == nil {
			return false
		}
	}
	return len(record) == 2
}

func parseNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return v, nil
}

func parsePoint(record []string) (x, y float64, err error) {
	if len(record) != 2 {
		return 0, 0, fmt.Errorf("it has %d columns: want 2 numbers, separated by a comma", len(record))
	}
	if x, err = parseNumber(record[0]); err != nil {
		return 0, 0, err
	}
	y, err = parseNumber(record[1])
	return x, y, err
}

// Standardise returns the points scaled and shifted so that both coordinates have mean 0 and
// deviation 1. It fails when a coordinate does not vary.
func Standardise(points []float64) ([]float32, error) {
	n, out := float64(len(points)/2), make([]float32, len(points))
	for c := range 2 {
		var sum, squares float64
		for i := c; i < len(points); i += 2 {
			sum += points[i]
		}
		mean := sum / n
		for i := c; i < len(points); i += 2 {
			d := points[i] - mean
			squares += float64(d * d)
		}
		deviation := math.Sqrt(squares / n)
		if !(deviation > 0) || math.IsInf(deviation, 0) {
			return nil, fmt.Errorf("column %d is the same number everywhere: a density needs two that vary", c+1)
		}
		for i := c; i < len(points); i += 2 {
			out[i] = float32((points[i] - mean) / deviation)
		}
	}
	return out, nil
}
