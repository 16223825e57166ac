package pickle_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/pickle"
)

// shown writes a value as text.
func shown(v any) string {
	switch v := v.(type) {
	case pickle.Text:
		return fmt.Sprintf("u%q", string(v))
	case pickle.Bytes:
		return fmt.Sprintf("b%q", string(v))
	case *pickle.List:
		return "[" + joined(v.Items) + "]"
	case pickle.Tuple:
		return "(" + joined(v) + ")"
	case *pickle.Dict:
		list := make([]string, len(v.Keys))
		for i := range v.Keys {
			list[i] = shown(v.Keys[i]) + ":" + shown(v.Values[i])
		}
		return "{" + strings.Join(list, " ") + "}"
	case pickle.Global:
		return v.Module + "." + v.Name
	case *pickle.Call:
		text := shown(v.Of) + shown(v.Args)
		if v.State != nil {
			text += "<" + shown(v.State) + ">"
		}
		return text
	}
	return fmt.Sprint(v)
}

func joined(items []any) string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = shown(item)
	}
	return strings.Join(list, " ")
}

// The pickles are what Python's pickle.dumps writes of the values, and some by hand.
func TestRead(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"N.", "<nil>"}, {"\x88.", "true"}, {"\x89.", "false"}, {"I01\n.", "true"}, {"I00\n.", "false"}, {"I-7\n.", "-7"},
		{"L123L\n.", "123"}, {"K\xff.", "255"}, {"M\x01\x02.", "513"}, {"J\xff\xff\xff\xff.", "-1"}, {"F1.5\n.", "1.5"},
		{"G?\xf8\x00\x00\x00\x00\x00\x00.", "1.5"}, {"\x8a\x00.", "0"}, {"\x8a\x01\xff.", "-1"}, {"\x8a\x02\xff\x00.", "255"},
		{"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", "-9223372036854775808"},
		{"U\x02ab.", `b"ab"`}, {"T\x01\x00\x00\x00a.", `b"a"`}, {"C\x01a.", `b"a"`}, {"B\x01\x00\x00\x00a.", `b"a"`},
		{"\x8e\x01\x00\x00\x00\x00\x00\x00\x00a.", `b"a"`}, {"\x96\x01\x00\x00\x00\x00\x00\x00\x00a.", `b"a"`},
		{"\x8c\x01a.", `u"a"`}, {"X\x02\x00\x00\x00\xc3\xa4.", `u"ä"`}, {"\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.", `u"a"`},
		{`S'a\'\x41\n\\'` + "\np0\n.", `b"a'A\n\\"`}, {"S\"it's\"\n.", `b"it's"`}, {`Va\u00e4\U0001f600` + "\xe4\n.", `u"aä😀ä"`},
		{").", "()"}, {"].", "[]"}, {"}.", "{}"}, {"(K\x01K\x02t.", "(1 2)"}, {"K\x01\x85.", "(1)"}, {"NK\x01\x86.", "(<nil> 1)"},
		{"NNN\x87.", "(<nil> <nil> <nil>)"}, {"(lp0\nI1\naI2\na.", "[1 2]"}, {"](K\x01K\x02e.", "[1 2]"},
		{"(U\x01aK\x01d.", `{b"a":1}`}, {"}U\x01aK\x01s.", `{b"a":1}`}, {"}(U\x01aK\x01U\x01bNu.", `{b"a":1 b"b":<nil>}`},
		{"]q\x01h\x01a0h\x01\x85.", ""}, // a list of itself; only the tuple is shown below
		{"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94\x8c\x01b\x94\x93.", "a.b"}, {"cos\nsystem\n.", "os.system"},
		{"cos\nsystem\nU\x02ls\x85R.", `os.system(b"ls")`}, {"ca\nb\n)\x81K\x01b.", "a.b()<1>"}, {"ca\nb\n)}\x92.", "a.b()"},
		{"K\x01K\x020.", "1"}, {"K\x07(K\x01K\x021.", "7"}, {"K\x05r\x00\x01\x00\x000j\x00\x01\x00\x00.", "5"}, {"K\x05p300\n0g300\n.", "5"},
		{"(K\x01l.", "[1]"}, {"\x8f(K\x01\x90.", ""},
	} {
		v, err := pickle.Read([]byte(c.in))
		switch {
		case c.want == "" && err == nil: // no more than that nothing panics
		case c.want == "":
		case err != nil || shown(v) != c.want:
			t.Errorf("%q: %s, %v, want %s", c.in, shown(v), err, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"": "unexpected EOF", "K": "unexpected EOF", "N": "unexpected EOF", ".": "a value is missing", "(.": "a value is missing",
		"T\xff\xff\xff\x7fa.": "unexpected EOF", "\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.": "unexpected EOF",
		"\x8a\x09000000000.": "more than 64 bits", "h\x01.": "value 1 was not noted", "t.": "a mark is missing", "K\x01K\x01a.": "neither list",
		"(K\x01d.": "a key without a value", "\x93.": "a value is missing", "NN\x93.": "not a text", "NNR.": "not a tuple", "NNb.": "not an object",
		"S'a\n.": "without quotes", `S'\x4'` + "\n.": "cut off", `V\u12` + "\n.": "cut off", "Ix\n.": "invalid syntax", "P1\n.": "0x50 is not one of data",
		"e.": "a mark is missing", "K\x01e.": "a mark is missing", "(e.": "values without a list", "i.": "0x69 is not one of data",
		strings.Repeat("N0", 1<<16) + "N.": "too many small objects",
	} {
		_, err := pickle.Read([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", in, err, want)
		}
	}
}

func TestRaw(t *testing.T) {
	for in, want := range map[string]string{
		"U\x01\xff.": "\xff", "X\x02\x00\x00\x00\xc3\xbf.": "\xff",
		"c_codecs\nencode\n(X\x02\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1tR.": "\xff",
		"c__builtin__\nbytes\n)R.": "", "cbuiltins\nbytearray\nC\x01a\x85R.": "a",
	} {
		v, err := pickle.Read([]byte(in))
		if raw, ok := pickle.Raw(v); err != nil || !ok || string(raw) != want {
			t.Errorf("%q: %q, %v, %v", in, raw, ok, err)
		}
	}
	for _, in := range []string{"N.", "X\x03\x00\x00\x00\xe2\x82\xac.", "cos\nsystem\nU\x02ls\x85R."} {
		v, err := pickle.Read([]byte(in))
		if raw, ok := pickle.Raw(v); ok || err != nil {
			t.Errorf("%q: %q, %v", in, raw, err)
		}
	}
}

// FuzzPickle reads anything. Nothing may panic or take much memory.
func FuzzPickle(f *testing.F) {
	for _, name := range []string{"batch-0", "batch-2", "batch-4", "batch-5", "batch-python2", "meta"} {
		data, err := os.ReadFile("../../dataset/array/testdata/" + name + ".pickle")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("T\xff\xff\xff\x7fa."))
	f.Add(bytes.Repeat([]byte("("), 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := pickle.Read(data)
		runtime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*len(data)+16<<20); got > limit {
			t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, len(data), limit)
		}
		if d, ok := v.(*pickle.Dict); err == nil && ok {
			d.Get("data")
			_, _ = pickle.Raw(d.Get("labels"))
		}
	})
}
