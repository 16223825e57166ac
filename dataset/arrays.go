package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/dataset/array"
	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// readArrays reads the one set of arrays that a place holds.
func (p *place) readArrays(ctx context.Context, set *Set, found []array.Source, o Options) (*Set, error) {
	source, err := p.source(found)
	if err != nil {
		return nil, err
	}
	arrays, err := source.Read(ctx, array.Limits{MaxBytes: o.maxBytes(), Alpha: hasAlpha(o.Channels)})
	if errors.Is(err, array.ErrApart) {
		return nil, fmt.Errorf("%w (%w)", p.several(found), err)
	}
	if err != nil {
		return nil, notItself(source.Files, err)
	}
	if named := array.KnownClasses(p.path, len(arrays.Classes)); named != nil && numbered(arrays.Classes) {
		arrays.Classes = named
	}
	set.Format, set.Files = arrays.Format, len(arrays.Files)
	for _, note := range arrays.Notes {
		set.Notes = append(set.Notes, Note{Format: "%s", Args: []any{note}})
	}
	set.noteArrayAlpha(arrays, o)
	if err := set.settleAlpha(ctx, arrays, o); err != nil {
		return nil, err
	}
	if err := set.take(arrays); err != nil {
		return nil, err
	}
	set.Digest = arrayDigest(arrays)
	return set, p.sum(set, arrays.Files)
}

// source returns the set that is meant: the only one, that of the named file, or all as one.
func (p *place) source(found []array.Source) (array.Source, error) {
	if len(found) == 1 || p.chosen != "" {
		return found[0], nil
	}
	sequential := slices.ContainsFunc(p.trees, func(t *tree.Tree) bool { return t.Sequential() })
	joined, ok := array.Join(found)
	switch {
	case !ok:
		return joined, p.several(found)
	case sequential && len(joined.Files) > maxStreamed:
		return joined, fmt.Errorf("it holds %d files of arrays, each of which is read by unpacking all before it: "+
			"unpack the archive, and name the folder", len(joined.Files))
	}
	return joined, nil
}

// maxStreamed bounds the files of arrays that are read from a compressed tar, one after the other.
const maxStreamed = 64

// several is the error for more than one set.
func (p *place) several(found []array.Source) error {
	return fmt.Errorf("it holds %d sets of arrays: name one by a file of it, such as %s",
		len(found), filepath.Join(p.path, filepath.FromSlash(found[len(found)-1].Name)))
}

// lastChannel names the channel of arrays that is taken for alpha.
func lastChannel(arrays *array.Set) string {
	return fmt.Sprintf("the last of %d channels", arrays.Channels)
}

// noteArrayAlpha says what became of an alpha channel.
func (s *Set) noteArrayAlpha(arrays *array.Set, o Options) {
	last := lastChannel(arrays)
	switch arrays.Alpha {
	case array.Opaque:
		s.Notes = append(s.Notes, Note{Format: "%s was left out, as it has its highest value everywhere", Args: []any{last}})
	case array.Unused:
		s.Notes = append(s.Notes, Note{Format: "%s was left out, as it is 0 everywhere", Args: []any{last}})
	case array.White:
		became := Note{Format: "%s was taken for alpha: transparent pixels became white", Args: []any{last}}
		s.Notes = append(s.Notes, o.keeping(became, arrays.Channels == 2))
	}
}

