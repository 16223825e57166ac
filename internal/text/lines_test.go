package text

import "testing"

func TestUnixLines(t *testing.T) {
	for text, want := range map[string]string{
		"a\rb\rc": "a\nb\nc", "a\r": "a\n", "a\r\nb\r\n": "a\r\nb\r\n", "a\nb\n": "a\nb\n", "": "", "a\rb\rc\r\nd\r": "a\nb\nc\r\nd\n",
		"a\n\"b\rc\"\n": "a\n\"b\rc\"\n", // inside of a value
	} {
		got := []byte(text)
		if UnixLines(got); string(got) != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
