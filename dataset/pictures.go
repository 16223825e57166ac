package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/fmimg/fmimg/internal/option"
)

// openPictureFolder reads the pictures below a folder.
func openPictureFolder(ctx context.Context, path string, o Options) (*Set, error) {
	files, err := listFolder(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	return readPictures(ctx, &Set{Format: "folder of pictures", Path: path}, files, o)
}

// openZip reads the pictures in an archive, without unpacking it.
func openZip(ctx context.Context, path string, o Options) (*Set, error) {
	archive, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	defer func() { _ = archive.Close() }()
	info, err := archive.Stat()
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	files, err := listZip(archive, info.Size(), usualLimits)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	return readPictures(ctx, &Set{Format: "zip of pictures", Path: path}, files, o)
}

// readPictures fills a set with the pictures among the files.
func readPictures(ctx context.Context, set *Set, files []file, o Options) (*Set, error) {
	set.Files = len(files)
	l := &loader{
		files: files, side: cmp.Or(o.Width, defaultSide),
		limits: usualLimits, options: o, room: newRoom(usualLimits.pixels),
	}
	err := l.read(ctx)
	if err == nil {
		err = l.fill(set)
	}
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", set.Path, err)
	}
	return set, nil
}

// A loader reads files of pictures.
type loader struct {
	files   []file
	side    int
	limits  limits
	options Options
	room    *room

	results []loaded // one for each file

	mu   sync.Mutex
	done int
}

// A loaded file has a picture or an error.
type loaded struct {
	picture
	sum uint32 // CRC-32 of the file's bytes
	err error
}

// read reads all files.
func (l *loader) read(ctx context.Context) error {
	// The bound is for the case that all files are pictures. Any other file takes no memory.
	channels := cmp.Or(l.options.Channels, 3)
	if err := checkMemory(len(l.files), l.side, l.side, channels, l.options); err != nil {
		return err
	}
	l.results = make([]loaded, len(l.files))
	return l.options.parallel(ctx, len(l.files), func(i int) {
		l.results[i] = l.load(&l.files[i])
		if f := l.options.Progress; f != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.done++
			f(l.done, len(l.files))
		}
	})
}

func (l *loader) load(f *file) loaded {
	data, err := f.read(l.limits.fileBytes)
	if err != nil {
		return loaded{err: err}
	}
	p, err := readPicture(data, l.side, l.limits.pixels, l.room)
	if err == nil && l.options.Channels == 1 {
		p.pixels = withChannels(p.pixels, 3, 1)
	}
	return loaded{p, crc32.ChecksumIEEE(data), err}
}

// fill makes the set from the results.
func (l *loader) fill(set *Set) error {
	if l.options.Strict {
		for i, p := range l.results {
			if p.err != nil {
				return option.Faultf("%s: %v; leave %v out to go without it",
					Printable(l.files[i].name), p.err, option.Setting{Option: "strict"})
			}
		}
	}
	set.Skipped = l.skipped()
	var names []string
	var good []loaded
	for i, p := range l.results {
		if p.err == nil {
			names, good = append(names, l.files[i].name), append(good, p)
		}
	}
	if len(good) == 0 {
		return l.nothing(set)
	}
	set.Sizes, set.Digest = countSizes(good), digest(names, good)
	l.divide(set, names, good)
	return nil
}

// nothing returns an error that says what there was in place of pictures.
func (l *loader) nothing(set *Set) error {
	if set.Files == 0 {
		return fmt.Errorf("it holds no files: put pictures into it (%s), "+
			"in sub-folders named like their classes if they have any", readableFormats("or"))
	}
	s := set.Skipped[0]
	detail := s.Reason
	if s.Detail != "" {
		detail = s.Detail
	}
	if set.Files == 1 {
		return fmt.Errorf("its only file cannot be used (%s: %s): %s can be read", s.First, detail, readableFormats("and"))
	}
	return fmt.Errorf("none of its %d files can be used (%s: %s): %s can be read",
		set.Files, s.First, detail, readableFormats("and"))
}

