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
	sizes, err := widths(content)
	if err != nil {
		return nil, err
	}
	storages, err := cutStorages(keys, sizes, f.order, rest)
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

// cutStorages returns the bytes of each storage. sizes has the bytes of a number of each.
func cutStorages(keys any, sizes map[string]int64, order binary.ByteOrder, data []byte) (map[string][]byte, error) {
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, errors.New("it has no list of storages: copy the file again")
	}
	storages := map[string][]byte{}
	for _, item := range list.Items {
		key, ok := pickle.String(item)
		width := sizes[key]
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
func widths(v any) (map[string]int64, error) {
	w := &widthWalker{found: map[string]int64{}, seen: map[any]bool{}}
	err := w.walk(v)
	return w.found, err
}

// A widthWalker finds storages in what a pickle holds.
type widthWalker struct {
	found map[string]int64
	seen  map[any]bool // by pointer
	steps int
}

func (w *widthWalker) walk(v any) error {
	if w.steps++; w.steps > mostValues {
		return errValues
	}
	switch v := v.(type) {
	case pickle.Tuple:
		for _, item := range v {
			if err := w.walk(item); err != nil {
				return err
			}
		}
	case *pickle.List:
		return w.once(v, v.Items)
	case *pickle.Dict:
		return w.once(v, v.Values)
	case *pickle.Call:
		return w.once(v, pickle.Tuple{v.Args, pickle.Tuple(v.Entries.Values), v.State})
	case pickle.Persistent:
		w.storage(v)
	}
	return nil
}

// once walks over the values of what may be referred to several times.
func (w *widthWalker) once(pointer any, values pickle.Tuple) error {
	if w.seen[pointer] {
		return nil
	}
	w.seen[pointer] = true
	return w.walk(values)
}

func (w *widthWalker) storage(p pickle.Persistent) {
	id, ok := p.ID.(pickle.Tuple)
	if !ok || len(id) < 3 {
		return
	}
	of, _ := id[1].(pickle.Global)
	if key, ok := pickle.String(id[2]); ok {
		w.found[key] = max(kinds[of.Name].bytes, wholeNumbers[of.Name])
	}
}
