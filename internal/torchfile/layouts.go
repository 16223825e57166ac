package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fmimg/fmimg/internal/pickle"
)

// readZip reads the layout since PyTorch 1.6: an archive of NAME/data.pkl and of NAME/data/KEY for
// each storage, none of which is compressed.
func readZip(r io.ReaderAt, size int64) (*File, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a whole file of torch.save: copy it again", err)
	}
	entries := map[string]*zip.File{}
	root, found := "", false
	for _, e := range archive.File {
		entries[e.Name] = e
		if before, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && !found {
			root, found = before, true
		}
		if strings.HasSuffix(e.Name, "constants.pkl") {
			return nil, errors.New("it is a program of TorchScript: save model.state_dict() there")
		}
	}
	if !found {
		return nil, errors.New("it is an archive that torch.save did not write: it has no data.pkl")
	}
	f := &File{order: binary.LittleEndian, size: size}
	f.stored = func(key string) (io.Reader, int64, error) {
		e := entries[root+"data/"+key]
		if e == nil {
			return nil, 0, errors.New("is missing: copy the file again")
		}
		return entry(e)
	}
	if e := entries[root+"byteorder"]; e != nil {
		text, err := whole(e)
		if err != nil {
			return nil, err
		}
		if string(text) == "big" {
			f.order = binary.BigEndian
		}
	}
	text, err := whole(entries[root+"data.pkl"])
	if err != nil {
		return nil, err
	}
	v, err := pickle.Read(text)
	if err != nil {
		return nil, err
	}
	f.Dicts, err = find(v)
	return f, err
}

// entry opens an entry that is stored as it is.
func entry(e *zip.File) (io.Reader, int64, error) {
	if e.Method != zip.Store {
		return nil, 0, errors.New("is compressed: torch.save does not do that")
	}
	r, err := e.Open()
	return r, int64(min(e.UncompressedSize64, e.CompressedSize64)), err
}

// whole reads an entry.
func whole(e *zip.File) ([]byte, error) {
	r, n, err := entry(e)
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w", e.Name, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w: copy the file again", e.Name, err)
	}
	return text, nil
}

// oldMagic is the pickle of the number that the older layout begins with, and oldVersion the next
// one, of the layout's version.
const (
	oldMagic   = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
	oldVersion = "\x80\x02M\xe9\x03."
)

// readOld reads the layout before PyTorch 1.6: pickles of a number, a version, the machine, the
// content, and the keys of the storages, and then for each key the number of elements and the
// numbers.
func readOld(r io.ReaderAt, size int64) (*File, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(data, []byte(oldMagic+oldVersion))
	if !ok {
		return nil, errors.New("it is of a version of torch.save's older layout that is not known")
	}
	machine, rest, err := pickle.ReadFirst(rest)
	if err != nil {
		return nil, err
	}
	content, rest, err := pickle.ReadFirst(rest)
	if err != nil {
		return nil, err
	}
	keys, rest, err := pickle.ReadFirst(rest)
	if err != nil {
		return nil, err
	}
	f := &File{order: binary.LittleEndian, size: size}
	if d, ok := machine.(*pickle.Dict); ok && d.Get("little_endian") == false {
		f.order = binary.BigEndian
	}
	if f.Dicts, err = find(content); err != nil {
		return nil, err
	}
	storages, err := cutStorages(keys, widths(content), f.order, rest)
	if err != nil {
		return nil, err
	}
	f.stored = func(key string) (io.Reader, int64, error) {
		raw, ok := storages[key]
		if !ok {
			return nil, 0, errors.New("is missing: copy the file again")
		}
		return bytes.NewReader(raw), int64(len(raw)), nil
	}
	return f, nil
}

// cutStorages returns the bytes of each storage. widths has the bytes of a number of each.
func cutStorages(keys any, widths map[string]int64, order binary.ByteOrder, data []byte) (map[string][]byte, error) {
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, errors.New("it has no list of storages: copy the file again")
	}
	storages := map[string][]byte{}
	for _, item := range list.Items {
		key, ok := pickle.String(item)
		width := widths[key]
		if !ok || width == 0 {
			return nil, fmt.Errorf("storage %.60q: its type is not known", key)
		}
		if len(data) < 8 {
			return nil, fmt.Errorf("storage %.60q: %w: copy the file again", key, io.ErrUnexpectedEOF)
		}
		n := int64(order.Uint64(data))
		data = data[8:]
		if n < 0 || n > int64(len(data))/width {
			return nil, fmt.Errorf("storage %.60q: %w: copy the file again", key, io.ErrUnexpectedEOF)
		}
		storages[key], data = data[:n*width], data[n*width:]
	}
	return storages, nil
}

// wholeNumbers are the bytes of a number in storages of other types than floats.
var wholeNumbers = map[string]int64{
	"LongStorage": 8, "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}

// widths returns the bytes of a number in each storage that a value refers to.
func widths(v any) map[string]int64 {
	found, seen := map[string]int64{}, map[any]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case pickle.Tuple:
			for _, item := range v {
				walk(item)
			}
		case *pickle.List:
			if !seen[v] {
				seen[v] = true
				walk(pickle.Tuple(v.Items))
			}
		case *pickle.Dict:
			if !seen[v] {
				seen[v] = true
				walk(pickle.Tuple(v.Values))
			}
		case *pickle.Call:
			if !seen[v] {
				seen[v] = true
				walk(v.Args)
				walk(pickle.Tuple(v.Entries.Values))
				walk(v.State)
			}
		case pickle.Persistent:
			if id, ok := v.ID.(pickle.Tuple); ok && len(id) > 2 {
				of, _ := id[1].(pickle.Global)
				if key, ok := pickle.String(id[2]); ok {
					found[key] = max(kinds[of.Name].bytes, wholeNumbers[of.Name])
				}
			}
		}
	}
	walk(v)
	return found
}
