package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// limits bound what files may ask for. Tests have smaller limits.
type limits struct {
	pixels    int // of a picture, whatever its header claims
	fileBytes int // of a picture's file
	tree      tree.Limits
}

// A decoder takes up to 24 bytes a pixel for a while: 1.6 GB at this limit. Few cameras make larger
// photos.
var usualLimits = limits{pixels: 1 << 26, fileBytes: 1 << 28}

// A loader reads files of pictures.
type loader struct {
	files   []*tree.File
	shape   decode.Options
	limits  limits
	options Options

	results []loaded // one for each file
	parts   []int    // where the files of each tree begin

	mu   sync.Mutex
	done int
}

// A loaded file has a picture or an error.
type loaded struct {
	pixels        []byte // height·width·channels
	err           error
	sum           uint32 // CRC-32 of the file's bytes
	width, height int32  // of the picture in the file
	peak          uint16 // see decode.Picture
	gray, opaque  bool
	empty         bool   // see decode.Picture
	side          string // the content of a small file that may have a picture's label
}

// newLoader makes a loader of files as the options say.
func newLoader(files []*tree.File, o Options) *loader {
	l := &loader{files: files, limits: usualLimits, options: o, results: make([]loaded, len(files))}
	l.shape = decode.Options{
		Width: o.Width, Height: o.Height, Fit: o.Fit, Channels: o.Channels,
		MaxPixels: l.limits.pixels, Room: decode.NewRoom(l.limits.pixels),
	}
	if o.Width == 0 {
		l.shape.Width, l.shape.Height = defaultSide, defaultSide
	}
	if o.Channels == 0 {
		l.shape.Channels = 3
	}
	return l
}

// read reads the files of trees, which are the loader's files in their order.
func (l *loader) read(ctx context.Context, trees []*tree.Tree) error {
	l.parts = nil
	for first, k := 0, 0; k < len(trees); k++ {
		l.parts = append(l.parts, first)
		first += len(trees[k].Files)
	}
	// The bound is for the case that all files are pictures. Any other file takes no memory.
	if err := checkMemory(len(l.files), l.shape.Height, l.shape.Width, l.shape.Channels, l.options); err != nil {
		return err
	}
	return l.each(ctx, trees, func(*loaded) bool { return true })
}

// each loads the files that are wanted. A result is wanted by what an earlier reading left in it.
func (l *loader) each(ctx context.Context, trees []*tree.Tree, wanted func(*loaded) bool) error {
	first := 0
	for _, t := range trees {
		n := len(t.Files)
		var err error
		if t.Sequential() {
			err = l.walk(ctx, t, first, wanted)
		} else {
			err = l.options.parallel(ctx, n, func(i int) {
				if r := &l.results[first+i]; wanted(r) {
					*r = l.load(l.files[first+i])
				}
				l.count()
			})
		}
		if err != nil {
			return err
		}
		first += n
	}
	return nil
}

// count tells the options' Progress that one more file is read.
func (l *loader) count() {
	if f := l.options.Progress; f != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.done++
		f(min(l.done, len(l.files)), len(l.files))
	}
}

// walked are contents that wait for a worker, at most so many at once.
const walked = 16

// walk loads the files of a tree that is read one file after the other. Workers decode them
// meanwhile.
func (l *loader) walk(ctx context.Context, t *tree.Tree, first int, wanted func(*loaded) bool) error {
	type item struct {
		i    int
		data []byte
		err  error
	}
	for i, f := range t.Files {
		if r := &l.results[first+i]; wanted(r) {
			if r.err = f.Err; r.err == nil {
				r.err = errUsed // until the walk comes to it, if it does
			}
		}
	}
	items, failed := make(chan item, walked), make(chan error, 1)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(items)
		failed <- t.Walk(func(i int, content io.Reader) error {
			if !wanted(&l.results[first+i]) || t.Files[i].Err != nil {
				return stop.Err()
			}
			data, err := l.content(t.Files[i], content)
			select {
			case items <- item{i, data, err}:
				return nil
			case <-stop.Done():
				return stop.Err()
			}
		})
	}()
	err := l.options.parallel(ctx, len(t.Files), func(int) {
		if it, ok := <-items; ok {
			l.results[first+it.i] = l.decoded(it.data, it.err)
		}
		l.count()
	})
	cancel()
	for range items { // lets the reader end
	}
	if err != nil {
		return err
	}
	return <-failed
}

// load reads and decodes a file.
func (l *loader) load(f *tree.File) loaded {
	r, err := f.Open()
	if err != nil {
		if f.Err == nil {
			err = fmt.Errorf("%w: %w", tree.ErrRead, err)
		}
		return loaded{err: err}
	}
	defer func() { _ = r.Close() }()
	data, err := l.content(f, r)
	return l.decoded(data, err)
}

