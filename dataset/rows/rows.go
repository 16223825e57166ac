package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/format"

	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// magic is what a file begins and ends with.
const magic = "PAR1"

// maxClasses bounds the classes, whose names are in memory.
const maxClasses = 1 << 16

// A File is an open parquet file.
type File struct {
	Rows    int      // with those whose picture is missing
	Classes []string // by label; nil for none
	// Notes are one line each: what was assumed or left out. Next adds one at the end where
	// pictures were missing.
	Notes []string

	r      io.ReaderAt
	size   int64
	limits limits
	meta   format.FileMetaData

	image, name, label *leaf            // name and label are nil where there is none
	splits             []splitLeaf      // columns that say which part of a set a row is of
	texts              map[string]int32 // labels that are texts
	rows               *walk
	row, missing       int
}

// A Row is a picture.
type Row struct {
	Image []byte // the encoded file
	Name  string // its path; empty for none
	Label int32  // -1 for none
	Part  string // "train", "val" or "test" as a column says; empty where none divides the rows
}

// Open reads the metadata of a file of size bytes, finds its columns and names its classes. It
// keeps r, which must be open until the last row was read.
func Open(r io.ReaderAt, size int64) (*File, error) { return open(r, size, usualLimits) }

func open(r io.ReaderAt, size int64, l limits) (f *File, err error) {
	defer recovered(&err)
	f = &File{r: r, size: size, limits: l}
	if err := f.readFooter(); err != nil {
		return nil, err
	}
	list, err := leaves(f.meta.Schema)
	if err != nil {
		return nil, err
	}
	known := features(&f.meta)
	if err := f.findImage(list, known); err != nil {
		return nil, err
	}
	f.findName(list)
	if err := f.findLabel(list, known); err != nil {
		return nil, err
	}
	f.findSplits(list, known)
	columns := []*leaf{f.image, f.name, f.label}
	for _, s := range f.splits {
		columns = append(columns, s.leaf)
	}
	f.rows = f.walk(columns...)
	return f, nil
}

// recovered makes an error of a panic, which a damaged file may lead a library to.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the file is damaged (%v): copy it again", p)
	}
}

// readFooter reads the metadata, which stand at the end of the file behind the data.
func (f *File) readFooter() error {
	var begin, end [8]byte
	if f.size < 12 {
		return errors.New("it is too short for a parquet file: copy it again")
	}
	_, err1 := f.r.ReadAt(begin[:4], 0)
	_, err2 := f.r.ReadAt(end[:], f.size-8)
	switch {
	case err1 != nil:
		return err1
	case err2 != nil && !errors.Is(err2, io.EOF):
		return err2
	case string(end[4:]) == "PARE":
		return errors.New("the parquet file is encrypted: write it without a key")
	case string(begin[:4]) != magic:
		return errors.New("it does not begin as a parquet file does")
	case string(end[4:]) != magic:
		return errors.New("the end of the parquet file is missing: copy it again")
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > f.size-12 || n > f.limits.footer {
		return fmt.Errorf("the parquet file claims metadata of %d bytes: copy it again", n)
	}
	footer := make([]byte, n)
	if _, err := f.r.ReadAt(footer, f.size-8-n); err != nil {
		return err
	}
	if _, err := decode(footer, &f.meta); err != nil {
		return fmt.Errorf("the parquet file: %w: copy it again", err)
	}
	return f.countRows()
}

// countRows adds the rows of the groups up.
func (f *File) countRows() error {
	rows := int64(0)
	for i := range f.meta.RowGroups {
		n := f.meta.RowGroups[i].NumRows
		// A row takes a bit at least. Pictures take far more.
		if rows += n; n < 0 || rows < 0 || rows > min(8*f.size, math.MaxInt32) {
			return errors.New("the parquet file claims more rows than can be counted: copy it again")
		}
	}
	if rows == 0 {
		return errors.New("the parquet file has no row")
	}
	f.Rows = int(rows)
	return nil
}

// findImage finds the column of the pictures: the first that may be it and whose first value is
// one.
func (f *File) findImage(list []*leaf, known map[string]feature) error {
	candidates := pictures(list)
	// What is noted as pictures comes first.
	slices.SortStableFunc(candidates, func(a, b *leaf) int {
		return boolOrder(known[b.path[0]].Type == "Image") - boolOrder(known[a.path[0]].Type == "Image")
	})
	var others []string
	var failed error
	for _, l := range candidates {
		first, err := f.first(l)
		switch {
		case err != nil && failed == nil:
			failed = err
		case err != nil:
		case isPicture(first) && f.image == nil:
			f.image = l
		case isPicture(first):
			others = append(others, l.path[0])
		}
	}
	switch {
	case f.image == nil && failed != nil:
		return failed
	case f.image == nil && paths(list) != "":
		return fmt.Errorf("column %s has no pictures but their paths: open the folder of the pictures, "+
			"or embed them into the file", paths(list))
	case f.image == nil:
		return fmt.Errorf("no column of the parquet file has encoded pictures (PNG, JPEG, …), and numbers are not read as pixels; "+
			"it has %s: save pixels by numpy.savez as images and labels", describe(list))
	case len(others) > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("the pictures of column %s were read, and those of %s left out",
			f.image.path[0], strings.Join(others, ", ")))
	}
	return nil
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// paths returns the column that has the paths of pictures; empty for none.
func paths(list []*leaf) string {
	for _, l := range list {
		if len(l.path) == 2 && l.is(l.path[0], "path") && !l.repeated {
			return l.path[0]
		}
	}
	return ""
}

// firstRows is the number of rows among which the first picture is looked for.
const firstRows = 1000

// first returns the first value of a column of bytes that is not null, nil where there is none.
func (f *File) first(l *leaf) ([]byte, error) {
	w, v := f.walk(l), make([]value, 1)
	for range firstRows {
		if err := w.next(v); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, nil
			}
			return nil, err
		}
		if len(v[0].bytes) > 0 {
			return v[0].bytes, nil
		}
	}
	return nil, nil
}

