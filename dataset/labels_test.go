package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Tables as people write them name the classes of four pictures.
func TestTables(t *testing.T) {
	pictures := []string{"img/a.png", "img/b.png", "img/c.jpg", "img/10.png"}
	for _, c := range []struct {
		name, text string
		want       []string
		note       string
	}{
		{"names and labels", "file,label\na.png,cat\nb.png,dog\nc.jpg,cat\n10.png,dog\n", []string{"cat", "dog", "cat", "dog"},
			"classes from l.csv, column label"},
		{"paths from elsewhere", "path;class\nC:\\data\\img\\a.png;1\nC:\\data\\img\\b.png;2\n/x/img/c.jpg;1\n10.png;2\n",
			[]string{"1", "2", "1", "2"}, "column class"},
		{"no endings, tabs, no header", "a\tcat\nb\tdog\nc\tcat\n10\tdog\n", []string{"cat", "dog", "cat", "dog"}, "column 2"},
		{"spaces", "a.png cat\nb.png dog\nc.jpg cat\n10.png dog\n", []string{"cat", "dog", "cat", "dog"}, "column 2"},
		{"other letter case", "ID,Breed\nA.PNG,pug\nB.PNG,pug\nC.JPG,husky\n10.PNG,husky\n", []string{"pug", "pug", "husky", "husky"}, "column Breed"},
		{"a column for each class", "image,MEL,NV\na,1.0,0.0\nb,0.0,1.0\nc,0.0,1.0\n10,1.0,0.0\n", []string{"MEL", "NV", "NV", "MEL"},
			"2 columns of 0 and 1"},
		{"whole numbers with a fraction", "f,y\na.png,3.0\nb.png,4.0\nc.jpg,3.0\n10.png,4.0\n", []string{"3", "4", "3", "4"}, "column y"},
		{"a picture without a row, a row without a picture", "f,label\na.png,x\nb.png,y\nc.jpg,x\nz.png,y\n", []string{"x", "y", "x", ""},
			"1 picture has no row with a label there"},
		{"several columns", "id,width,label,text\na,3,x,one\nb,3,y,two\nc,3,x,three\n10,3,y,four\n", []string{"x", "y", "x", "y"}, "column label"},
		{"byte order mark, quotes, CRLF", "\ufefffile_name,label\r\n\"a.png\",\"x, y\"\r\nb.png,z\r\nc.jpg,z\r\n10.png,z\r\n",
			[]string{"x, y", "z", "z", "z"}, "column label"},
		{"JSON Lines", "{\"file_name\":\"a.png\",\"label\":0}\n{\"file_name\":\"b.png\",\"label\":1}\n{\"file_name\":\"c.jpg\",\"label\":0}\n{\"file_name\":\"10.png\",\"label\":1}",
			[]string{"0", "1", "0", "1"}, "column label"},
		{"JSON from names to labels", `{"a.png":"x","b.png":"y","c.jpg":"x","10.png":"y"}`, []string{"x", "y", "x", "y"}, "column 2"},
		{"JSON of pairs", `{"labels":[["img/a.png",6],["img/b.png",7],["img/c.jpg",6],["img/10.png",7]]}`, []string{"6", "7", "6", "7"}, "column 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := readTable("l.csv", strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			l := arrange(pictures)
			got, err := l.labelBy(table, pictures)
			if err != nil || !slices.Equal(got, c.want) || !strings.Contains(fmt.Sprint(l.notes), c.note) {
				t.Errorf("labels %q, %v, notes %v", got, err, l.notes)
			}
		})
	}
}

