package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A span is where a tensor's bytes lie, counted from the end of the header: [begin, end).
type span struct{ begin, end uint64 }

// parseHeader returns the file without its elements, and the span of each tensor.
func parseHeader(header []byte) (*File, []span, error) {
	object := bytes.TrimRight(header, " ")
	if err := checkSyntax(object); err != nil {
		return nil, nil, within("header", err)
	}
	p := &headerParser{json.NewDecoder(bytes.NewReader(object))}
	p.UseNumber() // float64 would round offsets
	f := &File{}
	var spans []span
	err := p.object(func(key string) (err error) {
		if key == metadataKey {
			f.Metadata, err = p.metadata()
			return within(metadataKey, err)
		}
		t, at, err := p.tensor()
		t.Name = key
		f.Tensors, spans = append(f.Tensors, t), append(spans, at)
		return tensorError(key, err)
	})
	if err != nil {
		return nil, nil, err
	}
	return f, spans, nil
}

// checkSyntax accepts one JSON object with nothing before or after it.
func checkSyntax(object []byte) error {
	switch {
	case len(object) == 0 || object[0] != '{':
		return errors.New("it does not begin with '{': is it a safetensors file?")
	case object[len(object)-1] != '}':
		return errors.New("it does not end with '}' and spaces")
	case !utf8.Valid(object) || !json.Valid(object):
		return errors.New("it is not valid JSON in UTF-8")
	case hasLoneSurrogate(object):
		return errors.New("it has half a surrogate pair, which readers replace in different ways")
	}
	return nil
}

// hasLoneSurrogate reports whether valid JSON has an escape from \ud800 to \udfff without its
// partner.
func hasLoneSurrogate(valid []byte) bool {
	for i := 0; i < len(valid); i++ {
		if valid[i] != '\\' {
			continue
		}
		i++ // there is a next character: valid JSON has backslashes inside strings alone
		if r := unicodeEscape(valid[i-1:]); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, unicodeEscape(valid[i+5:])) == utf8.RuneError {
				return true
			}
			i += 10 // at the last digit of the partner
		}
	}
	return false
}

// unicodeEscape returns the number of the \uXXXX that text begins with, or -1.
func unicodeEscape(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// A headerParser reads valid JSON token by token. json.Unmarshal would take the last of two equal
// keys.
type headerParser struct{ *json.Decoder }

// next returns the next token. There is one: the JSON is valid, and its callers are at its start or
// inside an object or array.
func (p *headerParser) next() json.Token {
	token, err := p.Token()
	if err != nil {
		panic("safetensors: valid JSON refused: " + err.Error())
	}
	return token
}

// show prints a token on one line of bounded length.
func show(token json.Token) string {
	if text, ok := token.(string); ok {
		return fmt.Sprintf("%.60q", text)
	}
	return fmt.Sprintf("%.60s", fmt.Sprint(token))
}

// object reads an object. It calls visit for each key, and visit must read the value.
func (p *headerParser) object(visit func(key string) error) error {
	if token := p.next(); token != json.Delim('{') {
		return fmt.Errorf("%s is not an object", show(token))
	}
	seen := map[string]bool{}
	for p.More() {
		key := p.next().(string)
		if seen[key] {
			return fmt.Errorf("key %.60q stands twice", key)
		}
		seen[key] = true
		if err := visit(key); err != nil {
			return err
		}
	}
	p.next() // the closing brace
	return nil
}

// text reads a string.
func (p *headerParser) text() (string, error) {
	token := p.next()
	text, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", show(token))
	}
	return text, nil
}

// integers reads an array of numbers, each of decimal digits alone.
func (p *headerParser) integers() ([]uint64, error) {
	if token := p.next(); token != json.Delim('[') {
		return nil, fmt.Errorf("%s is not an array", show(token))
	}
	list := []uint64{}
	for p.More() {
		token := p.next()
		number, ok := token.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s is not a number", show(token))
		}
		n, err := strconv.ParseUint(number.String(), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%.80s is not an integer from 0 to 2^63-1", number)
		}
		list = append(list, n)
	}
	p.next() // the closing bracket
	return list, nil
}

