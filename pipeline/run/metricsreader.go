package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
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
	if m, ok = parseWritten(string(line)); !ok {
		m = Metric{}
		ok = json.Unmarshal(line, &m) == nil
	}
	return m, ok && m.Step > 0
}

// parseWritten reads a line in the very form that a run writes, several times faster than package
// json does: a log may have a million of them.
func parseWritten(line string) (m Metric, ok bool) {
	var v [6]float64
	for i, key := range [len(v)]string{`{"step":`, `,"images":`, `,"loss":`, `,"grad_norm":`, `,"lr":`, `,"seconds":`} {
		if v[i], line, ok = cutNumber(line, key); !ok {
			return m, false
		}
	}
	m = Metric{Step: int(v[0]), Images: int(v[1]), Loss: v[2], Norm: v[3], LR: v[4], Seconds: v[5]}
	if held, rest, ok := cutNumber(line, `,"validation_loss":`); ok {
		m.Validation, line = held, rest
	}
	return m, line == "}\n" || line == "}"
}

// cutNumber reads a number behind a key at the beginning of a line, up to a comma or a brace, and
// returns the rest.
func cutNumber(line, key string) (v float64, rest string, ok bool) {
	line, ok = strings.CutPrefix(line, key)
	end := strings.IndexAny(line, ",}")
	isNumber := end > 0 && (line[0] == '-' || line[0] >= '0' && line[0] <= '9')
	if !ok || !isNumber { // as NaN, which JSON does not have
		return 0, line, false
	}
	v, err := strconv.ParseFloat(line[:end], 64)
	return v, line[end:], err == nil
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
