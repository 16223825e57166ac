package array

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// row writes 16 pixels that begin at a number, with 0 in the corners.
func row(from int) string {
	var list []string
	for i := range 16 {
		v := from + i
		if i == 0 || i == 15 {
			v = 0
		}
		list = append(list, fmt.Sprint(v))
	}
	return strings.Join(list, ",")
}

// heads are the names of 16 columns of pixels.
func heads(format string) string {
	var list []string
	for i := range 16 {
		list = append(list, fmt.Sprintf(format, i))
	}
	return strings.Join(list, ",")
}

func pixelsFrom(starts ...int) (data []byte) {
	for _, from := range starts {
		for i := range 16 {
			v := byte(from + i)
			if i == 0 || i == 15 {
				v = 0
			}
			data = append(data, v)
		}
	}
	return data
}

func TestTables(t *testing.T) {
	twoLines := "1," + row(10) + "\n0," + row(200) + "\n"
	spaced := strings.ReplaceAll(row(10), ",", " ") + "|" + strings.ReplaceAll(row(200), ",", " ")
	first, second, _ := strings.Cut(spaced, "|")
	for name, text := range map[string]string{
		"Kaggle":             "label," + heads("pixel%d") + "\n" + twoLines,
		"Zalando":            "label," + heads("pixel%d") + "\r\n" + strings.ReplaceAll(twoLines, "\n", "\r\n"),
		"no header":          twoLines,
		"label last":         row(10) + ",1\n" + row(200) + ",0\n",
		"last, named":        heads("%d") + ",class\n" + row(10) + ",1\n" + row(200) + ",0\n",
		"index":              ",label," + heads("1x%d") + "\n0,1," + row(10) + "\n1,0," + row(200) + "\n",
		"quoted":             `"label","` + strings.ReplaceAll(heads("p%d"), ",", `","`) + "\"\n\"1\"," + row(10) + "\n0," + row(200) + "\n",
		"semicolons":         strings.ReplaceAll(twoLines, ",", ";"),
		"tabs":               strings.ReplaceAll(twoLines, ",", "\t"),
		"floats":             strings.ReplaceAll(twoLines, ",", ".0,"),
		"byte order mark":    "\ufefflabel," + heads("pixel%d") + "\n" + twoLines + "\n\n",
		"commas in floats":   strings.ReplaceAll(strings.ReplaceAll(twoLines, ",", ",0;"), "\n", ",0\n"),
		"a missing value":    "label," + heads("pixel%d") + ",age\n1," + row(10) + ",\n0," + row(200) + ",12\n",
		"old Mac":            strings.ReplaceAll("label,"+heads("pixel%d")+"\n"+twoLines, "\n", "\r"),
		"old Mac and others": "label," + heads("pixel%d") + "\r1," + row(10) + "\r\r0," + row(200) + "\n",
		"a row taken out":    "#1," + row(70) + "\n" + twoLines,
		"comments":           "# by hand\n\n# 2, 3\nlabel," + heads("pixel%d") + "\n" + twoLines,
		"comments alone":     "# by hand\n" + twoLines,
		"NumPy's header":     "# label," + heads("pixel%d") + "\n" + twoLines,
		"FER, comment":       "# emotions, 2013\nemotion,pixels\n1," + first + "\n0," + second + "\n",
		"FER2013":            "emotion,pixels\n1," + first + "\n0," + second + "\n",
		"FER, quoted":        "emotion,pixels\n1,\"" + first + "\"\n0,\"" + second + "\"\n",
		"FER, no header":     "1," + first + "\n0," + second + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			for end, data := range map[string][]byte{".csv": []byte(text), ".CSV.GZ": gz(t, []byte(text))} {
				set := mustRead(t, map[string][]byte{"a" + end: data})
				if m := set.Train; !bytes.Equal(m.Pixels, pixelsFrom(10, 200)) || m.Height != 4 || !slices.Equal(m.Labels, []int32{1, 0}) ||
					len(set.Classes) != 2 || set.Test != nil {
					t.Errorf("%s: %+v", end, m)
				}
				checkNotes(t, set, "squares of 4x4")
				if noted(set, "label") {
					t.Errorf("notes %q", set.Notes)
				}
			}
		})
	}
}