// metadata reads the value of metadataKey.
func (p *headerParser) metadata() (map[string]string, error) {
	metadata := map[string]string{}
	err := p.object(func(key string) (err error) {
		metadata[key], err = p.text()
		return within(fmt.Sprintf("%.60q", key), err)
	})
	return metadata, err
}

// tensor reads the value of a tensor's key.
func (p *headerParser) tensor() (t Tensor, at span, err error) {
	var offsets []uint64
	err = p.object(func(key string) (err error) {
		switch key {
		case "dtype":
			t.DType, err = p.dtype()
		case "shape":
			t.Shape, err = p.shape()
		case "data_offsets":
			offsets, err = p.integers()
		default:
			return fmt.Errorf("unknown key %.60q", key)
		}
		return within(key, err)
	})
	if err != nil {
		return t, at, err
	}
	if t.DType == "" || t.Shape == nil || offsets == nil {
		return t, at, errors.New("one of dtype, shape and data_offsets is missing")
	}
	if len(offsets) != 2 {
		return t, at, fmt.Errorf("data_offsets: %d numbers in place of 2", len(offsets))
	}
	at = span{offsets[0], offsets[1]}
	return t, at, at.matches(t.DType, t.Shape)
}

// dtype reads a type.
func (p *headerParser) dtype() (DType, error) {
	text, err := p.text()
	if err != nil {
		return "", err
	}
	d := DType(text)
	if d.width() == 0 {
		return "", unknownType(d)
	}
	return d, nil
}

// unknownType refuses a type. For a type of the format it says how to convert it.
func unknownType(d DType) error {
	cure := ""
	switch d {
	case "F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4":
		cure = ": convert it to F32, in PyTorch by tensor.float()"
	case "C64", "C128":
		cure = ": complex numbers have no place in a network"
	case "I32", "I16", "I8", "U8", "U16", "U32", "U64", "BOOL":
		cure = ": convert it to I64, in PyTorch by tensor.long()"
	}
	return fmt.Errorf("type %.60q is not one of F32, F16, BF16, F64, I64%s", d, cure)
}

// shape reads the dimensions of a tensor.
func (p *headerParser) shape() ([]int, error) {
	list, err := p.integers()
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(list))
	for i, d := range list {
		if d > math.MaxInt {
			return nil, fmt.Errorf("dimension %d is too large for this machine", d)
		}
		shape[i] = int(d)
	}
	return shape, nil
}

// matches fails unless the span has the length of a tensor of that type and shape.
func (at span) matches(d DType, shape []int) error {
	n, ok := elements(shape)
	hi, size := bits.Mul64(uint64(n), uint64(d.width()))
	if !ok || hi != 0 || size > math.MaxInt {
		return fmt.Errorf("shape %v has too many elements", shape)
	}
	if at.end < at.begin || at.end-at.begin != size {
		return fmt.Errorf("data_offsets [%d,%d] do not match %s of shape %v, %d bytes",
			at.begin, at.end, d, shape, size)
	}
	return nil
}

// dataOrder returns the indices of the tensors in the order of their data. A hole and an overlap
// are errors. Empty tensors may lie between others.
func dataOrder(f *File, spans []span) ([]int, error) {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(spans[i].begin, spans[j].begin), cmp.Compare(spans[i].end, spans[j].end))
	})
	end := uint64(0)
	for _, i := range order {
		name, at := f.Tensors[i].Name, spans[i]
		if at.begin > end {
			return nil, tensorError(name, fmt.Errorf("begins at byte %d and leaves a hole from %d", at.begin, end))
		}
		if at.begin < end {
			return nil, tensorError(name, fmt.Errorf("begins at byte %d and overlaps another up to %d", at.begin, end))
		}
		end = at.end
	}
	return order, nil
}
