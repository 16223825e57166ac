package array

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// ErrApart means that the arrays of several files do not make one set.
var ErrApart = errors.New("they do not make one set")

// Join makes one set of several in files of NumPy: each has a share of the images, the images of a
// class, or one image. Folders or files are the classes where there are no labels. ok is false
// where the sets are of other kinds. Read gives [ErrApart] where their arrays do not fit together.
func Join(list []Source) (joined Source, ok bool) {
	joined = Source{Format: "NumPy arrays"}
	for _, s := range list {
		if s.plan == nil || !strings.HasPrefix(s.Format, "NumPy") {
			return Source{}, false
		}
		joined.Files = append(joined.Files, s.Files...)
	}
	if len(list) < 2 {
		return Source{}, false
	}
	joined.Name = list[0].Name
	return planned(joined, func(r *recipe) error { return r.planJoined(list) }), true
}

// A bundle is the parts to train or to test on that are joined.
type bundle struct {
	sources []Source
	parts   []*part
}

func (b *bundle) add(s Source, p *part) {
	if p != nil {
		b.sources, b.parts = append(b.sources, s), append(b.parts, p)
	}
}

// planJoined plans a set of several.
func (r *recipe) planJoined(list []Source) error {
	var train, test bundle
	seen := map[*tree.File]bool{}
	for _, s := range list {
		one := recipe{}
		err := s.plan(&one)
		r.opened = append(r.opened, one.opened...)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrApart, err)
		}
		train.add(s, one.train)
		test.add(s, one.test)
		for _, f := range one.files {
			if !seen[f] {
				r.files = append(r.files, f)
			}
			seen[f] = true
		}
		for _, note := range one.notes {
			if len(r.notes) < maxListed {
				r.notes = appendNew(r.notes, note)
			}
		}
		if r.names.list == nil {
			r.names = one.names
		}
	}
	if len(train.parts) == 0 {
		train, test = test, bundle{}
	}
	return r.join(&train, &test)
}

// join joins the parts.
func (r *recipe) join(train, test *bundle) error {
	how, class, err := train.meaning(test)
	if err != nil {
		return err
	}
	var classes []string
	if class != nil {
		for _, s := range append(slices.Clone(train.sources), test.sources...) {
			classes = append(classes, class(s))
		}
		slices.SortFunc(classes, text.CompareNatural)
		classes = slices.Compact(classes)
		r.names = names{list: classes, from: "the list of files"}
		how += ", such as " + text.Printable(classes[0])
	}
	r.notes = append([]string{how}, r.notes...)
	if r.train, err = train.joined(classes, class); err != nil || len(test.parts) == 0 {
		return err
	}
	r.test, err = test.joined(classes, class)
	return err
}

// meaning says what the files to train on are to each other, in words for a note. class names the
// class of a source; it is nil where the labels tell it, or nothing does.
func (b *bundle) meaning(test *bundle) (how string, class func(Source) string, err error) {
	labelled, folders := 0, map[string]bool{}
	for _, p := range b.parts {
		if p.labels != nil {
			labelled++
		}
	}
	all := append(slices.Clone(b.sources), test.sources...)
	for _, s := range all {
		folders[s.folder] = true
	}
	how = fmt.Sprintf("the arrays of %d files were joined: ", len(all))
	switch {
	case labelled == len(b.parts):
		return how + "each has a share of the images", nil, nil
	case labelled > 0:
		return "", nil, fmt.Errorf("%w: %d of %d have labels", ErrApart, labelled, len(b.parts))
	case len(folders) > 1 && folders["."]:
		return "", nil, fmt.Errorf("%w: some lie in sub-folders", ErrApart)
	case len(folders) > 1:
		return how + "each folder was taken for a class", func(s Source) string { return path.Base(s.folder) }, nil
	case b.single():
		return how + "each was taken for one picture", nil, nil
	case shares(all):
		return how + "each has a share of the images", nil, nil
	}
	class = classByName(all)
	if slices.ContainsFunc(all, func(s Source) bool { return class(s) == "" || s.onlyTold() }) {
		return "", nil, fmt.Errorf("%w: their names are not those of classes", ErrApart)
	}
	return how + "each file was taken for a class", class, nil
}

// single reports whether each array is one picture: all have the same dimensions, which have no
// place for a count.
func (b *bundle) single() bool {
	first := b.parts[0].pixels.dims
	for _, p := range b.parts {
		if !slices.Equal(p.pixels.dims, first) {
			return false
		}
	}
	switch len(first) {
	case 1:
		return true
	case 2:
		return first[0] == first[1] || side(first[1]) < minSide && (first[1]%3 != 0 || side(first[1]/3) < minSide)
	case 3:
		l, err := arrange(first, false)
		return err == nil && (l.n == 1 || colours(first[0]) && first[0] > 1) || colours(first[2]) && first[2] > 1
	}
	return false
}

// onlyTold reports whether the name of a file says that it has images, and nothing else: what lies
// beside it is not another class.
func (s Source) onlyTold() bool {
	rest, _, _ := words(s.stem)
	return s.told && rest == ""
}

// shares reports whether names differ by a number alone, behind a word: part-0, part-1.
func shares(list []Source) bool {
	word := func(s Source) string { return strings.Trim(s.stem, "0123456789-_. ()") }
	return word(list[0]) != "" && !slices.ContainsFunc(list, func(s Source) bool { return word(s) != word(list[0]) })
}

// classByName names classes by what names of files do not have in common.
func classByName(list []Source) func(Source) string {
	before, behind := list[0].stem, list[0].stem
	for _, s := range list[1:] {
		for !strings.HasPrefix(s.stem, before) {
			before = before[:len(before)-1]
		}
		for !strings.HasSuffix(s.stem, behind) {
			behind = behind[1:]
		}
	}
	// Names have whole words in common.
	other := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	before = before[:strings.LastIndexFunc(before, other)+1]
	if at := strings.IndexFunc(behind, other); at >= 0 {
		behind = behind[at:]
	} else {
		behind = ""
	}
	return func(s Source) string {
		return strings.TrimFunc(strings.TrimSuffix(strings.TrimPrefix(s.stem, before), behind), other)
	}
}
