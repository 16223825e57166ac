// Package tfevents writes the event files that TensorBoard shows. They are records of TensorFlow's
// TFRecord format, and each record is an Event message in protocol buffers. The package encodes the
// few fields that it needs by itself. The numbers of the fields are from
// tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
package tfevents

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"time"
)

// A Writer gathers events, and writes them when it is flushed. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	now     func() time.Time
	pending []byte // whole records
	event   []byte // scratch, like the next two
	summary []byte
	value   []byte
}

// NewWriter begins an event file. A resumed run does the steps from step on again, so TensorBoard
// then forgets events of step and later steps in older files of the same folder.
func NewWriter(w io.Writer, step int, now func() time.Time) *Writer {
	e := &Writer{w: w, now: now}
	const fileVersion, sessionLog, status, start = 3, 7, 1, 1
	e.begin(0)
	e.event = appendBytes(e.event, fileVersion, "brain.Event:2")
	e.record()
	if step > 0 {
		e.begin(step)
		e.value = appendVarint(appendTag(e.value[:0], status, varint), start)
		e.event = appendBytes(e.event, sessionLog, e.value)
		e.record()
	}
	return e
}

// Scalar adds a point of a curve.
func (e *Writer) Scalar(tag string, step int, value float64) {
	const simpleValue = 2
	e.value = appendBytes(e.value[:0], valueTag, tag)
	e.value = appendTag(e.value, simpleValue, fixed32)
	e.value = binary.LittleEndian.AppendUint32(e.value, math.Float32bits(float32(value)))
	e.add(step)
}

// Image adds a picture, encoded as a PNG.
func (e *Writer) Image(tag string, step, width, height int, png []byte) {
	const picture, pictureHeight, pictureWidth, colorspace, encoded, rgb = 4, 1, 2, 3, 4, 3
	var m []byte
	m = appendVarint(appendTag(m, pictureHeight, varint), uint64(height))
	m = appendVarint(appendTag(m, pictureWidth, varint), uint64(width))
	m = appendVarint(appendTag(m, colorspace, varint), rgb)
	m = appendBytes(m, encoded, png)
	e.value = appendBytes(e.value[:0], valueTag, tag)
	e.value = appendBytes(e.value, picture, m)
	e.add(step)
}

// valueTag is the field of a Summary.Value that holds the name.
const valueTag = 1

// add makes an event of e.value.
func (e *Writer) add(step int) {
	const eventSummary, summaryValue = 5, 1
	e.summary = appendBytes(e.summary[:0], summaryValue, e.value)
	e.begin(step)
	e.event = appendBytes(e.event, eventSummary, e.summary)
	e.record()
}

// begin starts an event with its time, in seconds, and its step.
func (e *Writer) begin(step int) {
	const wallTime, stepField = 1, 2
	seconds := float64(e.now().UnixMicro()) / 1e6
	e.event = binary.LittleEndian.AppendUint64(appendTag(e.event[:0], wallTime, fixed64), math.Float64bits(seconds))
	e.event = appendVarint(appendTag(e.event, stepField, varint), uint64(step))
}

// record appends the event as a record: its length, the length's checksum, the data, the data's
// checksum.
func (e *Writer) record() {
	from := len(e.pending)
	e.pending = binary.LittleEndian.AppendUint64(e.pending, uint64(len(e.event)))
	e.pending = binary.LittleEndian.AppendUint32(e.pending, checksum(e.pending[from:]))
	e.pending = append(e.pending, e.event...)
	e.pending = binary.LittleEndian.AppendUint32(e.pending, checksum(e.event))
}

// Flush writes what was added.
func (e *Writer) Flush() error {
	if len(e.pending) == 0 {
		return nil
	}
	_, err := e.w.Write(e.pending)
	e.pending = e.pending[:0]
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the masked CRC-32C of the format. The mask is for data that contain checksums of
// their own.
func checksum(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// The wire types of protocol buffers.
const (
	varint  = 0
	fixed64 = 1
	bytes   = 2
	fixed32 = 5
)

func appendTag(b []byte, field, wire uint64) []byte { return appendVarint(b, field<<3|wire) }

func appendVarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func appendBytes[T string | []byte](b []byte, field uint64, data T) []byte {
	return append(appendVarint(appendTag(b, field, bytes), uint64(len(data))), data...)
}
