package pickle

// Text is a text in UTF-8.
type Text []byte

// Bytes are bytes, and the texts of Python 2, which do not say what they are.
type Bytes []byte

// A Tuple is a fixed list.
type Tuple []any

// A List is a list.
type List struct{ Items []any }

// A Dict is a dictionary, in the order of the pickle.
type Dict struct{ Keys, Values []any }

// A Global is the name of a class or function.
type Global struct{ Module, Name string }

// A Call is what a class or function would have been called with.
type Call struct {
	Of    any // a [Global] in pickles that programs write
	Args  Tuple
	State any // what the object would have been given afterwards; nil for nothing
	// Entries are the keys and values that the object would have been given, as a dictionary of a
	// class of its own is.
	Entries Dict
}

// A Persistent is what the program that wrote the pickle keeps elsewhere, under a name of its own.
type Persistent struct{ ID any }

// Get returns the value of a key that is a text, as text or bytes, and nil where there is none.
func (d *Dict) Get(key string) any {
	for i, k := range d.Keys {
		if text, ok := String(k); ok && text == key {
			return d.Values[i]
		}
	}
	return nil
}

// String returns a value that is a text or bytes as a string.
func String(value any) (string, bool) {
	switch v := value.(type) {
	case Text:
		return string(v), true
	case Bytes:
		return string(v), true
	}
	return "", false
}

// Latin1 returns the bytes of a text whose letters each stand for a byte, as Python 3 writes bytes
// into old pickles. ok is false for other letters.
func Latin1(text Text) (raw Bytes, ok bool) {
	raw = make(Bytes, 0, len(text))
	for _, r := range string(text) {
		if r > 255 {
			return nil, false
		}
		raw = append(raw, byte(r))
	}
	return raw, true
}

// Raw returns the bytes of a value: bytes, a text of letters that each stand for a byte, or a call
// that makes bytes of one.
func Raw(value any) (Bytes, bool) {
	switch v := value.(type) {
	case Bytes:
		return v, true
	case Text:
		return Latin1(v)
	case *Call:
		of, _ := v.Of.(Global)
		switch {
		case of == Global{"_codecs", "encode"} && len(v.Args) > 0:
			if text, ok := v.Args[0].(Text); ok {
				return Latin1(text)
			}
		case of.Name == "bytes" && len(v.Args) == 0:
			return Bytes{}, true
		case of.Name == "bytearray" && len(v.Args) > 0:
			if raw, ok := v.Args[0].(Bytes); ok {
				return raw, true
			}
			if text, ok := v.Args[0].(Text); ok {
				return Latin1(text)
			}
		}
	}
	return nil, false
}
