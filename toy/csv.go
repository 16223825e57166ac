package toy

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// leastPoints is the fewest points of a file: some are held out, and the others have to show a distribution.
const leastPoints = 100

// maxPoints bounds the memory that a file takes.
const maxPoints = 1 << 22

// ReadCSV reads points from two columns of numbers, separated by commas, behind at most one line of titles.
func ReadCSV(r io.Reader) ([]float32, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord, lines.ReuseRecord, lines.TrimLeadingSpace = -1, true, true
	var points []float32
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
		if err != nil && !(first && len(record) == 2) {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if err != nil {
			continue // titles
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

func parsePoint(record []string) (x, y float32, err error) {
	if len(record) != 2 {
		return 0, 0, fmt.Errorf("it has %d columns: want 2 numbers, separated by a comma", len(record))
	}
	var point [2]float32
	for i, text := range record {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, 0, fmt.Errorf("%q is no number", text)
		}
		point[i] = float32(v)
	}
	return point[0], point[1], nil
}

// Standardise gives each coordinate of points mean 0 and deviation 1, in place. It fails when one does not vary.
func Standardise(points []float32) error {
	n := float64(len(points) / 2)
	for c := range 2 {
		var sum, squares float64
		for i := c; i < len(points); i += 2 {
			sum += float64(points[i])
		}
		mean := sum / n
		for i := c; i < len(points); i += 2 {
			d := float64(points[i]) - mean
			squares += d * d
		}
		deviation := math.Sqrt(squares / n)
		if !(deviation > 0) || math.IsInf(deviation, 0) {
			return fmt.Errorf("column %d is the same number everywhere: a density needs two that vary", c+1)
		}
		for i := c; i < len(points); i += 2 {
			points[i] = float32((float64(points[i]) - mean) / deviation)
		}
	}
	return nil
}
