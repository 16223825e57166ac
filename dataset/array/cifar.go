package array

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// CIFAR's binary versions (https://www.cs.toronto.edu/~kriz/cifar.html) have records of a label, or
// of a coarse and a fine one, and an image. The red, green and blue planes of an image follow each
// other, each row after row.
const (
	cifarSide  = 32
	cifarPlane = cifarSide * cifarSide
	cifarImage = 3 * cifarPlane
)

// A batches is a version of CIFAR: how its files are called and what they hold.
type batches struct {
	format      string
	train, test *regexp.Regexp
	labels      int    // bytes before each image, of which the last is the class
	classes     int    // how many there are
	names       string // the file of their names
	known       []string
	fits        func(f *tree.File) bool // whether a file is one by its content, nil for any
	read        func(v *batches, f *tree.File, m *Images, l Limits) error
}

// versions are the versions of CIFAR and the sets that are saved like it.
var versions = []*batches{
	{format: "CIFAR-10 batches", train: regexp.MustCompile(`^data_batch_\d+\.bin$`),
		test: regexp.MustCompile(`^test_batch\.bin$`), labels: 1, classes: 10, names: "batches.meta.txt",
		known: cifarClasses, read: readBinary},
	{format: "CIFAR-100", train: regexp.MustCompile(`^train\.bin$`), test: regexp.MustCompile(`^test\.bin$`),
		labels: 2, classes: 100, names: "fine_label_names.txt", fits: isCIFAR100, read: readBinary},
	{format: "CIFAR-10 batches of Python", train: regexp.MustCompile(`^(train_)?data_batch_\d+$`),
		test: regexp.MustCompile(`^(test_batch|val_data)$`), names: "batches.meta", fits: isPickle, read: readPickle},
	{format: "CIFAR-100 of Python", train: regexp.MustCompile(`^train$`), test: regexp.MustCompile(`^test$`),
		names: "meta", fits: isPickle, read: readPickle},
}

// findCIFAR finds the versions of CIFAR, one for each folder.
func findCIFAR(files []*tree.File) []Source {
	var list []Source
	folders := newGroups(files)
	seen := map[string]bool{}
	for _, f := range files {
		folder := path.Dir(f.Name)
		if seen[folder] {
			continue
		}
		seen[folder] = true
		for _, v := range versions {
			if source, ok := v.find(folders.all[folder]); ok {
				list = append(list, source)
			}
		}
	}
	return list
}

// find finds a version among the files of one folder.
func (v *batches) find(folder []*tree.File) (Source, bool) {
	var train, test, meta []*tree.File
	for _, f := range plainFirst(folder) {
		base := path.Base(f.Name)
		switch {
		case base == v.names:
			meta = append(meta, f)
		case v.fits != nil && (v.train.MatchString(base) || v.test.MatchString(base)) && !v.fits(f):
		case v.train.MatchString(base):
			train = append(train, f)
		case v.test.MatchString(base):
			test = append(test, f)
		}
	}
	if len(train) == 0 {
		train, test = test, nil
	}
	if len(train) == 0 {
		return Source{}, false
	}
	all := append(append(append([]*tree.File(nil), train...), test...), meta...)
	return Source{Format: v.format, Name: train[0].Name, Files: all,
		Read: func(ctx context.Context, l Limits) (set *Set, err error) {
			defer recovered(&err)
			return v.set(ctx, l, train, test, meta)
		}}, true
}

// set reads batches.
func (v *batches) set(ctx context.Context, l Limits, train, test, meta []*tree.File) (*Set, error) {
	set := &Set{Format: v.format}
	known, err := v.classNames(meta)
	if err != nil {
		return nil, err
	}
	if set.Train, err = v.images(ctx, train, l); err != nil {
		return nil, err
	}
	if test != nil {
		l.MaxBytes = max(l.maxBytes()-int64(len(set.Train.Pixels)), 1)
		if set.Test, err = v.images(ctx, test, l); err != nil {
			return nil, err
		}
		if a, b := set.Train, set.Test; a.Height != b.Height {
			return nil, fmt.Errorf("images to train on have %d pixels a side, those to test on %d: "+
				"do the files belong together?", a.Height, b.Height)
		}
	}
	for _, list := range [][]*tree.File{train, test, meta} {
		set.Files = append(set.Files, list...)
	}
	return set, v.name(set, known)
}