// findName finds the column of the pictures' names.
func (f *File) findName(list []*leaf) {
	if len(f.image.path) == 2 {
		f.name = find(list, f.image.path[0], "path")
	}
	for _, name := range pathNames {
		if l := find(list, name); f.name == nil && l != nil {
			f.name = l
		}
	}
	if f.name != nil && f.name.kind != format.ByteArray {
		f.name = nil
	}
}

// findLabel finds the column of the labels and names the classes.
func (f *File) findLabel(list []*leaf, known map[string]feature) error {
	best, others := label(list, known)
	if best == nil {
		f.Notes = append(f.Notes, "no column was found that has labels, among "+describe(list)+": the images have no classes")
		return nil
	}
	f.label = best
	if len(others) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("the labels are those of column %s, and those of %s were left out",
			best.name(), strings.Join(others, ", ")))
	}
	if names := known[best.path[0]].Names; len(names) > 0 && best.kind != format.ByteArray {
		if len(names) > maxClasses {
			return fmt.Errorf("column %s has %d classes, more than %d", best.name(), len(names), maxClasses)
		}
		f.Classes = names
		return nil
	}
	return f.survey()
}

// survey reads all labels, and names the classes: by the texts, sorted, or by numbers up to the
// highest.
func (f *File) survey() error {
	w, v := f.walk(f.label), make([]value, 1)
	highest, texts := int64(-1), map[string]int{}
	for {
		err := w.next(v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case v[0].null:
		case f.label.kind == format.ByteArray:
			texts[string(v[0].bytes)]++
		case v[0].number == fraction:
			f.Notes = append(f.Notes, fmt.Sprintf("the numbers of column %s are not labels: the images have no classes", f.label.name()))
			f.label = nil
			return nil
		default:
			highest = max(highest, v[0].number)
		}
		if len(texts) > maxClasses || highest >= maxClasses {
			f.Notes = append(f.Notes, fmt.Sprintf("column %s has more than %d different labels: the images have no classes",
				f.label.name(), maxClasses))
			f.label = nil
			return nil
		}
	}
	f.nameTexts(texts)
	for i := range highest + 1 {
		f.Classes = append(f.Classes, strconv.FormatInt(i, 10))
	}
	if len(f.Classes) == 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("no row has a label in column %s: the images have no classes", f.label.name()))
		f.label = nil
	}
	return nil
}

// nameTexts names the classes by labels that are texts, sorted. counts has them with their rows.
func (f *File) nameTexts(counts map[string]int) {
	missing := tabular.Missing(counts)
	for name := range counts {
		if trimmed := strings.TrimSpace(name); trimmed != "" && !missing[trimmed] {
			f.Classes = append(f.Classes, name)
		}
	}
	slices.SortFunc(f.Classes, text.CompareNatural)
	f.texts = make(map[string]int32, len(f.Classes))
	for i, name := range f.Classes {
		f.texts[name] = int32(i)
	}
	if note := tabular.MissingNote(missing, counts); note != "" {
		f.Notes = append(f.Notes, fmt.Sprintf("column %s: %s", f.label.name(), note))
	}
}

// Next returns the next picture, io.EOF behind the last one. Rows without a picture are passed over
// and counted. What it returns is the caller's.
func (f *File) Next() (row Row, err error) {
	defer recovered(&err)
	v := make([]value, 3+len(f.splits))
	for {
		if err := f.rows.next(v); err != nil {
			return Row{}, f.ended(err)
		}
		f.row++
		if len(v[0].bytes) == 0 {
			f.missing++
			continue
		}
		if len(v[0].bytes) > f.limits.image {
			return Row{}, fmt.Errorf("row %d has a picture of %d bytes, more than %d", f.row, len(v[0].bytes), f.limits.image)
		}
		row = Row{Image: bytes.Clone(v[0].bytes), Name: string(v[1].bytes), Label: -1, Part: f.part(v[3:])}
		if f.label != nil && !v[2].null {
			row.Label, err = f.class(v[2])
		}
		return row, err
	}
}

// ended notes the missing pictures at the end.
func (f *File) ended(err error) error {
	if errors.Is(err, io.EOF) && f.missing > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%s no picture in column %s: left out",
			text.Count(f.missing, "row has", "rows have"), f.image.name()))
		f.missing = 0
	}
	return err
}

// class returns the label that a value means.
func (f *File) class(v value) (int32, error) {
	if f.label.kind == format.ByteArray {
		if label, ok := f.texts[string(v.bytes)]; ok {
			return label, nil
		}
		return -1, nil // it is spelled as missing ones are
	}
	switch n := v.number; {
	case n < 0: // as datasets write for test images without labels
		return -1, nil
	case n >= int64(len(f.Classes)):
		return 0, fmt.Errorf("label %d of row %d is not below %d, the number of classes", n, f.row, len(f.Classes))
	default:
		return int32(n), nil
	}
}