// divide makes the sources from the pictures. Where there are folders for training and testing it
// makes two.
func (l *loader) divide(set *Set, names []string, good []loaded) {
	names = trimCommon(names)
	in, parts := partOf(names)
	channels := l.options.Channels
	if channels == 0 {
		channels = 1
		if slices.ContainsFunc(good, func(p loaded) bool { return !p.gray }) {
			channels = 3
		}
	}
	classes := classNames(names, parts)
	s := [2]*labelled{}
	for k, suffix := range []string{"", "/test"} {
		s[k] = &labelled{name: baseName(set.Path) + suffix, h: l.side, w: l.side, c: channels, classes: classes}
	}
	for i, p := range good {
		to := s[0]
		if in[i] {
			to = s[1]
		}
		to.images = append(to.images, withChannels(p.pixels, len(p.pixels)/(l.side*l.side), channels))
		good[i].pixels = nil
		if classes != nil {
			to.labels = append(to.labels, classOf(names[i], parts, classes))
		}
	}
	if set.Train = s[0]; parts {
		set.Test = s[1]
	}
}

// The names of folders that divide the pictures: all files must lie in them.
var (
	trainFolders = []string{"train", "training"}
	testFolders  = []string{"test", "testing", "val", "valid", "validation"}
)

// partOf says of each file whether it is one to test on. parts is false when the folders do not
// divide the files.
func partOf(names []string) (in []bool, parts bool) {
	in = make([]bool, len(names))
	tests := 0
	for i, name := range names {
		top, _, _ := strings.Cut(name, "/")
		top = strings.ToLower(top)
		if in[i] = slices.Contains(testFolders, top); in[i] {
			tests++
		} else if !slices.Contains(trainFolders, top) {
			return make([]bool, len(names)), false
		}
	}
	if tests == len(names) {
		return make([]bool, len(names)), false
	}
	return in, tests > 0
}

// classFolder returns the folder that is the class of a file, "" when the file lies in none.
func classFolder(name string, parts bool) string {
	if parts {
		_, name, _ = strings.Cut(name, "/")
	}
	folder, _, ok := strings.Cut(name, "/")
	if !ok {
		return ""
	}
	return folder
}

// classNames returns the names of the folders at the top, sorted. It is nil when there are none.
func classNames(names []string, parts bool) []string {
	var classes []string
	for _, name := range names {
		if folder := classFolder(name, parts); folder != "" {
			classes = append(classes, folder)
		}
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

func classOf(name string, parts bool, classes []string) int32 {
	if i, ok := slices.BinarySearch(classes, classFolder(name, parts)); ok {
		return int32(i)
	}
	return -1
}

// trimCommon removes the folders that all files lie in, as they are not classes.
func trimCommon(names []string) []string {
	for {
		top, _, ok := strings.Cut(names[0], "/")
		if !ok || slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, top+"/") }) {
			return names
		}
		short := make([]string, len(names))
		for i, name := range names {
			short[i] = name[len(top)+1:]
		}
		names = short
	}
}

// reasons are the errors by which files are counted.
var reasons = []error{errNoPicture, errDamaged, errTooLarge, errFile, errTrick, errLink, errSecret}

// skipped counts the files that cannot be used by their reason, the most frequent reason first.
func (l *loader) skipped() []Skip {
	var list []Skip
	at := map[error]int{}
	for i, p := range l.results {
		if p.err == nil {
			continue
		}
		reason := p.err
		for _, r := range reasons {
			if errors.Is(p.err, r) {
				reason = r
			}
		}
		k, ok := at[reason]
		if !ok {
			k = len(list)
			at[reason] = k
			list = append(list, Skip{Reason: reason.Error(), First: Printable(l.files[i].name)})
			if p.err.Error() != reason.Error() {
				list[k].Detail = Printable(strings.TrimPrefix(p.err.Error(), reason.Error()+": "))
			}
		}
		list[k].Count++
	}
	slices.SortStableFunc(list, func(a, b Skip) int { return b.Count - a.Count })
	return list
}

// Printable returns a name as it is. A name with characters that could control a terminal is
// quoted.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}

// countSizes counts the sizes of the pictures in their files, the most frequent size first.
func countSizes(pictures []loaded) []SizeCount {
	count := map[[2]int]int{}
	for _, p := range pictures {
		count[[2]int{p.width, p.height}]++
	}
	var list []SizeCount
	for size, n := range count {
		list = append(list, SizeCount{size[0], size[1], n})
	}
	slices.SortFunc(list, func(a, b SizeCount) int {
		return cmp.Or(b.Count-a.Count, a.Width-b.Width, a.Height-b.Height)
	})
	return list
}

// digest is a hash of the files. It does not use the pixels, whose last bits depend on the CPU.
func digest(names []string, pictures []loaded) string {
	sum := sha256.New()
	for i, p := range pictures {
		_, _ = fmt.Fprintf(sum, "%q %08x\n", names[i], p.sum) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}