// Where corners vary too, the column with the lower numbers has the labels. Columns that are not
// read are named.
func TestTableColumns(t *testing.T) {
	noisy := strings.Replace(row(10), "0,", "77,", 1) + ",2\n" + strings.Replace(row(200), "0,", "99,", 1) + ",0\n"
	set := mustRead(t, map[string][]byte{"a.csv": []byte(noisy)})
	if !slices.Equal(set.Train.Labels, []int32{2, 0}) || set.Train.Pixels[0] != 77 {
		t.Errorf("labels %v, pixels %v", set.Train.Labels, set.Train.Pixels)
	}
	checkNotes(t, set, "the last column was taken for the label")
	set = mustRead(t, map[string][]byte{"a.csv": []byte("age,gender,pixels\n1,0," + strings.ReplaceAll(row(10), ",", " ") + "\n")})
	checkNotes(t, set, "columns that are not read: age, gender")
	_, err := readOne(t, map[string][]byte{"a.csv": []byte("label," + heads("pixel%d") + "\n1," + strings.Replace(row(10), ",", ",NA", 1) + "\n")})
	refused(t, err, "row 2: column 3: \"NA11\" is not a number")
	set = mustRead(t, map[string][]byte{"m_train/m_train.csv": []byte("1," + row(10) + "\n"), "m_test/m_test.csv": []byte("0," + row(20) + "\n")})
	if set.Test == nil {
		t.Error("tables in folders of their own are not one set")
	}
}

// Tables of anything else are not sets of arrays.
func TestOtherTables(t *testing.T) {
	wide := "radius,texture," + strings.Repeat("area,", 14) + "label\n" + row(3) + ",1\n"
	for name, text := range map[string]string{
		"labels": "file,label\na.png,1\nb.png,0\n", "names": "cat\ndog\n", "empty": "", "measurements": wide,
		"few": "1,2,3,4,5\n", "texts": "label,a,b,c\nx,y,z,w\n", "captions": "file_name,text\na.png,\"a cat, 2 dogs\"\n",
		"two texts": "a,b," + row(3) + "\n", "header alone": "label," + heads("pixel%d") + "\n", "uneven": "1," + row(1) + "\n2,3\n",
		"coordinates": "id,points\n1,3 4\n", "binary": string(count(200)),
	} {
		if found := Find(files(map[string][]byte{"a.csv": []byte(text)})); len(found) != 0 {
			t.Errorf("%s is found as %s", name, found[0].Format)
		}
	}
}

func TestTablesOfParts(t *testing.T) {
	train, test := "1,"+row(10)+"\n0,"+row(200)+"\n", "1,"+row(50)+"\n1,"+row(60)+"\n"
	set := mustRead(t, map[string][]byte{"mnist_train.csv": []byte(train), "mnist_test.csv": []byte(test)})
	if !slices.Equal(set.Test.Labels, []int32{1, 1}) || !bytes.Equal(set.Test.Pixels, pixelsFrom(50, 60)) || len(set.Files) != 2 {
		t.Errorf("%+v", set.Test)
	}
	set = mustRead(t, map[string][]byte{"train.csv": []byte("label," + heads("pixel%d") + "\n" + train),
		"test.csv": []byte(heads("pixel%d") + "\n" + row(50) + "\n")})
	checkNotes(t, set, "labels of the test images were not found: 1 image has no class")
	spaced := strings.ReplaceAll(row(10), ",", " ")
	fer := "emotion,pixels,Usage\n"
	for i, usage := range []string{"Training", "PublicTest", "PrivateTest", "Training"} {
		fer += fmt.Sprintf("%d,%s,%s\n", i, spaced, usage)
	}
	set = mustRead(t, map[string][]byte{"fer2013.csv": []byte(fer)})
	if !slices.Equal(set.Train.Labels, []int32{0, 3}) || !slices.Equal(set.Test.Labels, []int32{2}) {
		t.Errorf("labels %v and %v", set.Train.Labels, set.Test.Labels)
	}
	checkNotes(t, set, "left out: 1 row of fer2013.csv for validation")
	if found := Find(files(map[string][]byte{"a/x.csv": []byte(train), "a/z.csv": []byte(train)})); len(found) != 2 {
		t.Errorf("%d sets, want 2", len(found))
	}
}