// errSide marks a small file that is kept, as it may have a picture's label.
var errSide = errors.New("not a picture")

// content returns the content of a picture's file. Of a file that may have the label of a picture
// it returns the content with errSide. Of any other file it reads only the first bytes, which tell
// the format.
func (l *loader) content(f *tree.File, r io.Reader) ([]byte, error) {
	head := make([]byte, decode.HeadLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: %w", tree.ErrRead, readReason(err))
	}
	head = head[:n]
	if isSide(f) && n > 0 && f.Size <= maxSideFile {
		data, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), r), maxSideFile))
		if err == nil {
			return data, errSide
		}
	}
	if err := noPicture(f.Name, head); err != nil {
		return nil, err
	}
	if f.Size > int64(l.limits.fileBytes) {
		return nil, fmt.Errorf("%w: a file of %s", decode.ErrTooLarge, text.Bytes(float64(f.Size)))
	}
	// A large claim takes memory only as the bytes come in. One byte more than the limit shows
	// whether the file ends there.
	data, err := readBytes(io.MultiReader(bytes.NewReader(head), r), l.limits.fileBytes+1, int(min(f.Size, 1<<20))+1)
	switch {
	case err == nil:
		return nil, fmt.Errorf("%w: a file of more than %s", decode.ErrTooLarge, text.Bytes(float64(l.limits.fileBytes)))
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %w", decode.ErrDamaged, readReason(err))
	case errors.Is(err, io.ErrUnexpectedEOF) && int64(len(data)) < f.Size:
		return nil, fmt.Errorf("%w: %d of its %d bytes are there", decode.ErrDamaged, len(data), f.Size)
	}
	return data, nil
}

// readReason words an error of reading a file.
func readReason(err error) error {
	if errors.Is(err, zip.ErrChecksum) {
		return errors.New("its checksum is wrong: copy the archive again")
	}
	return regularReason(err)
}

// decoded decodes the content of a file.
func (l *loader) decoded(data []byte, err error) loaded {
	switch {
	case errors.Is(err, errSide):
		return loaded{err: errSide, side: string(data)}
	case err != nil:
		return loaded{err: err}
	}
	p, err := decode.Decode(data, l.shape)
	if err != nil {
		return loaded{err: err}
	}
	return loaded{
		pixels: p.Pixels, sum: crc32.ChecksumIEEE(data), peak: p.Peak, gray: p.Gray, opaque: p.Opaque, empty: p.Empty,
		width: int32(p.Width), height: int32(p.Height),
	}
}

// Limits of the highest sample of 16 bits.
const (
	deepest = 1<<14 - 1 // of pictures of 14 bits; a higher one is of 16
	dimmest = 1<<12 - 1 // of pictures that are nearly black as 16 bits
)

// whiteOf returns the bits that samples have which are stored in 16, by the highest one, and what
// is white then. Both are 0 for samples of 16 bits, and for black alone.
func whiteOf(peak uint16) (bits int, white uint16) {
	if peak == 0 || peak > deepest {
		return 0, 0
	}
	bits = 8
	for peak>>bits > 0 {
		bits += 2
	}
	return bits, 1<<bits - 1
}

// brighten reads pictures of 8 to 14 bits again whose samples are stored in 16, and would be nearly
// black. All of the set get one scale. It returns a note, which is empty where there are none.
func (l *loader) brighten(ctx context.Context, trees []*tree.Tree) (note Note, err error) {
	peak, deep, dim := uint16(0), 0, 0
	for i := range l.results {
		p := l.results[i].peak
		peak = max(peak, p)
		if p > 0 {
			deep++
		}
		if p > 0 && p <= dimmest {
			dim++
		}
	}
	bits, white := whiteOf(peak)
	if white == 0 {
		if dim > 0 {
			note = Note{Format: "%s 16-bit samples of at most %d, nearly black beside others of up to %d",
				Args: []any{text.Count(dim, "picture has", "pictures have"), dimmest, peak}}
		}
		return note, nil
	}
	l.shape.White = white
	note = Note{Format: "%s 16-bit samples of at most %d: read as %d bits, so that %d is white",
		Args: []any{text.Count(deep, "picture has", "pictures have"), peak, bits, white}}
	return note, l.each(ctx, trees, func(r *loaded) bool { return r.peak > 0 })
}

// sideEndings are the endings of small files that may have the label of the picture of that name.
var sideEndings = []string{".cls", ".json", ".txt"}

// maxSideFile bounds such a file.
const maxSideFile = 1 << 16

func isSide(f *tree.File) bool {
	return slices.Contains(sideEndings, strings.ToLower(path.Ext(f.Name)))
}
