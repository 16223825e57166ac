package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// maxTable bounds the bytes of a file of labels.
const maxTable = 1 << 28

// tableEndings are the endings of files that may be tables of labels.
var tableEndings = []string{".csv", ".tsv", ".jsonl", ".json", ".txt"}

// readTable reads a file of labels, as its content tells: JSON, JSON Lines, or rows of values
// between commas, semicolons, tabs or spaces.
func readTable(name string, r io.Reader) (*table, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxTable {
		return nil, fmt.Errorf("a file of labels of more than %d MB", maxTable>>20)
	}
	t := &table{path: name}
	if what, cure := filekind.Of(data[:min(len(data), decode.HeadLen)]); cure != "" && len(data) > 0 {
		return nil, fmt.Errorf("it is %s: %s", what, cure)
	}
	if data = utf8Text(data); !utf8.Valid(data) {
		data = tree.FromWindows1252(data)
		t.notes = append(t.notes, option.Say("%s is not in UTF-8, and read as Windows 1252", text.Printable(name)))
	}
	text.UnixLines(data)
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return nil, errors.New("the file is empty")
	case trimmed[0] == '{' || trimmed[0] == '[':
		err = t.readJSON(trimmed)
	default:
		err = t.readRows(withoutComments(data))
	}
	if err == nil && len(t.rows) == 0 {
		err = errors.New("it has no rows")
	}
	return t, err
}

// utf8Text returns text in UTF-8 without a mark at its beginning. Text in UTF-16 has such a mark.
func utf8Text(data []byte) []byte {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return rest
	}
	little := bytes.HasPrefix(data, []byte("\xff\xfe"))
	if !little && !bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return data
	}
	var units []uint16
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		if little {
			units = append(units, uint16(data[0])|uint16(data[1])<<8)
		} else {
			units = append(units, uint16(data[1])|uint16(data[0])<<8)
		}
	}
	return []byte(string(utf16.Decode(units)))
}

// withoutComments leaves out the lines at the beginning that begin with a hash, but for rows of
// pictures whose names do. The last of them may be the header, of which it leaves out the hash.
func withoutComments(data []byte) []byte {
	var comments []string
	rest := data
	for {
		line, behind, more := bytes.Cut(rest, []byte("\n"))
		if line = bytes.TrimSpace(line); !more || len(line) > 0 && line[0] != '#' {
			break
		}
		if len(line) > 0 {
			comments = append(comments, string(line))
		}
		rest = behind
	}
	if len(comments) == 0 || len(bytes.TrimSpace(rest)) == 0 {
		return data
	}
	comma := separator(rest)
	columns := len(firstRow(rest, comma))
	var rows []byte
	for _, line := range comments {
		row := firstRow([]byte(line), comma)
		if len(row) == columns && isFileName(row[0]) && !strings.Contains(row[0], " ") {
			rows = append(rows, line+"\n"...)
		}
	}
	header := strings.TrimLeft(comments[len(comments)-1], "# \t")
	names := firstRow([]byte(header), comma)
	known := &table{header: names}
	if rows == nil && len(names) == columns && (columns > 2 || known.labelColumn(-1) >= 0) &&
		isHeader(names) && !isHeader(firstRow(rest, comma)) {
		rows = []byte(header + "\n")
	}
	return append(rows, rest...)
}

// firstRow returns the values of the first row, nil for none.
func firstRow(data []byte, comma rune) []string {
	row, _ := rowsOf(data, comma).Read() // what is wrong with it is found again
	return row
}

// rowsOf returns a reader of rows of values.
func rowsOf(data []byte, comma rune) *csv.Reader {
	r := csv.NewReader(bufio.NewReader(bytes.NewReader(data)))
	r.Comma = comma
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, false
	r.TrimLeadingSpace = true
	return r
}

// readRows reads rows of values. The first row is the header where it has no value that a later row
// of its column has, and no number.
func (t *table) readRows(data []byte) error {
	r := rowsOf(data, separator(data))
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		t.rows = append(t.rows, row)
	}
	t.dropCount()
	if len(t.rows) > 1 && isHeader(t.rows[0]) {
		t.header, t.rows = t.rows[0], t.rows[1:]
	}
	return nil
}