// A column of parts divides the rows, however it is called and spelled.
func TestTableWithColumnOfParts(t *testing.T) {
	table := func(header string, values ...string) map[string][]byte {
		text := header + ",label," + heads("pixel%d") + "\n"
		for i, value := range values {
			text += fmt.Sprintf("%s,%d,%s\n", value, i, row(10*i))
		}
		return map[string][]byte{"a.csv": []byte(text)}
	}
	for _, c := range []struct {
		content     map[string][]byte
		train, test []int32
		note        string
	}{
		{table("split", "train", "train", "test"), []int32{0, 1}, []int32{2}, ""},
		{table("is_train", "1", "0", "1"), []int32{0, 2}, []int32{1}, ""},
		{table("partition", "0", "1", "2"), []int32{0}, []int32{2}, "0 was taken for training, 1 for validation"},
		{table("subset", "train", "extra", "test", "train"), []int32{0, 1, 3}, []int32{2}, "trained on: extra (1)"},
		{table("split", "0", "1", "1"), []int32{0, 1, 2}, nil, "a.csv: the column of parts: whether 0 or 1"},
		{table("fold", "0", "1", "2"), []int32{0, 1, 2}, nil, "folds are not read"},
		{table("set", "a", "b", "c"), []int32{0, 1, 2}, nil, "its values (a, b, c) are not parts"},
	} {
		set := mustRead(t, c.content)
		var test []int32
		if set.Test != nil {
			test = set.Test.Labels
		}
		if !slices.Equal(set.Train.Labels, c.train) || !slices.Equal(test, c.test) || c.note != "" && !noted(set, c.note) {
			t.Errorf("labels %v and %v, notes %q; want %v, %v, %q", set.Train.Labels, test, set.Notes, c.train, c.test, c.note)
		}
	}
	// A file that is called like a part may have rows of others.
	content := table("split", "train", "train", "val")
	content["train.csv"] = content["a.csv"]
	delete(content, "a.csv")
	if set := mustRead(t, content); !slices.Equal(set.Train.Labels, []int32{0, 1}) || set.Test == nil || !slices.Equal(set.Test.Labels, []int32{2}) {
		t.Errorf("train %+v, test %+v", set.Train, set.Test)
	}
}

