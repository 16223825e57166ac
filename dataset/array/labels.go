package array

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// maxClasses bounds the classes of a set: one list of names holds them all.
const maxClasses = 1 << 16

// labels are the classes of images, before they are read.
type labels struct {
	name   string  // of the file or array
	values numbers // [N], or [N, k] with the class in column 0
	column bool    // more columns than the first are known to mean something else

	list  []int32 // labels that were read already, instead of values
	runs  []run   // or one label for many images
	notes []string
	none  string // why there are no classes after all

	texts map[string]int32 // labels that are texts, by the number that stands for each
}

// A run is a label that count images have one after the other.
type run struct {
	label int32
	count int
}

// read returns the labels of n images, which are in memory.
func (l *labels) read(n int) ([]int32, error) {
	for _, r := range l.runs {
		l.list = append(l.list, slices.Repeat([]int32{r.label}, min(r.count, n-len(l.list)))...)
	}
	if l.list != nil {
		if len(l.list) != n {
			return nil, fmt.Errorf("%d images, but %d labels: do they belong together?", n, len(l.list))
		}
		return l.list, nil
	}
	a := &l.values
	if a.each == nil {
		if err := a.check(); err != nil {
			return nil, err
		}
	}
	if len(a.dims) == 0 || len(a.dims) > 1 && product(a.dims[2:]) != 1 {
		return nil, fmt.Errorf("labels have dimensions %v, want a count alone", a.dims)
	}
	if a.dims[0] != n {
		return nil, fmt.Errorf("%d images, but %d labels: do the two files belong together?", n, a.dims[0])
	}
	width := 1
	if len(a.dims) > 1 {
		width = a.dims[1]
	}
	switch {
	case a.kind.text && width == 1:
		return l.words(n)
	case a.kind.text:
		return nil, fmt.Errorf("labels have dimensions %v, want a count alone", a.dims)
	case width == 1 || l.column:
		return l.first(n, width)
	case width == 0:
		return nil, fmt.Errorf("labels have dimensions %v: there is none", a.dims)
	}
	return l.hot(n, width)
}

// at returns the image and the column of number k of the file.
func (l *labels) at(k, n, width int) (image, column int) {
	if l.values.fortran {
		return k % n, k / n
	}
	return k / width, k % width
}

// first reads the first column.
func (l *labels) first(n, width int) ([]int32, error) {
	list, k := make([]int32, n), 0
	err := l.values.walk(func(chunk []float64) error {
		for _, v := range chunk {
			image, column := l.at(k, n, width)
			k++
			if column != 0 || l.none != "" {
				continue
			}
			label, err := l.label(image, v)
			if err != nil {
				return err
			}
			list[image] = label
		}
		return nil
	})
	if err != nil || l.none != "" {
		return nil, err
	}
	return list, nil
}

// label checks a label.
func (l *labels) label(image int, v float64) (int32, error) {
	switch {
	case v != math.Trunc(v): // NaN too
		l.none = fmt.Sprintf("the label of image %d is %v, which is not a whole number: "+
			"the images have no classes", image, v)
	case v == -1:
		return -1, nil
	case v < 0 || v >= maxClasses:
		return 0, fmt.Errorf("label %.0f of image %d: labels lie between 0 and %d", v, image, maxClasses-1)
	}
	if l.none != "" {
		return -1, nil
	}
	return int32(v), nil
}

// words reads labels that are texts.
func (l *labels) words(n int) ([]int32, error) {
	list := make([]int32, 0, n)
	l.texts = map[string]int32{}
	size := l.values.kind.size
	return list, l.values.raw(func(part []byte) error {
		for ; len(part) > 0; part = part[size:] {
			name := l.values.kind.string(part[:size])
			label, known := l.texts[name]
			if !known {
				if label = int32(len(l.texts)); label >= maxTexts {
					return fmt.Errorf("more than %d different labels: is it the right array?", maxTexts)
				}
				l.texts[name] = label
			}
			list = append(list, label)
		}
		return nil
	})
}

// maxTexts bounds the labels that are texts. Each may have a kilobyte.
const maxTexts = 1 << 12