// settleAlpha lets the alpha channel that arrays keep mean what it means in pictures: wholly
// transparent pixels have the colour of visible ones near them. An alpha that is 0 everywhere is
// not one: nothing would be seen.
func (s *Set) settleAlpha(ctx context.Context, arrays *array.Set, o Options) error {
	channels := arrays.Train.Channels
	if !hasAlpha(channels) {
		return nil
	}
	parts := [][]byte{arrays.Train.Pixels}
	if arrays.Test != nil {
		parts = append(parts, arrays.Test.Pixels)
	}
	if !slices.ContainsFunc(parts, func(pixels []byte) bool { return !alphaIs(pixels, channels, 0) }) {
		for _, pixels := range parts {
			for i := channels - 1; i < len(pixels); i += channels {
				pixels[i] = white
			}
		}
		s.Notes = append(s.Notes, Note{Format: "%s is 0 everywhere: all pixels were taken for opaque",
			Args: []any{lastChannel(arrays)}})
		return nil
	}
	w, size := arrays.Train.Width, arrays.Train.Height*arrays.Train.Width*channels
	for _, pixels := range parts {
		if err := o.parallel(ctx, len(pixels)/size, func(i int) {
			decode.Bleed(pixels[i*size:][:size], w, channels)
		}); err != nil {
			return err
		}
	}
	return nil
}

func has(files []*tree.File, name string) bool {
	for _, f := range files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// take makes the sources from arrays.
func (s *Set) take(arrays *array.Set) error {
	name := baseName(s.Path)
	train := newLabelled(name, arrays.Train, arrays.Classes)
	if train.Len() == 0 || train.size() == 0 {
		return fmt.Errorf("images have %dx%d pixels, and there are %d of them: there is nothing to learn from",
			train.w, train.h, train.Len())
	}
	s.Train = train
	if arrays.Test != nil {
		test := newLabelled(name+"/test", arrays.Test, arrays.Classes)
		if err := sameShape(train, test); err != nil {
			return err
		}
		s.Test = test
	}
	return nil
}

// newLabelled makes a source of arrays. It keeps their memory.
func newLabelled(name string, a *array.Images, classes []string) *labelled {
	s := &labelled{name: name, h: a.Height, w: a.Width, c: a.Channels, slab: a.Pixels}
	if classes != nil {
		s.classes, s.labels = classes, a.Labels
		if s.labels == nil {
			s.labels = make([]int32, s.Len())
			for i := range s.labels {
				s.labels[i] = -1
			}
		}
	}
	return s
}

func sameShape(a, b *labelled) error {
	if a.h != b.h || a.w != b.w || a.c != b.c {
		return fmt.Errorf("images to train on have %dx%d pixels and %d channels, those to test on %dx%d and %d: "+
			"do the files belong together?", a.h, a.w, a.c, b.h, b.w, b.c)
	}
	return nil
}

// arrayDigest is a hash of images and labels.
func arrayDigest(arrays *array.Set) string {
	sum := sha256.New()
	for _, a := range []*array.Images{arrays.Train, arrays.Test} {
		if a == nil {
			continue
		}
		labels := make([]byte, len(a.Labels))
		for i, label := range a.Labels {
			labels[i] = byte(label)
		}
		for _, data := range [][]byte{a.Pixels, labels} {
			_, _ = fmt.Fprintln(sum, len(data)) // a hash takes everything
			_, _ = sum.Write(data)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// sum fills in the set's Contents: the files of arrays, or the archive that they are in.
func (p *place) sum(set *Set, files []*tree.File) error {
	if len(p.trees) == 1 && p.trees[0].Sequential() {
		path := p.path
		files = []*tree.File{tree.New(filepath.Base(path), 0, func() (io.ReadCloser, error) { return openRegular(path) })}
	}
	for _, f := range files {
		sum := crc32.NewIEEE()
		if err := addTo(sum, f); err != nil {
			return fmt.Errorf("%s: %w", text.Printable(path.Base(f.Name)), err)
		}
		set.Contents = append(set.Contents, Content{f.Name, sum.Sum32()})
	}
	return nil
}

func addTo(sum hash.Hash, f *tree.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	_, err = io.Copy(sum, r)
	return err
}

// numbered reports whether classes have the numbers from 0 as names.
func numbered(classes []string) bool {
	for i, name := range classes {
		if name != strconv.Itoa(i) {
			return false
		}
	}
	return true
}