func TestTablesRefused(t *testing.T) {
	pictures := []string{"a.png", "b.png", "c.png"}
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"}, {"\n\n", "the file is empty"}, {"[]", "no rows"},
		{"x,y\n1,2\n3,4\n", "no column of it names the pictures, such as a.png"},
		{"a.png\nb.png\nc.png\n", "no column of labels"}, {"{\"a\":", "unexpected EOF"},
	} {
		table, err := readTable("l.csv", strings.NewReader(c.text))
		if err == nil {
			_, err = arrange(pictures).labelBy(table, pictures)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}

// A column of splits divides the pictures.
func TestTableWithSplits(t *testing.T) {
	pictures := []string{"a.png", "b.png", "c.png"}
	table, err := readTable("l.csv", strings.NewReader("f,label,split\na.png,x,train\nb.png,y,train\nc.png,x,val\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := arrange(pictures)
	if _, err := l.labelBy(table, pictures); err != nil || !slices.Equal(l.roles, []role{toTrain, toTrain, toTest}) {
		t.Errorf("roles %v, %v", l.roles, err)
	}
}

// The whole of a set: labels from where they are, and a word on those that are not read.
func TestLabelsOfPictures(t *testing.T) {
	p := plainPNG(t, 4, 4, red)
	base := func(more map[string][]byte) map[string][]byte {
		files := map[string][]byte{"a.png": p, "b.png": p, "c.png": p, "d.png": p, "e.png": p, "f.png": p}
		for name, content := range more {
			files[name] = content
		}
		return files
	}
	six := func(end string, texts ...string) map[string][]byte {
		files := base(nil)
		for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
			files[name+end] = []byte(texts[i%len(texts)])
		}
		return files
	}
	csv := []byte("f,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\ne.png,x\nf.png,y\n")
	folders := map[string][]byte{"cat/a.png": p, "cat/b.png": p, "dog/c.png": p, "dog/d.png": p}
	for _, c := range []struct {
		name    string
		files   map[string][]byte
		labels  string
		classes []string
		note    string
	}{
		{"a table", base(map[string][]byte{"labels.csv": csv}), "", []string{"x", "y"}, "classes from labels.csv, column label"},
		{"a table that is not wanted", base(map[string][]byte{"labels.csv": csv}), NoLabels, nil, ""},
		{"a table beside folders", map[string][]byte{"cat/a.png": p, "cat/b.png": p, "dog/c.png": p, "dog/d.png": p,
			"labels.csv": csv}, "", []string{"cat", "dog"}, "labels.csv is not read: the folders are the classes"},
		{"folders that are not wanted", folders, NoLabels, nil, ""},
		{"small files", six(".cls", "3", "12"), "", []string{"3", "12"}, "classes from the .cls files"},
		{"objects", six(".json", `{"label": "x", "width": 3}`, `{"label": "y"}`), "", []string{"x", "y"}, "the .json files"},
		{"words", six(".txt", "cat", "dog"), "", []string{"cat", "dog"}, "the .txt files"},
		{"captions", six(".txt", "a cat", "two cats", "a dog", "a hat", "a bed", "no cat"), "", nil,
			"no labels are read from a.txt and 5 other .txt files"},
		{"a table of something else", base(map[string][]byte{"sales.csv": []byte("x,y\n1,2\n")}), "", nil,
			"no labels are read from sales.csv"},
		{"boxes", base(map[string][]byte{"a.xml": []byte("<annotation/>")}), "", nil, "no labels are read from a.xml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := mustOpen(t, write(t, c.files), Options{Labels: c.labels})
			if got := set.Train.Classes(); !slices.Equal(got, c.classes) {
				t.Errorf("classes %q, want %q", got, c.classes)
			}
			if notes := fmt.Sprint(set.Notes); !strings.Contains(notes, c.note) {
				t.Errorf("notes %s, want %q", notes, c.note)
			}
		})
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("f,label\na.png,x\n"))
	f.Add([]byte(`[{"f":"a.png","label":1}]`))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00"))
	f.Add([]byte(`{"labels":[["a.png",[1]],3,null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := readTable("l", strings.NewReader(string(data)))
		if err != nil {
			return
		}
		pictures := []string{"a.png", "b/c.png"}
		labels, err := arrange(pictures).labelBy(table, pictures)
		if err == nil && len(labels) != len(pictures) {
			t.Errorf("%d labels", len(labels))
		}
	})
}