// name names the classes: all that the version has, whether they occur or not.
func (v *batches) name(s *Set, known names) error {
	counts := s.counts()
	if known.list == nil && len(counts) <= len(cifarClasses) && s.Train.Height == cifarSide && v.classes == 0 {
		s.note(v.names + " was not found: the classes got the names of CIFAR-10")
		known.list = cifarClasses
	}
	switch {
	case known.list == nil:
		s.note(v.names + " was not found: classes have numbers for names")
		return s.name(known, &labels{})
	case len(counts) > len(known.list):
		return fmt.Errorf("%s names %s, and the highest label is %d", v.names,
			text.Count(len(known.list), "class", "classes"), len(counts)-1)
	}
	s.Classes = known.list
	s.missing(append(counts, make([]int, len(known.list)-len(counts))...))
	return nil
}

// classNames reads the names of the classes.
func (v *batches) classNames(meta []*tree.File) (names, error) {
	if len(meta) == 0 {
		return names{list: v.known, first: -1}, nil
	}
	read := lines
	if v.classes == 0 {
		read = pickledNames
	}
	list, err := read(meta[0])
	if err == nil && v.classes != 0 && len(list) != v.classes {
		err = fmt.Errorf("%s names %s, want %d", v.names, text.Count(len(list), "class", "classes"), v.classes)
	}
	return names{list: list, from: v.names, first: -1}, err
}

// images joins the images of files.
func (v *batches) images(ctx context.Context, files []*tree.File, l Limits) (*Images, error) {
	m, size := &Images{Channels: 3}, int64(0)
	for _, f := range files {
		size += max(f.Size, 0)
	}
	m.Pixels = make([]byte, 0, min(size, l.maxBytes()))
	for _, f := range files {
		err := ctx.Err()
		if err == nil {
			err = v.read(v, f, m, l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(f.Name), err)
		}
	}
	return m, nil
}

// readBinary adds the records of a file to m. A file without a record is an error. Memory grows
// with the bytes that come in.
func readBinary(v *batches, f *tree.File, m *Images, l Limits) error {
	m.Height, m.Width = cifarSide, cifarSide
	r, _, err := unpacked(f)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	buffered, record := bufio.NewReaderSize(r, 1<<16), make([]byte, v.labels+cifarImage)
	for n := 0; ; n++ {
		got, err := io.ReadFull(buffered, record)
		switch label := int(record[v.labels-1]); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the file is empty: copy it again")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%d bytes after image %d, and each takes %d: "+
				"the file is cut off, copy it again, or it is of another version", got, n, len(record))
		case err != nil:
			return cutOff(fmt.Sprintf("after image %d", n), err)
		case label >= v.classes:
			return fmt.Errorf("label %d of image %d is not below %d: is it a batch of the binary version?",
				label, n, v.classes)
		default:
			if err := m.add(record[v.labels:], int32(label), l); err != nil {
				return err
			}
		}
	}
}

// add adds an image of three planes.
func (m *Images) add(planes []byte, label int32, l Limits) error {
	if int64(len(m.Pixels)+len(planes)) > l.maxBytes() {
		return tooMany(m.Len(), m.Width, m.Height, 3, float64(len(m.Pixels)+len(planes)), l)
	}
	m.Labels = append(m.Labels, label)
	plane := len(planes) / 3
	for i := range plane {
		m.Pixels = append(m.Pixels, planes[i], planes[plane+i], planes[2*plane+i])
	}
	return nil
}

// isCIFAR100 reports whether a file has records of CIFAR-100: its name says little.
func isCIFAR100(f *tree.File) bool {
	const record, looked = 2 + cifarImage, 4
	data := head(f, looked*record)
	for at := 0; at+record <= len(data); at += record {
		if data[at] >= 20 || data[at+1] >= 100 {
			return false
		}
	}
	packed := strings.HasSuffix(f.Name, ".gz")
	return len(data) > 0 && (packed || f.Size%record == 0)
}
