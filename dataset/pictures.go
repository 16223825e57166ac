package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// A gallery is a set of pictures on its way from files to sources.
type gallery struct {
	set    *Set
	loader *loader
	empty  []string // folders without a file

	// The pictures that could be read. The others are in the set's Skipped.
	names  []string
	files  []int32 // their numbers among the loader's files
	good   []*loaded
	labels []string // the class of each that the format has, "" for none; nil when none has one
}

// readPictures fills a set with the pictures among the files of trees. given returns the class of
// each file, "" for none, when all of them are read; nil for formats without.
func readPictures(ctx context.Context, set *Set, trees []*tree.Tree, given func() []string, o Options) error {
	files := filesOf(trees)
	set.Files = len(files)
	g := &gallery{set: set, loader: newLoader(files, o)}
	for _, t := range trees {
		g.empty = append(g.empty, t.Empty...)
	}
	if err := g.loader.read(ctx, trees); err != nil {
		return err
	}
	note, err := g.loader.brighten(ctx, trees)
	if err != nil {
		return err
	}
	var labels []string
	if given != nil {
		labels = given()
	}
	if err := g.sort(labels); err != nil {
		return err
	}
	if note.Format != "" {
		set.Notes = append(set.Notes, note)
	}
	return g.divide()
}

func filesOf(trees []*tree.Tree) []*tree.File {
	var files []*tree.File
	for _, t := range trees {
		files = append(files, t.Files...)
	}
	return files
}

// sort takes the files apart that could be read. given has the class of each file, or is nil.
func (g *gallery) sort(given []string) error {
	l := g.loader
	for i := range l.results {
		p := &l.results[i]
		if p.err == nil {
			g.names, g.good, g.files = append(g.names, l.files[i].Name), append(g.good, p), append(g.files, int32(i))
			if given != nil {
				g.labels = append(g.labels, given[i])
			}
		}
	}
	if !slices.ContainsFunc(g.labels, func(label string) bool { return label != "" }) {
		g.labels = nil
	}
	if len(g.good) == 0 {
		g.set.Skipped = l.skipped()
		return g.nothing()
	}
	g.set.Sizes, g.set.Digest = countSizes(g.good), digest(g.names, g.good)
	for i, name := range g.names {
		g.set.Contents = append(g.set.Contents, Content{name, g.good[i].sum})
	}
	return nil
}

// checkStrict refuses files that cannot be used, if the options say so.
func (g *gallery) checkStrict() error {
	for i, f := range g.loader.files {
		if err := g.loader.results[i].err; g.loader.options.Strict && err != nil && !errors.Is(err, errUsed) {
			return option.Faultf("%s: %v; leave %v out to go without it",
				text.Printable(f.Name), err, option.Setting{Option: "strict"})
		}
	}
	return nil
}

// nothing returns an error that says what there was in place of pictures.
func (g *gallery) nothing() error {
	set := g.set
	if set.Files == 0 {
		return fmt.Errorf("it holds no files: put pictures into it (%s), "+
			"in sub-folders named like their classes if they have any", decode.Readable("or"))
	}
	s := set.Skipped[0]
	for _, other := range set.Skipped[1:] {
		if worth(other) > worth(s) {
			s = other
		}
	}
	detail := cmp.Or(s.Detail, s.Reason)
	if len(set.Skipped) == 1 && s.Reason == tree.ErrRead.Error() {
		return fmt.Errorf("none of its files can be read (%s: %s): ask their owner for permission, or name another place",
			s.First, detail)
	}
	if set.Files == 1 {
		return fmt.Errorf("its only file cannot be used (%s: %s): %s can be read", s.First, detail, decode.Readable("and"))
	}
	return fmt.Errorf("none of its %d files can be used (%s: %s): %s can be read",
		set.Files, s.First, detail, decode.Readable("and"))
}

// worth says how much a reason tells: a cure the most, and more than a name.
func worth(s Skip) int {
	switch {
	case strings.Contains(s.Detail, ": "):
		return 2
	case s.Detail != "":
		return 1
	}
	return 0
}

// divide makes the sources from the pictures. Where there are folders for training and testing it
// makes two.
func (g *gallery) divide() error {
	l := arrange(g.names)
	l.textOrder = g.loader.options.TextOrder
	labels, err := g.classes(l)
	if err != nil {
		return err
	}
	if err := g.checkStrict(); err != nil {
		return err
	}
	numbers, classes := l.index(labels)
	g.set.Digest = withLabels(g.set.Digest, l, labels)
	channels := g.channels(l)
	g.noteAlpha(l, channels)
	g.noteDark(l)
	h, w := g.loader.shape.Height, g.loader.shape.Width
	s := [2]*labelled{}
	for k, suffix := range []string{"", "/test"} {
		s[k] = &labelled{name: baseName(g.set.Path) + suffix, h: h, w: w, c: channels, classes: classes}
	}
	for i, p := range g.good {
		if l.roles[i] == outside {
			p.pixels = nil
			continue
		}
		to := s[l.roles[i]]
		to.images = append(to.images, withChannels(p.pixels, len(p.pixels)/(h*w), channels))
		p.pixels = nil
		if classes != nil {
			to.labels = append(to.labels, numbers[i])
		}
	}
	if g.set.Train = s[toTrain]; len(s[toTest].images) > 0 {
		g.set.Test = s[toTest]
	}
	g.set.Skipped = append(g.loader.skipped(), l.skipped(g.names)...)
	g.set.Notes = append(g.set.Notes, l.notes...)
	return nil
}

