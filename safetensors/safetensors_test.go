package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/safetensors"
)

func ExampleWrite() {
	f := &safetensors.File{Metadata: map[string]string{"note": "text"}}
	f.Tensors = append(f.Tensors, safetensors.Tensor{
		Name: "bias", DType: safetensors.F16, Shape: []int{2}, F32: []float32{0.5, -1},
	})
	var file bytes.Buffer
	if err := safetensors.Write(&file, f); err != nil {
		fmt.Println(err)
	}
	header, data := file.Bytes()[8:file.Len()-4], file.Bytes()[file.Len()-4:]
	fmt.Printf("%s\n%x\n", header, data)
	back, err := safetensors.Read(&file)
	fmt.Println(back.Tensor("bias").F32, back.Tensor("weight"), err)
	// Output:
	// {"__metadata__":{"note":"text"},"bias":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}
	// 003800bc
	// [0.5 -1] <nil> <nil>
}

// encoded returns a file: the length of the header, the header, the data.
func encoded(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// entry returns the header of a file with one tensor, named a.
func entry(dtype, shape, offsets string) string {
	return `{"a":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}}`
}

const (
	f32One = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	f32Two = `{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`
)

// doubles returns numbers as F64.
func doubles(x ...float64) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// malformed lists files that must be refused, each with a part of its error.
var malformed = []struct {
	name string
	file []byte
	err  string
}{
	{"empty file", nil, "it is an empty file: download or copy it again"},
	{"short length", []byte{2, 0, 0}, "header length: file ends after 3 of 8 bytes"},
	{"noise", []byte("\x91\xf0\x00\x17\x00\xff\x01\x02 0000"), "is it a safetensors file?"},
	{"a PNG", []byte("\x89PNG\r\n\x1a\n0000"), "safetensors: it is a PNG: a file of tensors (safetensors) is needed"},
	{"a pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), "run git lfs pull"},
	{"a web page", []byte("<!doctype html>\n<html>"), "it is a web page saved in place of the file"},
	{"zeros", make([]byte, 3000), "all zeros at its beginning"},
	{"PyTorch's zip", []byte("PK\x03\x04" + strings.Repeat("\x00", 22) + "\x10\x00\x00\x00archive/data.pkl"),
		"save the weights there with safetensors.torch.save_file"},
	{"PyTorch's pickle", []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P"),
		"save the weights there with safetensors.torch.save_file"},
	{"header over 1 MiB", encoded("{" + strings.Repeat(" ", 1<<20) + "}"),
		"header of 1048578 bytes, the most is 1048576"},
	{"header cut off", encoded("{}")[:9], "header: file ends after 1 of 2 bytes"},
	{"empty header", encoded("", 1), "does not begin with '{'"},
	{"leading space", encoded(" {}"), "does not begin with '{'"},
	{"byte order mark", encoded("\ufeff{}"), "does not begin with '{'"},
	{"an array", encoded("[]"), "does not begin with '{'"},
	{"trailing newline", encoded("{}\n"), "does not end with '}' and spaces"},
	{"padded with zeros", encoded("{}\x00\x00"), "does not end with '}' and spaces"},
	{"two objects", encoded("{}{}"), "not valid JSON"},
	{"brace missing", encoded(`{"a":{}`), "not valid JSON"},
	{"trailing comma", encoded(`{"a":` + f32One + `,}`), "not valid JSON"},
	{"nested without end", encoded(`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}"),
		"not valid JSON"},
	{"not UTF-8", encoded("{\"\xff\":" + f32One + "}"), "not valid JSON in UTF-8"},
	{"lone surrogate", encoded(`{"\ud800":` + f32One + "}"), "half a surrogate pair"},
	{"reversed surrogates", encoded(`{"\udc00\ud800":` + f32One + "}"), "half a surrogate pair"},

	{"tensor twice", encoded(`{"a":` + f32One + `,"a":` + f32Two + "}"), `key "a" stands twice`},
	{"tensor twice by escape", encoded(`{"a":` + f32One + `,"\u0061":` + f32Two + "}"), `key "a" stands twice`},
	{"metadata twice", encoded(`{"__metadata__":{},"__metadata__":{}}`), `key "__metadata__" stands twice`},
	{"key in entry twice", encoded(`{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}`),
		`tensor "a": key "dtype" stands twice`},
	{"key in metadata twice", encoded(`{"__metadata__":{"k":"1","k":"2"}}`), `__metadata__: key "k" stands twice`},
	{"unknown key", encoded(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":{}}}`),
		`tensor "a": unknown key "x"`},
	{"key in capitals", encoded(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`),
		`tensor "a": unknown key "DType"`},
	{"metadata is a string", encoded(`{"__metadata__":"pt"}`), `__metadata__: "pt" is not an object`},
	{"metadata is null", encoded(`{"__metadata__":null}`), `__metadata__: <nil> is not an object`},
	{"metadata holds a number", encoded(`{"__metadata__":{"steps":7}}`), `__metadata__: "steps": 7 is not a string`},
	{"metadata holds an object", encoded(`{"__metadata__":{"steps":{}}}`), `__metadata__: "steps": { is not a string`},

	{"entry is an array", encoded(`{"a":[]}`), `tensor "a": [ is not an object`},
	{"entry is empty", encoded(`{"a":{}}`), `tensor "a": one of dtype, shape and data_offsets is missing`},
	{"offsets missing", encoded(`{"a":{"dtype":"F32","shape":[1]}}`), "is missing"},
	{"shape missing", encoded(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`), "is missing"},
	{"type missing", encoded(`{"a":{"shape":[1],"data_offsets":[0,4]}}`), "is missing"},
	{"unknown type", encoded(entry("F8_E4M3", "[1]", "[0,1]"), 0),
		`tensor "a": dtype: type "F8_E4M3" is not one of F32, F16, BF16, F64, I64: convert it to F32`},
	{"small integers", encoded(entry("I8", "[1]", "[0,1]"), 0), "convert it to I64"},
	{"type is null", encoded(`{"a":{"dtype":null,"shape":[1],"data_offsets":[0,4]}}`), `dtype: <nil> is not a string`},
	{"shape is a number", encoded(entry("F32", "1", "[0,4]")), `shape: 1 is not an array`},
	{"shape is null", encoded(entry("F32", "null", "[0,4]")), `shape: <nil> is not an array`},
	{"dimension is a string", encoded(entry("F32", `["1"]`, "[0,4]")), `shape: "1" is not a number`},
	{"negative dimension", encoded(entry("F32", "[-1]", "[0,4]")), "shape: -1 is not an integer from 0"},
	{"fractional dimension", encoded(entry("F32", "[1.0]", "[0,4]")), "shape: 1.0 is not an integer"},
	{"dimension with exponent", encoded(entry("F32", "[1e0]", "[0,4]")), "shape: 1e0 is not an integer"},
	{"dimension over 2^63", encoded(entry("F32", "[9223372036854775808]", "[0,4]")),
		"shape: 9223372036854775808 is not an integer"},
	{"one offset", encoded(entry("F32", "[1]", "[4]")), "data_offsets: 1 numbers in place of 2"},
	{"three offsets", encoded(entry("F32", "[1]", "[0,4,8]")), "data_offsets: 3 numbers in place of 2"},

	{"product wraps to 0", encoded(entry("F32", "[4294967296,4294967296]", "[0,0]")), "too many elements"},
	{"product wraps to 1", encoded(entry("F32", "[3,6148914691236517206]", "[0,8]")), "too many elements"},
	{"bytes wrap to 0", encoded(entry("F32", "[4611686018427387904]", "[0,0]")), "too many elements"},
	{"bytes over 2^63", encoded(entry("I64", "[1152921504606846976]", "[0,9223372036854775807]")), "too many elements"},
	{"offsets too short", encoded(entry("F32", "[2]", "[0,4]"), 0, 0, 0, 0),
		`tensor "a": data_offsets [0,4] do not match F32 of shape [2], 8 bytes`},
	{"offsets too long", encoded(entry("F16", "[2]", "[0,8]"), 0, 0, 0, 0, 0, 0, 0, 0),
		"do not match F16 of shape [2], 4 bytes"},
	{"scalar of 2", encoded(entry("F32", "[]", "[0,8]"), 0, 0, 0, 0, 0, 0, 0, 0),
		"do not match F32 of shape [], 4 bytes"},
	{"offsets reversed", encoded(entry("F32", "[1]", "[4,0]")), "do not match"},
	{"hole in front", encoded(`{"a":`+f32Two+"}", 0, 0, 0, 0, 0, 0, 0, 0),
		`tensor "a": begins at byte 4 and leaves a hole from 0`},
	{"hole between",
		encoded(`{"a":`+f32One+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}}`, make([]byte, 9)...),
		`tensor "b": begins at byte 5 and leaves a hole from 4`},
	{"the same place", encoded(`{"a":`+f32One+`,"b":`+f32One+"}", 0, 0, 0, 0), "overlaps another up to 4"},
	{"overlap", encoded(`{"b":{"dtype":"F32","shape":[1],"data_offsets":[3,7]},"a":`+f32One+"}", make([]byte, 7)...),
		`tensor "b": begins at byte 3 and overlaps another up to 4`},
	{"empty tensor inside another",
		encoded(`{"a":`+f32One+`,"b":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}`, 0, 0, 0, 0),
		`tensor "b": begins at byte 2 and overlaps`},
	{"empty tensor behind a hole",
		encoded(`{"a":`+f32One+`,"b":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}`, 0, 0, 0, 0),
		`tensor "b": begins at byte 8 and leaves a hole`},

	{"data missing", encoded(entry("F32", "[1]", "[0,4]")), `tensor "a": file ends after 0 of 4 bytes`},
	{"data cut off", encoded(entry("F32", "[20000]", "[0,80000]"), make([]byte, 70_001)...),
		`tensor "a": file ends after 70001 of 80000 bytes`},
	{"a claim of 8 EB", encoded(entry("F32", "[2305843009213693951]", "[0,9223372036854775804]"), 1, 2, 3),
		"file ends after 3 of 9223372036854775804 bytes"},
	{"trailing bytes", encoded(entry("F32", "[1]", "[0,4]"), 0, 0, 0, 0, 0),
		"bytes follow the last tensor: copy the file again"},
	{"bytes and no tensors", encoded("{}", 0), "bytes follow the last tensor: copy the file again"},
	{"F32 infinity", encoded(entry("F32", "[2]", "[0,8]"), 0, 0, 0, 0, 0, 0, 0x80, 0xff),
		`tensor "a": element 1 is -Inf, not a finite number`},
	{"F32 NaN", encoded(entry("F32", "[]", "[0,4]"), 1, 0, 0x80, 0x7f), `tensor "a": element 0 is NaN`},
	{"F16 infinity", encoded(entry("F16", "[2]", "[0,4]"), 0, 0, 0, 0x7c), `tensor "a": element 1 is +Inf`},
	{"F16 NaN", encoded(entry("F16", "[1]", "[0,2]"), 1, 0xfc), `tensor "a": element 0 is NaN`},
	{"BF16 infinity", encoded(entry("BF16", "[2]", "[0,4]"), 0, 0, 0x80, 0xff), `tensor "a": element 1 is -Inf`},
	{"BF16 NaN", encoded(entry("BF16", "[1]", "[0,2]"), 0xc0, 0x7f), `tensor "a": element 0 is NaN`},
	{"BF16 of 4 bytes", encoded(entry("BF16", "[1]", "[0,4]"), 0, 0, 0, 0), "do not match BF16 of shape [1], 2 bytes"},
	{"F64 infinity", encoded(entry("F64", "[1]", "[0,8]"), 0, 0, 0, 0, 0, 0, 0xf0, 0x7f), `tensor "a": element 0 is +Inf`},
	{"F64 beyond float32", encoded(entry("F64", "[2]", "[0,16]"), append(make([]byte, 8), doubles(-1e300)...)...),
		`tensor "a": element 1 is -1e+300, too large for float32`},
	{"F64 cut off", encoded(entry("F64", "[1]", "[0,8]"), 1, 2), `tensor "a": file ends after 2 of 8 bytes`},
}

func TestReadRefuses(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			f, err := safetensors.Read(bytes.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
			if f != nil {
				t.Error("a file came with the error")
			}
		})
	}
}

// TestReadAnyCut cuts a good file at every byte.
func TestReadAnyCut(t *testing.T) {
	whole := encodeFile(t, sampleFile())
	for n := range whole {
		if _, err := safetensors.Read(bytes.NewReader(whole[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d bytes: error %v", n, len(whole), err)
		}
	}
}

func TestReadPassesErrorsOn(t *testing.T) {
	whole, broken := encodeFile(t, sampleFile()), errors.New("disk is broken")
	for n := range len(whole) + 1 {
		r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))
		if _, err := safetensors.Read(r); !errors.Is(err, broken) {
			t.Fatalf("error after %d of %d bytes: got %v", n, len(whole), err)
		}
	}
}

// TestReadAccepts reads files that are unusual and legal.
func TestReadAccepts(t *testing.T) {
	one := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40} // 1, 2
	for _, c := range []struct {
		name, header string
		data         []byte
		want         []safetensors.Tensor
	}{
		{"nothing", `{}`, nil, nil},
		{"spaces behind and within", "{ \"__metadata__\" : {} }   ", nil, nil},
		{"data in another order", `{"b":` + f32Two + `,"a":` + f32One + "}", one, []safetensors.Tensor{
			{Name: "b", DType: safetensors.F32, Shape: []int{1}, F32: []float32{2}},
			{Name: "a", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}}}},
		{"keys in another order", `{"é":{"data_offsets":[0,8],"shape":[2,1],"dtype":"F32"}}`, one, []safetensors.Tensor{
			{Name: "é", DType: safetensors.F32, Shape: []int{2, 1}, F32: []float32{1, 2}}}},
		{"a pair of surrogates", `{"\ud83d\ude00\\u":` + entry("F16", "[]", "[0,2]")[5:], []byte{1, 0},
			[]safetensors.Tensor{{Name: "😀\\u", DType: safetensors.F16, Shape: []int{}, F32: []float32{0x1p-24}}}},
		{"empty tensors",
			`{"z":{"dtype":"I64","shape":[0,9],"data_offsets":[4,4]},"a":` + f32One +
				`,"y":{"dtype":"F16","shape":[3,0],"data_offsets":[0,0]}}`,
			one[:4], []safetensors.Tensor{
				{Name: "z", DType: safetensors.I64, Shape: []int{0, 9}, I64: []int64{}},
				{Name: "a", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}},
				{Name: "y", DType: safetensors.F16, Shape: []int{3, 0}, F32: []float32{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := safetensors.Read(iotest.OneByteReader(bytes.NewReader(encoded(c.header, c.data...))))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(f.Tensors, c.want) {
				t.Errorf("got %+v, want %+v", f.Tensors, c.want)
			}
		})
	}
}

// TestReadWidens reads types that are float32 in memory. Every bfloat16 is a float32; a double is
// rounded to the nearest, ties to even.
func TestReadWidens(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  []float32
	}{
		{"BF16", []byte{0x80, 0x3f, 0x40, 0xc0, 0, 0, 0, 0x80, 1, 0, 0x7f, 0x7f},
			[]float32{1, -3, 0, float32(math.Copysign(0, -1)), 0x1p-133, 0x1.fep127}},
		{"F64", doubles(0.1, 1+0x1p-24, 1+3*0x1p-24, -1e-320, math.MaxFloat32),
			[]float32{0.1, 1, 1 + 0x1p-22, float32(math.Copysign(0, -1)), math.MaxFloat32}},
	} {
		n, size := len(c.want), len(c.data)
		header := entry(c.dtype, fmt.Sprintf("[%d]", n), fmt.Sprintf("[0,%d]", size))
		f, err := safetensors.Read(bytes.NewReader(encoded(header, c.data...)))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range f.Tensors[0].F32 {
			if math.Float32bits(v) != math.Float32bits(c.want[i]) {
				t.Errorf("%s: element %d is %v, want %v", c.dtype, i, v, c.want[i])
			}
		}
		if got, err := f.Floats("a", n); err != nil || len(got) != n {
			t.Errorf("%s: %d floats, %v", c.dtype, len(got), err)
		}
	}
}

// TestReadLongF64 reads more doubles than a chunk has, the last of which is too large.
func TestReadLongF64(t *testing.T) {
	const n = 20_000
	data := append(make([]byte, 8*(n-1)), doubles(1e39)...)
	header := entry("F64", fmt.Sprintf("[%d]", n), fmt.Sprintf("[0,%d]", 8*n))
	_, err := safetensors.Read(bytes.NewReader(encoded(header, data...)))
	if want := fmt.Sprintf("element %d is 1e+39, too large for float32", n-1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// TestReadMemory reads 100 kB under a header that claims 8 EB. The allowance is a chunk of 64 KiB,
// the doublings of the tensor's slice (less than 4 times the data in all) and the pieces of the
// header.
func TestReadMemory(t *testing.T) {
	const data = 100_000
	for _, file := range [][]byte{
		encoded(entry("F32", "[2305843009213693951]", "[0,9223372036854775804]"), make([]byte, data)...),
		append(binary.LittleEndian.AppendUint64(nil, 1<<20), make([]byte, data)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := safetensors.Read(bytes.NewReader(file))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatal("a file that is cut off was accepted")
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 6*data {
			t.Errorf("%d bytes allocated for a file of %d", got, len(file))
		}
	}
}

// encodeFile returns the bytes that Write gives.
func encodeFile(t interface{ Fatal(...any) }, f *safetensors.File) []byte {
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sampleFile returns a file with each type and some extreme content.
func sampleFile() *safetensors.File {
	negativeZero := float32(math.Copysign(0, -1))
	numbers := []float32{1, negativeZero, math.MaxFloat32, 1e-45}
	return &safetensors.File{
		Metadata: map[string]string{"format": "pt", "fmimg.config": `{"a": "b\\"}`, "\x00\n": "\u2028<&>"},
		Tensors: []safetensors.Tensor{
			{Name: "x", DType: safetensors.F32, Shape: []int{2, 2}, F32: numbers},
			{Name: "y", DType: safetensors.I64, Shape: []int{2}, I64: []int64{math.MinInt64, math.MaxInt64}},
			{Name: "h", DType: safetensors.F16, Shape: []int{3}, F32: []float32{65504, -0x1p-24, 1.5}},
			{Name: "scalar \"\\", DType: safetensors.F32, Shape: []int{}, F32: []float32{-3}},
			{Name: "", DType: safetensors.F16, Shape: []int{0}, F32: []float32{}},
		},
	}
}

func TestWriteRoundTrip(t *testing.T) {
	f := sampleFile()
	first := encodeFile(t, f)
	back, err := safetensors.Read(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, f) {
		t.Errorf("read %+v, wrote %+v", back, f)
	}
	if !bytes.Equal(encodeFile(t, back), first) { // DeepEqual takes -0 for 0
		t.Error("written again, the bytes differ")
	}
	if length := binary.LittleEndian.Uint64(first); length%8 != 0 {
		t.Errorf("header of %d bytes is not padded to a multiple of 8", length)
	}
	for range 10 { // the order in which a map is walked changes
		if !bytes.Equal(encodeFile(t, f), first) {
			t.Fatal("the same content gave other bytes")
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	inf := float32(math.Inf(1))
	scalar := func(name string, d safetensors.DType, x float32) safetensors.Tensor {
		return safetensors.Tensor{Name: name, DType: d, F32: []float32{x}}
	}
	holds := func(tensors ...safetensors.Tensor) safetensors.File { return safetensors.File{Tensors: tensors} }
	for _, c := range []struct {
		name string
		file safetensors.File
		err  string
	}{
		{"too large for F16", holds(scalar("a", safetensors.F16, -65520)),
			`tensor "a": element 0 is -65520, too large for F16`},
		{"infinity in F16", holds(scalar("a", safetensors.F16, inf)), `tensor "a": element 0 is +Inf`},
		{"NaN in F32", holds(scalar("a", safetensors.F32, inf-inf)), `tensor "a": element 0 is NaN`},
		{"unknown type", holds(scalar("a", "F8_E4M3", 1)), `type "F8_E4M3" is not one of`},
		{"a type to read alone", holds(scalar("a", safetensors.F64, 1)), "type F64 is read and not written: write F32"},
		{"bfloat16", holds(scalar("a", safetensors.BF16, 1)), "type BF16 is read and not written: write F32"},
		{"shape and elements", holds(safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{2}}),
			`tensor "a": shape [2] does not match its 0 elements`},
		{"elements of the other type", holds(safetensors.Tensor{Name: "a", DType: safetensors.I64, F32: []float32{1}}),
			"does not match its 0 elements"},
		{"negative dimensions",
			holds(safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{-1, -1}, F32: []float32{1}}),
			"shape [-1 -1] does not match"},
		{"a name twice", holds(scalar("a", safetensors.F32, 1), scalar("a", safetensors.F32, 1)),
			`tensor "a": the name stands twice`},
		{"the reserved name", holds(scalar("__metadata__", safetensors.F32, 1)), "reserved"},
		{"name not UTF-8", holds(scalar("\xff", safetensors.F32, 1)), "must be UTF-8"},
		{"metadata not UTF-8", safetensors.File{Metadata: map[string]string{"k": "\xc3"}}, "must be UTF-8"},
		{"header over 1 MiB", safetensors.File{Metadata: map[string]string{"k": strings.Repeat("v", 1<<20)}},
			"the most is 1048576: shorten the metadata"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			err := safetensors.Write(&b, &c.file)
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes were written before the error", b.Len())
			}
		})
	}
}

// fullWriter takes room bytes and then reports a full disk.
type fullWriter struct{ room int }

var errFull = errors.New("disk full")

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWritePassesErrorsOn(t *testing.T) {
	f := sampleFile()
	for n := range encodeFile(t, f) {
		if err := safetensors.Write(&fullWriter{n}, f); !errors.Is(err, errFull) {
			t.Fatalf("disk full after %d bytes: error %v", n, err)
		}
	}
}

// drawTensor draws a small tensor. Its type holds its elements exactly, so it must come back equal.
func drawTensor(t *rapid.T, name string) safetensors.Tensor {
	dtypes := []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.I64}
	x := safetensors.Tensor{Name: name, DType: rapid.SampledFrom(dtypes).Draw(t, "dtype")}
	x.Shape = rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
	n := 1
	for _, d := range x.Shape {
		n *= d
	}
	if x.DType == safetensors.I64 {
		x.I64 = rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "elements")
		return x
	}
	element := rapid.Float32()
	if x.DType == safetensors.F16 { // a fraction of 11 bits times a power of 2
		element = rapid.Custom(func(t *rapid.T) float32 {
			fraction := rapid.IntRange(-2047, 2047).Draw(t, "fraction")
			return float32(math.Ldexp(float64(fraction), rapid.IntRange(-24, 5).Draw(t, "exponent")))
		})
	}
	x.F32 = rapid.SliceOfN(element, n, n).Draw(t, "elements")
	return x
}

func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &safetensors.File{Metadata: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")}
		names := rapid.SliceOfNDistinct(rapid.String(), 0, 6, rapid.ID[string]).Draw(t, "names")
		for _, name := range names {
			f.Tensors = append(f.Tensors, drawTensor(t, name))
		}
		back, err := safetensors.Read(bytes.NewReader(encodeFile(t, f)))
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Metadata) == 0 {
			f.Metadata = nil
		}
		if !reflect.DeepEqual(back, f) {
			t.Fatalf("read %+v, wrote %+v", back, f)
		}
	})
}

// FuzzRead checks that nothing panics, and that memory stays within 4 times the file and 16 MiB. A
// file that is accepted must come back unchanged from a write and a read.
func FuzzRead(f *testing.F) {
	for _, c := range malformed {
		if len(c.file) < 4096 { // long seeds slow the fuzzer down
			f.Add(c.file)
		}
	}
	f.Add(encodeFile(f, sampleFile()))
	f.Add(encoded(entry("BF16", "[2]", "[0,4]"), 0x80, 0x3f, 0x40, 0xc0))
	f.Add(encoded(entry("F64", "[2]", "[0,16]"), doubles(0.5, 1e-320)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := safetensors.Read(bytes.NewReader(file))
		runtime.ReadMemStats(&after)
		// TotalAlloc counts what was freed too, and what the fuzzer takes meanwhile: an upper
		// bound.
		if taken := after.TotalAlloc - before.TotalAlloc; taken > uint64(4*len(file)+16<<20) {
			t.Fatalf("%d bytes taken for a file of %d", taken, len(file))
		}
		if err != nil {
			return
		}
		if len(got.Metadata) == 0 {
			got.Metadata = nil // an empty one is not written
		}
		for i := range got.Tensors { // types that are not written
			if d := &got.Tensors[i].DType; *d == safetensors.BF16 || *d == safetensors.F64 {
				*d = safetensors.F32
			}
		}
		back, err := safetensors.Read(bytes.NewReader(encodeFile(t, got)))
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if !reflect.DeepEqual(got, back) || !bytes.Equal(encodeFile(t, got), encodeFile(t, back)) {
			t.Fatalf("read %+v, after writing %+v", got, back)
		}
	})
}

// TestGoldenFiles reads files that the reference implementation wrote. Python computed the sums
// from the bytes of the files, with math.fsum.
func TestGoldenFiles(t *testing.T) {
	for _, c := range []struct {
		file              string
		tensors, elements int
		sum, squares      float64
	}{
		{"unet_small", 127, 318177, 377.56089829736, 2391.15544994579},
		{"unet_small_io", 134, 319336, 303.074900672502, 869.633831884525},
	} {
		t.Run(c.file, func(t *testing.T) {
			file, err := os.ReadFile("../unet/testdata/" + c.file + ".safetensors")
			if err != nil {
				t.Fatal(err)
			}
			f, err := safetensors.Read(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			elements, sum, squares := 0, 0.0, 0.0
			for i := range f.Tensors {
				elements += f.Tensors[i].Len()
				for _, v := range f.Tensors[i].F32 {
					sum += float64(v)
					squares += float64(v) * float64(v)
				}
			}
			if len(f.Tensors) != c.tensors || elements != c.elements {
				t.Errorf("%d tensors, %d elements, want %d, %d", len(f.Tensors), elements, c.tensors, c.elements)
			}
			// Rounding of 318,000 additions in float64, in another order, is far below 1e-9.
			if math.Abs(sum-c.sum) > 1e-9 || math.Abs(squares-c.squares) > 1e-9*c.squares {
				t.Errorf("sum %.12g and squares %.12g, want %.12g and %.12g", sum, squares, c.sum, c.squares)
			}
			again, from := encodeFile(t, f), 0
			if len(f.Metadata) > 1 { // the reference does not sort it
				from = 8 + int(binary.LittleEndian.Uint64(file))
			}
			if len(again) != len(file) || !bytes.Equal(again[from:], file[from:]) {
				t.Error("written again, the bytes differ")
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	file, err := os.ReadFile("../unet/testdata/unet_small.safetensors")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := safetensors.Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
