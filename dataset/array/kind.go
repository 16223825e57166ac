package array

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A kind is a type of numbers as files hold them.
type kind struct {
	name  string // as NumPy writes it; empty for other formats
	size  int    // bytes of a number
	float bool   // it may have a fraction
	bool  bool   // 0 is false, anything else is true
	at    func(raw []byte) float64
	text  bool // a text instead, in UTF-32 or of bytes, with zeros behind it
	wide  binary.ByteOrder
}

// isByte reports whether a number is an unsigned byte, as pixels are.
func (k kind) isByte() bool { return k.size == 1 && k.at == nil && !k.text }

// maxText bounds the bytes of a text, as it is the name of a class.
const maxText = 1 << 12

// string returns a text.
func (k kind) string(raw []byte) string {
	if k.wide == nil {
		return strings.ToValidUTF8(string(bytes.TrimRight(raw, "\x00")), "?")
	}
	var out []rune
	for ; len(raw) >= 4; raw = raw[4:] {
		out = append(out, rune(k.wide.Uint32(raw)))
	}
	return strings.TrimRight(string(out), "\x00")
}

// textKind returns the kind of NumPy's name of texts, such as "<U10".
func textKind(code string, order binary.ByteOrder) (kind, bool) {
	n, err := strconv.Atoi(code[min(1, len(code)):])
	switch {
	case err != nil || n < 1 || n > maxText/4:
		return kind{}, false
	case code[0] == 'U':
		return kind{size: 4 * n, text: true, wide: order}, true
	}
	return kind{size: n, text: true}, code[0] == 'S'
}

// decode writes the numbers of raw to dst and returns how many there were.
func (k kind) decode(dst []float64, raw []byte) int {
	n := len(raw) / k.size
	switch {
	case k.bool:
		for i, b := range raw {
			dst[i] = float64(min(b, 1))
		}
	case k.isByte():
		for i, b := range raw {
			dst[i] = float64(b)
		}
	default:
		for i := range n {
			dst[i] = k.at(raw[i*k.size:])
		}
	}
	return n
}

// numpyKind returns the kind of NumPy's name of a type, such as "<f4".
func numpyKind(name string) (kind, error) {
	k, err := kindNamed(name)
	k.name = name
	return k, err
}

func kindNamed(name string) (kind, error) {
	order, code := binary.ByteOrder(binary.LittleEndian), strings.TrimLeft(name, "<>|=")
	if strings.HasPrefix(name, ">") {
		order = binary.BigEndian
	}
	if k, ok := kindOf(code, order); ok {
		return k, nil
	}
	if k, ok := textKind(code, order); ok {
		return k, nil
	}
	switch {
	case strings.HasPrefix(code, "["):
		return kind{}, fmt.Errorf("it is a table with named columns (%s): save one column of it as an array", code)
	case strings.HasPrefix(code, "O"):
		return kind{}, fmt.Errorf("its elements are Python objects, which are not read: " +
			"save it as numbers, such as numpy.stack(a).astype('uint8')")
	case strings.HasPrefix(code, "c"):
		return kind{}, fmt.Errorf("its elements are complex numbers (%s): save their real parts", name)
	}
	if strings.HasPrefix(code, "f") {
		return kind{}, fmt.Errorf("its elements have type %s: save it as float32", name)
	}
	return kind{}, fmt.Errorf("its elements have type %s, which pixels do not have: save it as uint8 or float32", name)
}

// kindOf returns the kind of a letter and a size in bytes, as NumPy and IDX use them.
func kindOf(code string, order binary.ByteOrder) (kind, bool) {
	switch code {
	case "u1":
		return kind{size: 1}, true
	case "b1":
		return kind{size: 1, bool: true, at: func(b []byte) float64 { return float64(min(b[0], 1)) }}, true
	case "i1":
		return kind{size: 1, at: func(b []byte) float64 { return float64(int8(b[0])) }}, true
	case "u2":
		return kind{size: 2, at: func(b []byte) float64 { return float64(order.Uint16(b)) }}, true
	case "i2":
		return kind{size: 2, at: func(b []byte) float64 { return float64(int16(order.Uint16(b))) }}, true
	case "u4":
		return kind{size: 4, at: func(b []byte) float64 { return float64(order.Uint32(b)) }}, true
	case "i4":
		return kind{size: 4, at: func(b []byte) float64 { return float64(int32(order.Uint32(b))) }}, true
	case "u8":
		return kind{size: 8, at: func(b []byte) float64 { return float64(order.Uint64(b)) }}, true
	case "i8":
		return kind{size: 8, at: func(b []byte) float64 { return float64(int64(order.Uint64(b))) }}, true
	case "f2":
		return kind{size: 2, float: true, at: func(b []byte) float64 { return half(order.Uint16(b)) }}, true
	case "f4":
		return kind{size: 4, float: true,
			at: func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }}, true
	case "f8":
		return kind{size: 8, float: true,
			at: func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }}, true
	}
	return kind{}, false
}

// half returns the value of a number of 16 bits (IEEE 754 binary16): a sign, 5 bits of exponent and
// 10 of fraction.
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	var v float64
	switch exponent {
	case 0: // subnormal
		v = math.Ldexp(fraction, -24)
	case 31:
		if v = math.Inf(1); fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits>>15 == 1 {
		return -v
	}
	return v
}
