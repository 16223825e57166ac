package rows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// A leaf is a column that has values.
type leaf struct {
	path     []string
	kind     format.Type
	index    int // in each row group
	optional int // levels at which a value may be missing
	repeated bool
	text     bool
}

func (l *leaf) name() string { return strings.Join(l.path, ".") }

// is reports whether a column has a name, without regard to case, at its top and perhaps below it.
func (l *leaf) is(path ...string) bool {
	return slices.EqualFunc(l.path, path, strings.EqualFold)
}

// leaves lists the columns of a schema, which is a tree in depth-first order.
func leaves(schema []format.SchemaElement) ([]*leaf, error) {
	type node struct {
		leaf
		children int32
	}
	var list []*leaf
	if len(schema) == 0 {
		return nil, errThrift
	}
	open := []node{{children: schema[0].NumChildren.V}}
	for _, e := range schema[1:] {
		for len(open) > 0 && open[len(open)-1].children == 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 || len(open) > maxDepth {
			return nil, errThrift
		}
		parent := &open[len(open)-1]
		parent.children--
		l := leaf{path: append(slices.Clone(parent.path), e.Name), optional: parent.optional, repeated: parent.repeated}
		if e.RepetitionType.Valid && e.RepetitionType.V != format.Required {
			l.optional++
			l.repeated = l.repeated || e.RepetitionType.V == format.Repeated
		}
		if e.NumChildren.V > 0 {
			open = append(open, node{l, e.NumChildren.V})
			continue
		}
		_, isText := e.LogicalType.Value.(*format.StringType)
		l.kind, l.index, l.text = e.Type.V, len(list), isText || e.ConvertedType.Valid && e.ConvertedType.V == 0
		list = append(list, &l)
	}
	return list, nil
}

// What columns are called, the most likely first.
var (
	imageNames = []string{"image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "pixel_values",
		"images", "image_bytes", "img_bytes", "image_data", "data", "content", "bytes"}
	labelNames = []string{"label", "labels", "fine_label", "fine_labels", "class", "class_label", "cls", "target", "y",
		"category", "label_id", "category_id", "digit", "character", "coarse_label"}
	pathNames = []string{"file_name", "filename", "path", "image_path", "__key__", "name"}
)

// pictureMagics are what encoded pictures begin with.
var pictureMagics = []string{"\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF", "BM", "II*\x00", "MM\x00*", "\x00\x00\x00\x0cJXL",
	"\xff\x0a", "\x00\x00\x00 ftyp", "\x00\x00\x00\x1cftyp", "P5", "P6", "qoif"}

func isPicture(data []byte) bool {
	return slices.ContainsFunc(pictureMagics, func(magic string) bool { return strings.HasPrefix(string(data[:min(len(data), 16)]), magic) })
}

// rank returns the place of a name in a list, the length of the list where it is not there.
func rank(names []string, name string) int {
	i := slices.Index(names, strings.ToLower(name))
	if i < 0 {
		return len(names)
	}
	return i
}

// pictures lists the columns that may hold encoded pictures, the most likely first.
func pictures(list []*leaf) []*leaf {
	var found []*leaf
	for _, l := range list {
		last := strings.ToLower(l.path[len(l.path)-1])
		if l.kind == format.ByteArray && !l.repeated && !l.text && (len(l.path) == 1 || last == "bytes") {
			found = append(found, l)
		}
	}
	slices.SortStableFunc(found, func(a, b *leaf) int { return rank(imageNames, a.path[0]) - rank(imageNames, b.path[0]) })
	return found
}

// find returns the column of a path, nil where there is none.
func find(list []*leaf, path ...string) *leaf {
	for _, l := range list {
		if l.is(path...) && !l.repeated {
			return l
		}
	}
	return nil
}

// A feature is what Hugging Face notes on a column.
type feature struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

// features reads the metadata of Hugging Face. What is not a feature of a column is left out.
func features(meta *format.FileMetaData) map[string]feature {
	found := map[string]feature{}
	for _, pair := range meta.KeyValueMetadata {
		if pair.Key != "huggingface" {
			continue
		}
		var info struct {
			Info struct {
				Features map[string]json.RawMessage `json:"features"`
			} `json:"info"`
		}
		if json.Unmarshal([]byte(pair.Value), &info) != nil {
			continue
		}
		for name, raw := range info.Info.Features {
			var one feature
			if json.Unmarshal(raw, &one) == nil {
				found[name] = one
			}
		}
	}
	return found
}

// label finds the column of the labels among columns that can have them, nil for none. others are
// the names of further ones.
func label(list []*leaf, known map[string]feature) (best *leaf, others []string) {
	var found []*leaf
	for _, l := range list {
		named := rank(labelNames, l.path[0]) < len(labelNames) || known[l.path[0]].Type == "ClassLabel"
		if isScalar(l) && named && len(l.path) == 1 && !l.repeated {
			found = append(found, l)
		}
	}
	slices.SortStableFunc(found, func(a, b *leaf) int {
		return rank(labelNames, a.path[0]) - rank(labelNames, b.path[0])
	})
	for _, l := range found[min(1, len(found)):] {
		others = append(others, l.name())
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], others
}

// describe lists columns with their types.
func describe(list []*leaf) string {
	const most = 20
	var all []string
	for i, l := range list {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		kind := map[bool]string{true: "list of ", false: ""}[l.repeated] + strings.ToLower(l.kind.String())
		if l.text {
			kind = "text"
		}
		all = append(all, fmt.Sprintf("%.60s (%s)", l.name(), kind))
	}
	return strings.Join(all, ", ")
}
