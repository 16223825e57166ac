package pickle

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

// collection makes a tuple, a list or a dictionary.
func (m *machine) collection(code byte) (v any, ok bool, err error) {
	var items []any
	switch code {
	case ')':
		return Tuple{}, true, nil
	case ']', 0x8f:
		return &List{}, true, nil
	case '}':
		return &Dict{}, true, nil
	case 't', 'l', 'd', 0x91:
		items, err = m.popMark()
	case 0x85, 0x86, 0x87:
		items, err = m.last(int(code) - 0x84)
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	switch code {
	case 'l', 0x91:
		return &List{items}, true, nil
	case 'd':
		d := &Dict{}
		err = d.set(items)
		return d, true, err
	}
	return Tuple(items), true, nil
}

// last takes the last n values off the stack.
func (m *machine) last(n int) ([]any, error) {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		v, err := m.pop()
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

// set adds keys and values in turn.
func (d *Dict) set(items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		d.Keys, d.Values = append(d.Keys, items[i]), append(d.Values, items[i+1])
	}
	return nil
}

// fill adds values to the list or dictionary below them.
func (m *machine) fill(code byte) error {
	var items []any
	var err error
	switch code {
	case 'a':
		items, err = m.last(1)
	case 's':
		items, err = m.last(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	if len(m.stack) == 0 {
		return errors.New("values without a list")
	}
	switch to := m.stack[len(m.stack)-1].(type) {
	case *List:
		to.Items = append(to.Items, items...)
		return nil
	case *Dict:
		return to.set(items)
	case *Call: // a list or dictionary of a class of its own
		if code == 's' || code == 'u' {
			return to.Entries.set(items)
		}
		return nil
	}
	return errors.New("values are added to what is neither list nor dictionary")
}

// global pushes the name of a class or function.
func (m *machine) global(code byte) error {
	if code == 'c' {
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.push(Global{string(module), string(name)})
	}
	pair, err := m.last(2)
	if err != nil {
		return err
	}
	module, ok := String(pair[0])
	name, ok2 := String(pair[1])
	if !ok || !ok2 {
		return errors.New("the name of a class is not a text")
	}
	return m.push(Global{module, name})
}

// call notes what is called with what.
func (m *machine) call(code byte) error {
	count := 2
	if code == 0x92 { // with named arguments, which are left out
		count = 3
	}
	values, err := m.last(count)
	if err != nil {
		return err
	}
	if code == 'b' {
		if of, ok := values[0].(*Call); ok {
			of.State = values[1]
			return m.push(of)
		}
		return errors.New("a state is given to what is not an object")
	}
	args, ok := values[1].(Tuple)
	if !ok {
		return errors.New("the arguments of a call are not a tuple")
	}
	return m.push(&Call{Of: values[0], Args: args})
}

// quoted reads a text as Python 2 shows it: in quotes, with escapes.
func quoted(line []byte) ([]byte, error) {
	line = bytes.TrimSpace(line)
	if len(line) < 2 || line[0] != line[len(line)-1] || line[0] != '\'' && line[0] != '"' {
		return nil, errors.New("a text without quotes")
	}
	line = line[1 : len(line)-1]
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' || i+1 == len(line) {
			out = append(out, line[i])
			continue
		}
		i++
		switch line[i] {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'x':
			n, err := hex(line[i+1:], 2)
			if err != nil {
				return nil, err
			}
			out = append(out, byte(n))
			i += 2
		default: // a quote or a backslash
			out = append(out, line[i])
		}
	}
	return out, nil
}

// escaped reads a text in which the letters beyond Latin-1 are escapes, and returns UTF-8.
func escaped(line []byte) ([]byte, error) {
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		digits := 0
		if line[i] == '\\' && i+1 < len(line) {
			digits = map[byte]int{'u': 4, 'U': 8}[line[i+1]]
		}
		if digits == 0 {
			out = utf8.AppendRune(out, rune(line[i]))
			continue
		}
		n, err := hex(line[i+2:], digits)
		if err != nil {
			return nil, err
		}
		out = utf8.AppendRune(out, rune(n))
		i += 1 + digits
	}
	return out, nil
}

// hex reads a number of some digits to the base of 16.
func hex(text []byte, digits int) (uint64, error) {
	if len(text) < digits {
		return 0, errors.New("an escape is cut off")
	}
	return strconv.ParseUint(string(text[:digits]), 16, 31)
}