// channels returns the number of channels of the set. What is left out has no say.
func (g *gallery) channels(l *layout) int {
	if c := g.loader.options.Channels; c != 0 {
		return c
	}
	for i, p := range g.good {
		if !p.gray && l.roles[i] != outside {
			return 3
		}
	}
	return 1
}

// noteAlpha says that transparent pixels are drawn over white, and which pictures show nothing.
func (g *gallery) noteAlpha(l *layout, channels int) {
	through, empty := 0, 0
	for i, p := range g.good {
		if p.opaque || l.roles[i] == outside {
			continue
		}
		if through++; p.empty {
			empty++
		}
	}
	if through > 0 && !hasAlpha(channels) {
		l.notes = append(l.notes, g.loader.options.keeping(Note{Format: "%s transparent pixels, which become white",
			Args: []any{text.Count(through, "picture has", "pictures have")}}, channels == 1))
	}
	if empty > 0 {
		l.note("%s transparent all over, and show nothing", text.Count(empty, "picture is", "pictures are"))
	}
}

// darkest is the highest sample of a set that is called nearly black.
const darkest = 31

// noteDark says that pictures are nearly black, such as maps of labels from 0 to 20.
func (g *gallery) noteDark(l *layout) {
	highest, channels := byte(0), g.loader.shape.Channels
	for _, p := range g.good {
		for i, v := range p.pixels {
			if isAlpha := channels%2 == 0 && i%channels == channels-1; !isAlpha {
				highest = max(highest, v)
			}
		}
		if highest > darkest {
			return
		}
	}
	if highest > 0 {
		l.note("no sample is above %d, where 255 is white: all is nearly black", highest)
	}
}

// skipped counts the pictures that are left out for their place.
func (l *layout) skipped(names []string) []Skip {
	s := Skip{Reason: "left out by its place or name"}
	for i, r := range l.roles {
		if r != outside {
			continue
		}
		if s.Count++; s.Count == 1 {
			s.First = shortName(names[i])
		}
	}
	if s.Count == 0 {
		return nil
	}
	return []Skip{s}
}

// reasons are the errors by which files are counted.
var reasons = []error{
	decode.ErrNoPicture, decode.ErrUnsupported, decode.ErrDamaged, decode.ErrTooLarge,
	tree.ErrRead, tree.ErrTrick, tree.ErrNoFile, tree.ErrEncrypted, tree.ErrMethod,
}

// skipped counts the files that cannot be used by their reason, the most frequent reason first.
func (l *loader) skipped() []Skip {
	var list []Skip
	at := map[string]int{}
	for i := range l.results {
		err := l.results[i].err
		if err == nil || errors.Is(err, errUsed) {
			continue
		}
		reason := err.Error()
		for _, r := range reasons {
			if errors.Is(err, r) {
				reason = r.Error()
			}
		}
		k, ok := at[reason]
		if !ok {
			k = len(list)
			at[reason] = k
			list = append(list, Skip{Reason: reason, First: shortName(l.files[i].Name)})
		}
		list[k].Count++
		told := list[k]
		if detail := err.Error(); detail != reason {
			told.First = shortName(l.files[i].Name)
			told.Detail = text.Printable(strings.TrimPrefix(detail, reason+": "))
		}
		if worth(told) > worth(list[k]) {
			list[k] = told
		}
	}
	slices.SortStableFunc(list, func(a, b Skip) int { return b.Count - a.Count })
	return list
}

// longestName bounds the names of files in messages, in bytes.
const longestName = 320

// shortName returns a path for a message. Of a very long one the middle is left out.
func shortName(name string) string {
	if len(name) > longestName {
		head := strings.ToValidUTF8(name[:longestName/2], "")
		name = head + "…" + strings.ToValidUTF8(name[len(name)-longestName/2:], "")
	}
	return text.Printable(name)
}

// countSizes counts the sizes of the pictures in their files, the most frequent size first.
func countSizes(pictures []*loaded) []SizeCount {
	count := map[[2]int32]int{}
	for _, p := range pictures {
		count[[2]int32{p.width, p.height}]++
	}
	var list []SizeCount
	for size, n := range count {
		list = append(list, SizeCount{int(size[0]), int(size[1]), n})
	}
	slices.SortFunc(list, func(a, b SizeCount) int {
		return cmp.Or(b.Count-a.Count, a.Width-b.Width, a.Height-b.Height)
	})
	return list
}

// digest is a hash of the files. It does not use the pixels, whose last bits depend on the CPU.
func digest(names []string, pictures []*loaded) string {
	sum := sha256.New()
	for i, p := range pictures {
		_, _ = fmt.Fprintf(sum, "%q %08x\n", names[i], p.sum) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// withLabels returns the digest of a set whose labels come from elsewhere than its folders: a
// change of labels is a change of the data too.
func withLabels(digest string, l *layout, labels []string) string {
	if !l.told {
		return digest
	}
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, digest) // a hash takes everything
	for i, is := range l.roles {
		label := ""
		if labels != nil {
			label = labels[i]
		}
		_, _ = fmt.Fprintf(sum, "%q %d\n", label, is)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