// Labels that are missing in words are none, and numbers beside them stay numbers.
func TestMissingLabels(t *testing.T) {
	set := mustRead(t, map[string][]byte{"a.csv": []byte("label," + heads("pixel%d") + "\n0," + row(10) + "\nnan," + row(20) + "\n1," + row(30) + "\n")})
	if !slices.Equal(set.Train.Labels, []int32{0, -1, 1}) || !slices.Equal(set.Classes, []string{"0", "1"}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	checkNotes(t, set, "counted as without a label: nan (1)")
	set = mustRead(t, map[string][]byte{"a.csv": []byte("label," + heads("pixel%d") + "\nnone," + row(10) + "\nNone," + row(20) + "\ncat," + row(30) + "\n")})
	if !slices.Equal(set.Classes, []string{"cat", "none"}) || !slices.Equal(set.Train.Labels, []int32{1, -1, 0}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	set = mustRead(t, map[string][]byte{"x.npy": two, "y.npy": npyOf("|S3", "(2,)", []byte("catnan"))})
	if !slices.Equal(set.Classes, []string{"cat"}) || !slices.Equal(set.Train.Labels, []int32{0, -1}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	checkNotes(t, set, "counted as without a label: nan (1)")
}

func TestTableLabels(t *testing.T) {
	set := mustRead(t, map[string][]byte{"a.csv": []byte("dog," + row(10) + "\ncat," + row(20) + "\ndog," + row(30) + "\n")})
	if !slices.Equal(set.Classes, []string{"cat", "dog"}) || !slices.Equal(set.Train.Labels, []int32{1, 0, 1}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	set = mustRead(t, map[string][]byte{"a.csv": []byte("label," + heads("pixel%d") + "\n1," + row(10) + "\n," + row(20) + "\n")})
	if !slices.Equal(set.Train.Labels, []int32{1, -1}) {
		t.Errorf("labels %v", set.Train.Labels)
	}
	set = mustRead(t, map[string][]byte{"a.csv": []byte("90000," + row(10) + "\n8000," + row(20) + "\n90000," + row(30) + "\n")})
	if !slices.Equal(set.Classes, []string{"8000", "90000"}) {
		t.Errorf("classes %q", set.Classes)
	}
	// Both columns at the ends differ: the first is taken, with a note.
	set = mustRead(t, map[string][]byte{"a.csv": []byte("1," + row(10) + "\n1," + row(20) + "\n")})
	checkNotes(t, set, "the first column was taken for the label")
}

// RGB in a row, EMNIST's columns, and numbers in [0,1].
func TestTableKinds(t *testing.T) {
	rgb := "0"
	for i := range 48 {
		rgb += fmt.Sprint(",", i)
	}
	set := mustRead(t, map[string][]byte{"a.csv": []byte("label," + strings.Trim(strings.Repeat("p1,", 48), ",") + "\n" + rgb + "\n")})
	if set.Train.Channels != 3 || set.Train.Height != 4 {
		t.Errorf("%+v", set.Train)
	}
	checkNotes(t, set, "in RGB, as planes")
	set = mustRead(t, map[string][]byte{"emnist-letters-train.csv": []byte("1," + row(10) + "\n2," + row(20) + "\n")})
	if set.Train.Pixels[1] != 14 || set.Train.Pixels[4] != 11 {
		t.Errorf("pixels %v", set.Train.Pixels)
	}
	checkNotes(t, set, "turned upright")
	unit := strings.NewReplacer("200", "1", "2", "0.5").Replace("1,0,2,2,200,2,2,2,2,2,2,2,2,2,2,2,0")
	set = mustRead(t, map[string][]byte{"a.csv": []byte(unit + "\n" + unit + "\n")})
	if set.Train.Pixels[1] != 128 || set.Train.Pixels[3] != 255 {
		t.Errorf("pixels %v, %q", set.Train.Pixels, set.Notes)
	}
}

// noise returns numbers that tell nothing by themselves.
func noise(n int) []byte {
	data, r := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.IntN(256))
	}
	return data
}

// The names of columns tell which numbers are red, green and blue, whatever the numbers look like.
func TestTableOfColours(t *testing.T) {
	want := noise(2 * 48)
	words := []string{"red", "green", "blue"}
	for name, column := range map[string]func(i int) (name string, pixel, channel int){
		"planes":           func(i int) (string, int, int) { return fmt.Sprint("rgb"[i/16:][:1], i%16), i % 16, i / 16 },
		"planes from blue": func(i int) (string, int, int) { return fmt.Sprint("bgr"[i/16:][:1], "_", i%16), i % 16, 2 - i/16 },
		"pixels":           func(i int) (string, int, int) { return fmt.Sprint("RGB"[i%3:][:1], i/3), i / 3, i % 3 },
		"words":            func(i int) (string, int, int) { return fmt.Sprint(words[i/16], i%16), i % 16, i / 16 },
		"places, colour last": func(i int) (string, int, int) {
			return fmt.Sprint("px_", i%16/4, "_", i%4, "_", "rgb"[i/16:][:1]), i % 16, i / 16
		},
		"a word before": func(i int) (string, int, int) { return fmt.Sprint("pixel_", "rgb"[i%3:][:1], i/3), i / 3, i % 3 },
	} {
		names, rows := []string{"label"}, [][]string{{"0"}, {"1"}}
		for i := range 48 {
			head, pixel, channel := column(i)
			names = append(names, head)
			for k := range rows {
				rows[k] = append(rows[k], fmt.Sprint(want[48*k+3*pixel+channel]))
			}
		}
		text := strings.Join(names, ",") + "\n" + strings.Join(rows[0], ",") + "\n" + strings.Join(rows[1], ",") + "\n"
		set := mustRead(t, map[string][]byte{"a.csv": []byte(text)})
		if m := set.Train; !bytes.Equal(m.Pixels, want) || m.Channels != 3 || !slices.Equal(m.Labels, []int32{0, 1}) {
			t.Errorf("%s: %+v", name, m)
		}
		checkNotes(t, set, "rows of 48 pixels were taken for squares of 4x4 in RGB, by the names of their columns")
	}
}

// Columns of alpha make RGBA, though the numbers of a row are a square of gray pixels too.
func TestTableOfAlpha(t *testing.T) {
	want := noise(64)
	for name, column := range map[string]func(i int) (name string, pixel, channel int){
		"planes": func(i int) (string, int, int) { return fmt.Sprint("rgba"[i/16:][:1], i%16), i % 16, i / 16 },
		"pixels": func(i int) (string, int, int) { return fmt.Sprint(i/4, "_", "RGBA"[i%4:][:1]), i / 4, i % 4 },
		"words": func(i int) (string, int, int) {
			return fmt.Sprint([]string{"red", "green", "blue", "alpha"}[i%4], i/4), i / 4, i % 4
		},
	} {
		names, row := []string{"label"}, []string{"0"}
		for i := range 64 {
			head, pixel, channel := column(i)
			names, row = append(names, head), append(row, fmt.Sprint(want[4*pixel+channel]))
		}
		table := files(map[string][]byte{"a.csv": []byte(strings.Join(names, ",") + "\n" + strings.Join(row, ",") + "\n")})
		set, err := Find(table)[0].Read(t.Context(), Limits{Alpha: true})
		if err != nil {
			t.Fatal(err)
		}
		if m := set.Train; !bytes.Equal(m.Pixels, want) || m.Channels != 4 || m.Width != 4 || m.Height != 4 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	gray := []byte("label," + strings.Trim(fmt.Sprintln(strings.Repeat("a1,", 64)), ",\n") + "\n0" + strings.Repeat(",7", 64) + "\n")
	if m := mustRead(t, map[string][]byte{"a.csv": gray}).Train; m.Channels != 1 || m.Width != 8 {
		t.Errorf("columns that begin with a: %dx%d, %d channels", m.Width, m.Height, m.Channels)
	}
}

// Without such names a table and an array of the same rows are taken in the same way, and a guess
// is called so.
func TestTableAndArrayAgree(t *testing.T) {
	const rows, row = looked + 4, 3 * 32 * 32
	data := noise(rows * row)
	var text strings.Builder
	for i, v := range data {
		end := ","
		if (i+1)%row == 0 {
			end = "\n"
		}
		fmt.Fprint(&text, v, end)
	}
	table := mustRead(t, map[string][]byte{"a.csv": []byte(text.String())})
	array := mustRead(t, map[string][]byte{"x.npy": npyOf("|u1", fmt.Sprintf("(%d, %d)", rows, row), data)})
	if !bytes.Equal(table.Train.Pixels, array.Train.Pixels) {
		t.Error("other pixels")
	}
	checkNotes(t, table, "which is a guess: call the columns r0, g0, b0 and so on")
	checkNotes(t, array, "which is a guess: save the array with the dimensions count, height, width and 3")
}

// Rows may be longer than what is read of a file at first.
func TestLongRows(t *testing.T) {
	long := "1" + strings.Repeat(",200", 192*192)
	set := mustRead(t, map[string][]byte{"a.csv": []byte(long + "\n" + long + "\n")})
	if set.Train.Len() != 2 || set.Train.Height != 192 {
		t.Errorf("%d images of %d rows", set.Train.Len(), set.Train.Height)
	}
}

func TestTablesRefused(t *testing.T) {
	good := strings.Repeat("1,"+row(10)+"\n0,"+row(20)+"\n", 8)
	for words, more := range map[string]string{
		"row 17: column 3: \"x\" is not a number":        "1,0,x,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n",
		"row 17: 3 pixels, want 16":                      "1,2,3,4\n",
		"row 17: column 3: an empty field where a pixel": "1,0,,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n",
		"label \"-7\" of image 16":                       "-7," + row(3) + "\n",
		"element [16 1] is NaN":                          "1,0,NaN,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n",
		"a row has more than 4194304 bytes":              "1," + strings.Repeat(" ", maxLine),
	} {
		_, err := readOne(t, map[string][]byte{"a.csv": []byte(good + more)})
		refused(t, err, words)
	}
}
