package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// mark lies on the stack below the items of a tuple, list or dictionary.
type mark struct{}

// A machine is a reader of one pickle.
type machine struct {
	in    []byte
	stack []any
	memo  map[uint64]any
	steps int // that are left
}

// Steps take up to some hundred bytes of memory each. Real pickles of images have few for their
// size: a byte of pixels takes none.
const (
	freeSteps    = 1 << 16
	bytesPerStep = 32
)

// Read reads a pickle. It takes at most 4 times the length of the input and 16 MiB.
func Read(data []byte) (any, error) {
	v, _, err := ReadFirst(data)
	return v, err
}

// ReadFirst reads the pickle that data begins with, as [Read] does, and returns what is behind it.
func ReadFirst(data []byte) (v any, rest []byte, err error) {
	m := &machine{in: data, memo: map[uint64]any{}, steps: freeSteps + len(data)/bytesPerStep}
	for {
		code, err := m.take(1)
		if err != nil {
			return nil, nil, err
		}
		if code[0] == '.' {
			v, err := m.pop()
			return v, m.in, err
		}
		if m.steps--; m.steps < 0 {
			return nil, nil, errors.New("pickle: too many small objects for its size")
		}
		if err := m.step(code[0]); err != nil {
			return nil, nil, fmt.Errorf("pickle: %w", err)
		}
	}
}

// take returns the next n bytes.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.in)) {
		return nil, fmt.Errorf("pickle: %w: copy the file again", io.ErrUnexpectedEOF)
	}
	part := m.in[:n:n]
	m.in = m.in[n:]
	return part, nil
}

// number returns the next bytes as a number, the lowest byte first.
func (m *machine) number(bytes int) (uint64, error) {
	raw, err := m.take(uint64(bytes))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], raw)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// counted returns as many bytes as the number before them says.
func (m *machine) counted(width int) ([]byte, error) {
	n, err := m.number(width)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// line returns the bytes up to the end of the line.
func (m *machine) line() ([]byte, error) {
	end := bytes.IndexByte(m.in, '\n')
	if end < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	line, err := m.take(uint64(end + 1))
	return bytes.TrimSuffix(line[:end], []byte("\r")), err
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("a value is missing")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errors.New("a value is missing")
	}
	return v, nil
}

// popMark returns the values above the last mark, and takes both away.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			m.steps -= len(items) / 4 // the copy takes memory
			return items, nil
		}
	}
	return nil, errors.New("a mark is missing")
}

// step carries out an instruction that is not the last.
func (m *machine) step(code byte) error {
	switch code {
	case '(':
		return m.push(mark{})
	case '0':
		_, err := m.pop()
		return err
	case '1':
		_, err := m.popMark()
		return err
	case 0x80: // the version
		_, err := m.take(1)
		return err
	case 0x95: // the length of a frame, which the reader of a stream needs
		_, err := m.take(8)
		return err
	case 'p', 'q', 'r', 0x94:
		return m.remember(code)
	case 'g', 'h', 'j':
		return m.recall(code)
	case 'a', 'e', 's', 'u':
		return m.fill(code)
	case 'c', 0x93:
		return m.global(code)
	case 'R', 'b', 0x81, 0x92:
		return m.call(code)
	case 'Q':
		id, err := m.pop()
		return m.pushed(Persistent{id}, err)
	}
	if v, ok, err := m.constant(code); ok || err != nil {
		return m.pushed(v, err)
	}
	if v, ok, err := m.text(code); ok || err != nil {
		return m.pushed(v, err)
	}
	if v, ok, err := m.collection(code); ok || err != nil {
		return m.pushed(v, err)
	}
	return fmt.Errorf("instruction %#x is not one of data", code)
}

func (m *machine) pushed(v any, err error) error {
	if err != nil {
		return err
	}
	return m.push(v)
}

// constant reads a number, nothing, true or false.
func (m *machine) constant(code byte) (v any, ok bool, err error) {
	var n uint64
	switch code {
	case 'N':
		return nil, true, nil
	case 0x88, 0x89:
		return code == 0x88, true, nil
	case 'K':
		n, err = m.number(1)
		return int64(n), true, err
	case 'M':
		n, err = m.number(2)
		return int64(n), true, err
	case 'J':
		n, err = m.number(4)
		return int64(int32(n)), true, err
	case 'G':
		raw, err := m.take(8)
		if err != nil {
			return nil, false, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(raw)), true, nil
	case 0x8a:
		raw, err := m.counted(1)
		if err != nil {
			return nil, false, err
		}
		v, err = long(raw)
		return v, true, err
	case 'I', 'L', 'F':
		line, err := m.line()
		if err != nil {
			return nil, false, err
		}
		v, err = written(code, string(line))
		return v, true, err
	}
	return nil, false, nil
}

// long reads a whole number of any width, the lowest byte first, in two's complement.
func long(raw []byte) (int64, error) {
	if len(raw) > 8 {
		return 0, errors.New("a number of more than 64 bits")
	}
	var n int64
	for i := len(raw) - 1; i >= 0; i-- {
		n = n<<8 | int64(raw[i])
	}
	if unused := 64 - 8*len(raw); len(raw) > 0 {
		n = n << unused >> unused
	}
	return n, nil
}

// written reads a number that is written in digits.
func written(code byte, line string) (any, error) {
	switch {
	case code == 'I' && (line == "00" || line == "01"):
		return line == "01", nil
	case code == 'F':
		return strconv.ParseFloat(line, 64)
	case code == 'L' && len(line) > 0 && line[len(line)-1] == 'L':
		line = line[:len(line)-1]
	}
	return strconv.ParseInt(line, 10, 64)
}

// text reads a text or bytes.
func (m *machine) text(code byte) (v any, ok bool, err error) {
	var raw []byte
	switch code {
	case 'U', 'C':
		raw, err = m.counted(1)
		return Bytes(raw), true, err
	case 'T', 'B':
		raw, err = m.counted(4)
		return Bytes(raw), true, err
	case 0x8e, 0x96:
		raw, err = m.counted(8)
		return Bytes(raw), true, err
	case 0x8c:
		raw, err = m.counted(1)
		return Text(raw), true, err
	case 'X':
		raw, err = m.counted(4)
		return Text(raw), true, err
	case 0x8d:
		raw, err = m.counted(8)
		return Text(raw), true, err
	case 'S':
		if raw, err = m.line(); err != nil {
			return nil, false, err
		}
		raw, err = quoted(raw)
		return Bytes(raw), true, err
	case 'V':
		if raw, err = m.line(); err != nil {
			return nil, false, err
		}
		raw, err = escaped(raw)
		return Text(raw), true, err
	}
	return nil, false, nil
}

// remember notes the value on top of the stack under a number.
func (m *machine) remember(code byte) error {
	key, err := uint64(len(m.memo)), error(nil)
	if code != 0x94 {
		key, err = m.key(code)
	}
	if err != nil {
		return err
	}
	v, err := m.pop()
	if err != nil {
		return err
	}
	m.memo[key] = v
	return m.push(v)
}

// recall pushes the value that a number stands for.
func (m *machine) recall(code byte) error {
	key, err := m.key(code)
	if err != nil {
		return err
	}
	v, ok := m.memo[key]
	if !ok {
		return fmt.Errorf("value %d was not noted", key)
	}
	return m.push(v)
}

// key reads the number of a note.
func (m *machine) key(code byte) (uint64, error) {
	switch code {
	case 'q', 'h':
		return m.number(1)
	case 'r', 'j':
		return m.number(4)
	}
	line, err := m.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(line), 10, 64)
}
