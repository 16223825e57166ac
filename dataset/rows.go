package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"

	"github.com/fmimg/fmimg/dataset/rows"
	"github.com/fmimg/fmimg/dataset/tree"
)

// rowEndings are the endings of files of parquet.
var rowEndings = []string{".parquet", ".parq", ".pq"}

// rowFiles returns the files of parquet among those of a tree. One that is named may have any name.
func (p *place) rowFiles(files []*tree.File) []*tree.File {
	var list []*tree.File
	for _, f := range files {
		if f.Err == nil && (slices.Contains(rowEndings, strings.ToLower(path.Ext(f.Name))) || f.Name == p.chosen && isParquet(f)) {
			list = append(list, f)
		}
	}
	return list
}

// isParquet reports whether a file begins as parquet does.
func isParquet(f *tree.File) bool { return string(headOf(f, len(parquetMagic))) == parquetMagic }

const parquetMagic = "PAR1"

// readRows fills a set with the pictures in the rows of files of parquet.
func readRows(ctx context.Context, set *Set, files []*tree.File, o Options) error {
	set.Format = "parquet files"
	if len(files) == 1 {
		set.Format = "parquet file"
	}
	var parts []*rowPart
	var trees []*tree.Tree
	for _, f := range files {
		part, err := newRowPart(f, o.maxBytes())
		if err != nil {
			return notItself([]*tree.File{f}, fmt.Errorf("%s: %w", text.Printable(path.Base(f.Name)), err))
		}
		parts, trees = append(parts, part), append(trees, tree.Sequence("parquet", part.files, part.walk))
	}
	err := readPictures(ctx, set, trees, func() []string {
		set.divideRows(parts)
		var labels []string
		for _, part := range parts {
			labels = append(labels, part.labels...)
		}
		return labels
	}, o)
	seen := map[string]bool{}
	for _, part := range parts {
		for _, note := range part.notes {
			if !seen[note] {
				set.Notes = append(set.Notes, Note{Format: "%s", Args: []any{note}})
			}
			seen[note] = true
		}
	}
	return err
}

// A rowPart is one file of a set of rows. To walk over it finds the names and labels of its rows.
type rowPart struct {
	file    *tree.File
	limit   int64
	files   []*tree.File // one for each row
	labels  []string     // of each row, "" for none
	parts   []string     // of each row as columns say, "" for none
	columns string       // that say it, empty for none
	notes   []string
}

func newRowPart(f *tree.File, limit int64) (*rowPart, error) {
	table, done, err := openRows(f, limit)
	if err != nil {
		return nil, err
	}
	defer done()
	p := &rowPart{file: f, limit: limit, files: make([]*tree.File, table.Rows), labels: make([]string, table.Rows),
		parts: make([]string, table.Rows)}
	for i := range p.files {
		p.files[i] = &tree.File{Name: rowFolder(f.Name) + strconv.Itoa(i)}
	}
	return p, nil
}

// walk calls do for each row that has a picture.
func (p *rowPart) walk(do func(i int, content io.Reader) error) error {
	table, done, err := openRows(p.file, p.limit)
	if err != nil {
		return err
	}
	defer done()
	defer func() { p.notes = table.Notes }()
	p.columns = text.Printable(table.SplitColumns())
	for i, f := range p.files {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", text.Printable(path.Base(p.file.Name)), i, err)
		}
		if row.Name != "" {
			f.Name = rowFolder(p.file.Name) + path.Clean("/" + row.Name)[1:]
		}
		p.parts[i] = row.Part
		if f.Size = int64(len(row.Image)); row.Label >= 0 {
			p.labels[i] = rowClass(table.Classes, row.Label)
		}
		if err := do(i, bytes.NewReader(row.Image)); err != nil {
			return err
		}
	}
	return nil
}

func rowClass(classes []string, label int32) string {
	if int(label) < len(classes) {
		return classes[label]
	}
	return strconv.Itoa(int(label))
}

// rowFolder returns the folder for the rows of a file: Hugging Face's train-00000-of-00002.parquet
// is a part of train, and digits_test.parquet of test.
func rowFolder(name string) string {
	folder, base := path.Split(name)
	first := base
	if i := strings.IndexAny(base, "-_."); i > 0 {
		first = base[:i]
	}
	if _, _, ok := splitOf(first); ok {
		return folder + first + "/"
	}
	return folder + roleFolders[roleIn(strings.TrimSuffix(base, path.Ext(base)))]
}

// roleFolders are the folders of splits.
var roleFolders = map[role]string{toTrain: "train/", toTest: "test/"}

// divideRows moves rows into folders of a split, where columns of their files divide them. Rows
// without such a column are of the part that the name of their file tells, or trained on.
func (s *Set) divideRows(parts []*rowPart) {
	var all [][]role
	var from []string
	for _, p := range parts {
		roles := p.roles()
		all = append(all, roles)
		if p.columns != "" && !slices.Contains(from, p.columns) {
			from = append(from, p.columns)
		}
	}
	switch {
	case len(from) == 0:
	case divided(slices.Concat(all...)):
		for k, p := range parts {
			folder := path.Dir(p.file.Name) + "/"
			for i, f := range p.files {
				f.Name = path.Clean(folder + roleFolders[all[k][i]] + strings.TrimPrefix(f.Name, rowFolder(p.file.Name)))
			}
		}
		s.note("column %s divides the pictures", strings.Join(from, ", "))
	case slices.Contains(slices.Concat(all...), toTest):
		s.note("column %s has no picture to train on, and does not divide", strings.Join(from, ", "))
	}
}

// roles returns what the rows are for.
func (p *rowPart) roles() []role {
	roles := make([]role, len(p.files))
	byName := roleIn(strings.TrimSuffix(path.Base(p.file.Name), path.Ext(p.file.Name)))
	for i, part := range p.parts {
		if part != "" && part != tabular.Train || part == "" && byName == toTest {
			roles[i] = toTest
		}
	}
	return roles
}

// openRows opens a file of parquet. done closes it.
func openRows(f *tree.File, limit int64) (table *rows.File, done func(), err error) {
	r, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = r.Close() }
	at, ok := r.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(r, limit+1))
		done()
		done = func() {}
		if err != nil {
			return nil, nil, err
		}
		if int64(len(data)) > limit {
			return nil, nil, errors.New("too large to be read from inside an archive: unpack it")
		}
		at = bytes.NewReader(data)
	}
	if table, err = rows.Open(at, f.Size); err != nil {
		done()
		return nil, nil, err
	}
	return table, done, nil
}