// dropCount drops a first row that counts the others, as CelebA's files have. The names of columns
// follow, without one for the files.
func (t *table) dropCount() {
	if len(t.rows) < 3 || len(t.rows[0]) != 1 {
		return
	}
	if n, err := strconv.Atoi(t.rows[0][0]); err != nil || n < len(t.rows)-2 {
		return
	}
	t.rows = t.rows[1:]
	for len(t.rows[0]) > 0 && t.rows[0][len(t.rows[0])-1] == "" {
		t.rows[0] = t.rows[0][:len(t.rows[0])-1]
	}
	if len(t.rows[0])+1 == len(t.rows[1]) {
		t.rows[0] = slices.Insert(t.rows[0], 0, "file")
	}
}

// separator returns the character between the values of the first line.
func separator(data []byte) rune {
	line, rest, _ := bytes.Cut(data, []byte("\n"))
	if next, _, _ := bytes.Cut(rest, []byte("\n")); len(bytes.Fields(line)) == 1 && len(bytes.Fields(next)) > 1 {
		line = next // the first line may count the others
	}
	for _, c := range []rune{'\t', ';', ',', '|'} {
		if bytes.ContainsRune(line, c) {
			return c
		}
	}
	return ' '
}

// isHeader reports whether a row has names of columns: no number, and no name of a picture's file.
func isHeader(row []string) bool {
	return !slices.ContainsFunc(row, func(value string) bool {
		_, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil || isFileName(value)
	})
}

// isFileName reports whether a value has an ending as long as those of pictures.
func isFileName(value string) bool {
	ending := path.Ext(value)
	return len(ending) >= 4 && len(ending) <= 5 && !strings.Contains(ending, " ")
}

// readJSON reads objects, of JSON Lines or in a list; an object from names to labels; or the object
// of StyleGAN's dataset.json, whose labels are pairs.
func (t *table) readJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var values []any
	for {
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		values = append(values, v)
	}
	if len(values) == 1 {
		values = t.only(values[0])
	}
	for _, v := range values {
		switch v := v.(type) {
		case map[string]any:
			t.addObject(v)
		case []any:
			row := make([]string, len(v))
			for i, value := range v {
				row[i] = spelled(value)
			}
			t.rows = append(t.rows, row)
		}
	}
	return nil
}

// only returns the rows of a file with one value.
func (t *table) only(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		if list, ok := v["labels"].([]any); ok {
			return list
		}
		if rows := cocoRows(v); rows != nil {
			return rows
		}
		var rows []any
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch label := v[name].(type) {
			case string, json.Number:
				rows = append(rows, []any{name, label})
			case []any: // the pictures of a class, or objects
				for _, value := range label {
					if object, ok := value.(map[string]any); ok {
						rows = append(rows, object)
					} else {
						rows = append(rows, []any{value, name})
					}
				}
			case map[string]any:
				label["file_name"] = name
				rows = append(rows, label)
			}
		}
		return rows
	}
	return nil
}

// cocoRows returns rows of the pictures and the categories of COCO's annotations, nil for another
// object. A picture of several categories has a row without one.
func cocoRows(v map[string]any) []any {
	images, ok1 := v["images"].([]any)
	annotations, ok2 := v["annotations"].([]any)
	categories, ok3 := v["categories"].([]any)
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	names := map[string]string{}
	for _, c := range categories {
		if c, ok := c.(map[string]any); ok {
			names[spelled(c["id"])] = spelled(c["name"])
		}
	}
	of := map[string]string{}
	for _, a := range annotations {
		a, ok := a.(map[string]any)
		if !ok {
			continue
		}
		image, category := spelled(a["image_id"]), names[spelled(a["category_id"])]
		if other, known := of[image]; known && other != category {
			category = ""
		}
		of[image] = category
	}
	rows := []any{}
	for _, image := range images {
		if image, ok := image.(map[string]any); ok {
			rows = append(rows, map[string]any{"file_name": image["file_name"], "category": of[spelled(image["id"])]})
		}
	}
	return rows
}

// addObject adds an object as a row. New keys become columns.
func (t *table) addObject(object map[string]any) {
	row := make([]string, len(t.header))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := slices.Index(t.header, key)
		if at < 0 && len(t.header) < maxColumns {
			at = len(t.header)
			t.header = append(t.header, key)
			row = slices.Insert(row, at, "")
		}
		if at >= 0 {
			row[at] = spelled(object[key])
		}
	}
	t.rows = append(t.rows, row)
}

// maxColumns bounds the columns that objects make.
const maxColumns = 256

// spelled returns a value of JSON as a label, "" for lists and objects.
func spelled(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// tableOf reads a file of a tree as a table.
func tableOf(f *tree.File) (*table, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return readTable(f.Name, r)
}
