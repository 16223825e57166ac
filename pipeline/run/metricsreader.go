package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A MetricsReader reads metrics.jsonl as it grows: each time what is new. The zero value begins at
// the start of the file.
type MetricsReader struct {
	at   int64  // bytes that are read, which are whole lines
	last []byte // the last line of them
}

// Read calls add with the metrics of each new line that is whole and right. Where the file is not
// the one that was read before, as after a resumed run has dropped the steps that it does again,
// Read calls restart and begins at its start. A file that is not there has no lines.
func (r *MetricsReader) Read(v *View, restart func(), add func(Metric)) error {
	file, err := v.open(MetricsFile)
	if err != nil {
		return err
	}
	defer file.Close()
	if !r.continues(file) {
		*r = MetricsReader{}
		restart()
	}
	if _, err := file.Seek(r.at, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(file, 1<<16)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				return nil // what is behind the last line is not whole yet
			}
			return err
		}
		r.at += int64(len(line))
		r.last = append(r.last[:0], line...)
		if m, ok := parseMetric(line); ok {
			add(m)
		}
	}
}

// continues reports whether the last line that was read is still where it was.
func (r *MetricsReader) continues(file io.ReaderAt) bool {
	is := make([]byte, len(r.last))
	_, err := file.ReadAt(is, r.at-int64(len(is)))
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(is, r.last)
}

// parseMetric reads a line of metrics.jsonl.
func parseMetric(line []byte) (m Metric, ok bool) {
	ok = json.Unmarshal(line, &m) == nil && m.Step > 0
	return m, ok
}

// tailMetrics returns the metrics of the whole lines of a text, which cut says may begin within a
// line.
func tailMetrics(text []byte, cut bool) []Metric {
	if cut {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	var all []Metric
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return all
		}
		if m, ok := parseMetric(line); ok {
			all = append(all, m)
		}
		text = rest
	}
}

// SmoothLoss returns the running mean of the loss, as a run has it, over its last steps. Of a few
// hundred steps it is that of the whole run, to within one in a thousand.
func SmoothLoss(last []Metric) float64 {
	mean := 0.0
	for i, m := range last {
		weight := smoothing(m.Step)
		if i == 0 {
			weight = 1
		}
		mean += weight * (m.Loss - mean)
	}
	return mean
}
