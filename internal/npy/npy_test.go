package npy_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/npy"
)

// Written by NumPy 2.4: np.save(f, np.array([[1, -2, 0.5]], dtype=np.float32)).
var golden = npy.Magic + "\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }" +
	strings.Repeat(" ", 58) + "\n" + "\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\x3f"

func TestWriteFloat32(t *testing.T) {
	var out bytes.Buffer
	if err := npy.WriteFloat32(&out, []float32{1, -2, 0.5}, 1, 3); err != nil {
		t.Fatal(err)
	}
	if out.String() != golden {
		t.Errorf("wrote %q, want %q", out.String(), golden)
	}
}

func TestReadHeader(t *testing.T) {
	r := strings.NewReader(golden)
	h, err := npy.ReadHeader(r)
	if err != nil || h != (npy.Header{Type: "<f4", Shape: "(1, 3)"}) {
		t.Fatalf("header %+v, %v", h, err)
	}
	dims, n, err := h.Dims(4, 12)
	if fmt.Sprint(dims, n, err) != "[1 3] 3 <nil>" {
		t.Errorf("dimensions %v, %d elements, %v", dims, n, err)
	}
	if _, _, err := h.Dims(4, 11); err == nil {
		t.Error("12 bytes pass a limit of 11")
	}
	if r.Len() != 12 {
		t.Errorf("%d bytes are left, want the elements' 12", r.Len())
	}
}

// What is written is read again, in several parts where the array is long.
func TestRoundTrip(t *testing.T) {
	for _, shape := range [][]int{{}, {5}, {2, 3, 4}, {40_000}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var out bytes.Buffer
		if err := npy.WriteFloat32(&out, make([]float32, n), shape...); err != nil {
			t.Fatal(err)
		}
		if at := out.Len() - 4*n; at%64 != 0 {
			t.Errorf("shape %v: the elements begin at byte %d", shape, at)
		}
		h, err := npy.ReadHeader(&out)
		if err != nil {
			t.Fatal(err)
		}
		dims, got, err := h.Dims(4, math.MaxInt32)
		if err != nil || got != n || fmt.Sprint(dims) != fmt.Sprint(shape) || out.Len() != 4*n {
			t.Errorf("shape %v: got %v of %d elements, %d bytes, %v", shape, dims, got, out.Len(), err)
		}
	}
}

func TestReadHeaderErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "does not begin",
		"\x93NUMPX\x01\x00":                    "does not begin",
		npy.Magic + "\x01\x00\x76":             "copy the file again",
		golden[:30]:                            "copy the file again",
		npy.Magic + "\x02\x00\xff\xff\xff\x7f": "at most 4096",
		npy.Magic + "\x01\x00\x02\x00{}":       "not that of a NumPy array",
	} {
		if _, err := npy.ReadHeader(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for _, shape := range []string{"(4294967296,)", "(65536, 65536, 65536, 65536)"} {
		if _, _, err := (npy.Header{Shape: shape}).Dims(1, math.MaxInt32); err == nil {
			t.Errorf("shape %s is believed", shape)
		}
	}
}

// full takes a number of bytes.
type full int

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	for _, room := range []full{0, 200} {
		if err := npy.WriteFloat32(&room, make([]float32, 100), 100); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
}

// Headers that are odd but clear are read.
func TestOddHeaders(t *testing.T) {
	for _, c := range []struct{ header, kind, dims string }{
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (5L, 32L, 32L), }", "|u1", "[5 32 32]"},
		{"{'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 ,3 ) }", "<f4", "[2 3]"},
		{`{"descr": ">i8", "fortran_order": False, "shape": (7,)}`, ">i8", "[7]"},
		{"{'shape': (2, 1), 'descr': [('a', '<f8'), ('b', '|u1')], 'fortran_order': False}",
			"[('a', '<f8'), ('b', '|u1')]", "[2 1]"},
		{"{'descr': '<f8', 'fortran_order': False, 'shape': ()}", "<f8", "[]"},
	} {
		for version, length := range map[byte]string{
			1: string([]byte{byte(len(c.header)), 0}), 2: string([]byte{byte(len(c.header)), 0, 0, 0}),
			3: string([]byte{byte(len(c.header)), 0, 0, 0}),
		} {
			h, err := npy.ReadHeader(strings.NewReader(npy.Magic + string([]byte{version, 0}) + length + c.header))
			if err != nil || h.Type != c.kind || h.Fortran {
				t.Errorf("%s: %+v, %v", c.header, h, err)
				continue
			}
			if dims, _, err := h.Dims(1, 1<<20); err != nil || fmt.Sprint(dims) != c.dims {
				t.Errorf("%s: dimensions %v, %v", c.header, dims, err)
			}
		}
	}
}