// sortTexts numbers the labels that are texts anew, in the order of the names, which it returns.
// Those that stand for a missing label become -1.
func (s *Set) sortTexts(of []*labels) ([]string, error) {
	var all []string
	missing := s.missingTexts(of)
	for i, l := range of {
		if l == nil || l.texts == nil {
			continue
		}
		if other := of[len(of)-1-i]; other != nil && other.texts == nil {
			return nil, fmt.Errorf("the labels of %s are texts, those of %s numbers: save both in one way", l.name, other.name)
		}
		for name := range l.texts {
			if !missing[name] && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.SortFunc(all, text.CompareNatural)
	for i, m := range s.parts() {
		if i >= len(of) || of[i] == nil || of[i].texts == nil {
			continue
		}
		to := make([]int32, len(of[i].texts))
		for name, label := range of[i].texts {
			if to[label] = -1; !missing[name] {
				place, _ := slices.BinarySearchFunc(all, name, text.CompareNatural)
				to[label] = int32(place)
			}
		}
		for k, label := range m.Labels {
			m.Labels[k] = to[label]
		}
	}
	return all, nil
}

// missingTexts finds the texts that stand for a missing label, such as nan.
func (s *Set) missingTexts(of []*labels) map[string]bool {
	counts := map[string]int{}
	for i, m := range s.parts() {
		if i >= len(of) || of[i] == nil || of[i].texts == nil {
			continue
		}
		names := make([]string, len(of[i].texts))
		for name, label := range of[i].texts {
			names[label] = name
		}
		for _, label := range m.Labels {
			counts[names[label]]++
		}
	}
	missing := tabular.Missing(counts)
	s.note(tabular.MissingNote(missing, counts))
	return missing
}

// hot reads rows in which a one stands at the class. Rows with other sums have several classes or
// none, and are left out.
func (l *labels) hot(n, width int) ([]int32, error) {
	list, ones, k := make([]int32, n), make([]byte, n), 0
	err := l.values.walk(func(chunk []float64) error {
		for _, v := range chunk {
			image, column := l.at(k, n, width)
			k++
			if v == 1 && ones[image] < 2 {
				ones[image]++
				list[image] = int32(column)
			} else if v != 0 {
				ones[image] = 2
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if width >= maxClasses || slices.Max(ones) != 1 || slices.Min(ones) != 1 {
		l.none = fmt.Sprintf("%s has %d numbers for each image, which are not one class: the images have no classes", l.name, width)
		return nil, nil
	}
	l.notes = append(l.notes, fmt.Sprintf("the labels are rows of %d numbers: the place of the one was taken for the class", width))
	return list, nil
}

// names are what is known of the names of classes.
type names struct {
	list []string // by label; nil for none
	from string   // the file that has them; empty: they are well known
	path string   // of the set, which may be a well-known one where there is no list
	// first is the label of the first name: 1 where labels begin at 1, as long as no image has
	// label 0. -1 means 1 where the number of names speaks for it.
	first int
	maybe bool // the list may be something else: it has names where there is one for each class
}

// name finds the classes of a set that was read, and notes what is missing. known are the names
// that there are, and of the labels of each part, nil for none.
func (s *Set) name(known names, of ...*labels) error {
	given, labelled := 0, 0
	for _, l := range of {
		if l == nil {
			continue
		}
		given++
		for _, note := range l.notes {
			s.note(note)
		}
		s.note(l.none)
	}
	for _, m := range s.parts() {
		if m.Labels != nil {
			labelled++
		}
	}
	switch labelled {
	case 0:
		if given == 0 {
			s.note("labels were not found" + s.missed(0) + ": the images have no classes")
		}
		return nil
	case len(s.parts()):
	default:
		if s.oneSided(); s.Train.Labels == nil {
			return nil
		}
	}
	counts := s.counts()
	if len(counts) == 0 {
		for _, m := range s.parts() {
			m.Labels = nil
		}
		s.note("every label is -1: the images have no classes")
		return nil
	}
	return s.classes(counts, known)
}

// parts returns the images to train and to test on.
func (s *Set) parts() []*Images {
	if s.Test == nil {
		return []*Images{s.Train}
	}
	return []*Images{s.Train, s.Test}
}

// oneSided gives test images without labels no class. Without labels to train on there are no
// classes.
func (s *Set) oneSided() {
	if s.Train.Labels == nil {
		s.note("labels of the training images were not found" + s.missed(0) + ": the images have no classes")
		s.Test.Labels = nil
		return
	}
	s.note(fmt.Sprintf("labels of the test images were not found%s: %s no class", s.missed(1),
		text.Count(s.Test.Len(), "image has", "images have")))
	s.Test.Labels = slices.Repeat([]int32{-1}, s.Test.Len())
}

// missed names the labels of a part that were looked for, empty where its images tell no name.
func (s *Set) missed(part int) string {
	if part >= len(s.wanted) || s.wanted[part] == "" ||
		slices.ContainsFunc(s.Notes, func(note string) bool { return strings.HasPrefix(note, s.wanted[part]+" was left out") }) {
		return ""
	}
	return " (no " + s.wanted[part] + ")"
}

// labelPairs are the words of labels by those of images, in names of files and arrays.
var labelPairs = map[string]string{
	"images": "labels", "image": "label", "imgs": "labels", "img": "label", "data": "labels", "x": "y",
}

// imageWord matches the first word of images in a name.
var imageWord = regexp.MustCompile(`(?i)(^|[^a-z])(images?|imgs?|data|x)([^a-z]|$)`)

// labelsOf returns how the labels of images would be called, empty where their name tells nothing.
func labelsOf(name string) string {
	start := strings.LastIndex(name, ": ") + 1 // of an array in an .npz
	at := imageWord.FindStringSubmatchIndex(name[start:])
	if at == nil {
		return ""
	}
	from, to := start+at[4], start+at[5]
	word := labelPairs[strings.ToLower(name[from:to])]
	if to-from > 1 && name[from:to] == strings.ToUpper(name[from:to]) {
		word = strings.ToUpper(word)
	}
	return idxDims.ReplaceAllString(name[:from]+word+name[to:], "${1}1")
}

// idxDims matches the number of dimensions in the name of an IDX file.
var idxDims = regexp.MustCompile(`((?i)idx)[2-4]`)

// counts returns the number of images to train on of each label up to the highest. Labels of test
// images count too, as 0.
func (s *Set) counts() []int {
	var counts []int
	for _, m := range s.parts() {
		for _, label := range m.Labels {
			if label < 0 {
				continue
			}
			for int(label) >= len(counts) {
				counts = append(counts, 0)
			}
			if m == s.Train {
				counts[label]++
			}
		}
	}
	return counts
}

// classes names the labels.
func (s *Set) classes(counts []int, known names) error {
	first := known.first
	if first < 0 {
		first = 0
		if !s.has(0) && s.has(1) && len(known.list) != len(counts) {
			first = 1
		}
	}
	if first == 1 && !s.has(0) {
		s.shift()
		counts = counts[1:]
		s.note("labels begin at 1")
	} else {
		first = 0
	}
	if known.list == nil && first == 0 {
		known.list = KnownClasses(known.path, len(counts))
	}
	switch {
	case known.list == nil:
	case known.from == "" && len(known.list) != len(counts):
		known.list = nil // not the set whose names these are
	case known.maybe && len(known.list) != len(counts):
		s.note(fmt.Sprintf("%s was not read: it has %s, and there are %s", known.from,
			text.Count(len(known.list), "line", "lines"), text.Count(len(counts), "class", "classes")))
		known.list = nil
	case len(known.list) < len(counts):
		return fmt.Errorf("%s names %s, and the highest label is %d: give it a line for each class",
			known.from, text.Count(len(known.list), "class", "classes"), len(counts)-1)
	case len(known.list) > len(counts):
		s.note(fmt.Sprintf("%s names %d classes, and the highest label is %d: the names above it were left out",
			known.from, len(known.list), len(counts)-1))
	}
	for i := range counts {
		if known.list != nil {
			s.Classes = append(s.Classes, known.list[i])
		} else {
			s.Classes = append(s.Classes, strconv.Itoa(first+i))
		}
	}
	s.missing(counts)
	return nil
}

// has reports whether an image has a label.
func (s *Set) has(label int32) bool {
	return slices.ContainsFunc(s.parts(), func(m *Images) bool { return slices.Contains(m.Labels, label) })
}

// shift lowers all labels by 1.
func (s *Set) shift() {
	for _, m := range s.parts() {
		for i := range m.Labels {
			m.Labels[i] = max(m.Labels[i]-1, -1)
		}
	}
}

// missing notes the classes without an image to train on.
func (s *Set) missing(counts []int) {
	first, n := "", 0
	for i, count := range counts {
		if count > 0 {
			continue
		}
		if n++; n == 1 {
			first = s.Classes[i]
		}
	}
	switch {
	case n == 1:
		s.note(fmt.Sprintf("class %s has no image to train on", first))
	case n > 1:
		s.note(fmt.Sprintf("%d of %d classes have no image to train on, such as %s", n, len(counts), first))
	}
	unlabelled := 0
	for _, label := range s.Train.Labels {
		if label < 0 {
			unlabelled++
		}
	}
	if unlabelled > 0 && unlabelled < len(s.Train.Labels) {
		s.note(fmt.Sprintf("%s to train on %s no class", text.Count(unlabelled, "image", "images"),
			map[bool]string{true: "has", false: "have"}[unlabelled == 1]))
	}
}
