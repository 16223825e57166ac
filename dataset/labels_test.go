package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
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
		{"words among others in the name of a column", "Image Index,Sex,Finding Labels,Label Confidence\na,M,x,1\nb,F,y,2\nc,M,x,3\n10,M,y,4\n",
			[]string{"x", "y", "x", "y"}, "column Finding Labels"},
		{"numbers and names of the same classes", "a.png,0,cat\nb.png,1,dog\nc.jpg,0,cat\n10.png,1,dog\n", []string{"cat", "dog", "cat", "dog"}, "column 3"},
		{"Windows 1252", "f;label\na;\xe4\nb;\xfc\nc;\xe4\n10;\xfc\n", []string{"ä", "ü", "ä", "ü"}, "l.csv is not in UTF-8, and read as Windows 1252"},
		{"a row that counts, columns without the files", "4\nBlack Smiling\na.png  1 -1\nb.png -1  1\nc.jpg  1 -1\n10.png -1  1\n",
			[]string{"Black", "Smiling", "Black", "Smiling"}, "2 columns of 0 and 1"},
		{"two labels of one picture", "f,label\na,x\na,y\nb,x\nc,y\n10,x\n", []string{"y", "x", "y", "x"},
			"1 row gives a picture another label than an earlier row: the last one counts"},
		{"pictures of each class", `{"x":["img/a","img/c"],"y":["img/b","img/10"]}`, []string{"x", "y", "x", "y"}, "column 2"},
		{"categories of COCO", `{"images":[{"id":7,"file_name":"a.png"},{"id":8,"file_name":"b.png"},{"id":9,"file_name":"c.jpg"}],
			"annotations":[{"image_id":7,"category_id":1},{"image_id":7,"category_id":1},{"image_id":8,"category_id":2},
			{"image_id":9,"category_id":1},{"image_id":9,"category_id":2}],"categories":[{"id":1,"name":"x"},{"id":2,"name":"y"}]}`,
			[]string{"x", "y", "", ""}, "column category"},
		{"numbers that lost zeros", "id,label\na,x\nb,y\nc,x\n10,y\n7,y\n", []string{"x", "y", "x", "y"}, "1 row has no picture"},
		{"addresses", "u,label\nhttps://x/y/a.png?s=1,x\nhttps://x/y/b.png?s=1,y\nc.jpg,x\n10.png,y\n", []string{"x", "y", "x", "y"}, "column label"},
		{"labels that are names of pictures too", "f,label\na,10\nb,10\nc,10\nz,10\n", []string{"10", "10", "10", ""}, "column label"},
		{"objects below a key", `{"v":1,"data":[{"f":"a","label":"x"},{"f":"b","label":"y"},{"f":"c","label":"x"},{"f":"10","label":"y"}]}`,
			[]string{"x", "y", "x", "y"}, "column label"},
		{"bars", "f|label\na|x\nb|y\nc|x\n10|y\n", []string{"x", "y", "x", "y"}, "column label"},
		{"few of the rows", "f,label\na,x\n" + strings.Repeat("z,y\n", 50), []string{"x", "", "", ""}, "50 rows have no picture"},
		{"JSON Lines", "{\"file_name\":\"a.png\",\"label\":0}\n{\"file_name\":\"b.png\",\"label\":1}\n{\"file_name\":\"c.jpg\",\"label\":0}\n{\"file_name\":\"10.png\",\"label\":1}",
			[]string{"0", "1", "0", "1"}, "column label"},
		{"JSON from names to labels", `{"a.png":"x","b.png":"y","c.jpg":"x","10.png":"y"}`, []string{"x", "y", "x", "y"}, "column 2"},
		{"line ends of the old Mac", "file,label\ra.png,x\rb.png,y\rc.jpg,x\r10.png,y\r", []string{"x", "y", "x", "y"}, "column label"},
		{"lines of comments", "# made by hand\n#\n\n# 2024, twice\nfile,label\na.png,x\nb.png,y\nc.jpg,x\n10.png,y\n",
			[]string{"x", "y", "x", "y"}, "column label"},
		{"comments above rows", "# list of pictures, by hand\na.png,x\nb.png,y\nc.jpg,x\n10.png,y\n", []string{"x", "y", "x", "y"}, "column 2"},
		{"a header behind a hash", "# see also c.txt\n#file species\na.png x\nb.png y\nc.jpg x\n10.png y\n",
			[]string{"x", "y", "x", "y"}, "column species"},
		{"comments and line ends of the old Mac", "#1\r# f;label\ra.png;x\rb.png;y\rc.jpg;x\r10.png;y", []string{"x", "y", "x", "y"}, "column label"},
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

// A picture whose name begins with a hash is not a comment.
func TestTableOfHashes(t *testing.T) {
	pictures := []string{"#1.png", "#2.png", "c.png"}
	for _, text := range []string{"#1.png,x\n#2.png,y\nc.png,x\n", "# of hashes\n#1.png,x\n#2.png,y\nc.png,x\n", "f,label\n#1.png,x\n#2.png,y\nc.png,x\n"} {
		table, err := readTable("l.csv", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := arrange(pictures).labelBy(table, pictures); err != nil || !slices.Equal(got, []string{"x", "y", "x"}) {
			t.Errorf("%q: labels %q, %v", text, got, err)
		}
	}
}

// macOS stores an accent apart from its letter, and most tables have them together. Where two
// pictures differ by that alone, a table means the one that it spells.
func TestTableOfAccents(t *testing.T) {
	const together, apart = "caf\u00e9", "cafe\u0301"
	for _, c := range []struct {
		pictures []string
		rows     string
		want     []string
	}{
		{[]string{apart + "/1.png", "b.png"}, together + "/1.png,x\nb.png,y\n", []string{"x", "y"}},
		{[]string{together + ".png", "b.png"}, "/photos/" + apart + ".png,x\nb.png,y\n", []string{"x", "y"}},
		{[]string{"CAFE\u0301.png", "b.png"}, together + ",x\nb.png,y\n", []string{"x", "y"}},
		{[]string{together + ".png", apart + ".png"}, apart + ".png,x\n" + together + ".png,y\n", []string{"y", "x"}},
	} {
		table, err := readTable("l.csv", strings.NewReader("f,label\n"+c.rows))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := arrange(c.pictures).labelBy(table, c.pictures); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("pictures %q: labels %q, %v, want %q", c.pictures, got, err, c.want)
		}
	}
}

func TestTablesRefused(t *testing.T) {
	pictures := []string{"a.png", "b.png", "c.png"}
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"}, {"\n\n", "the file is empty"}, {"[]", "no rows"},
		{"x,y\n1,2\n3,4\n", "no column of it names the pictures, such as a.png"},
		{"f,old,tall\na.png,0,1\nb.png,1,1\nc.png,1,0\n", "a picture may be of several of its columns of 0 and 1 (old, tall): call one of them label"},
		{"f,sex,view\na.png,M,x\nb.png,F,x\nc.png,M,y\n", "any of its columns sex, view may have the labels: call one of them label"},
		{"\x50\x4b\x03\x04\x00", "it is a zip: unpack it"}, {"<!DOCTYPE html><html>", "it is "},
		{`[{"f":"a.png","label":["x","y"]},{"f":"b.png","label":["x"]}]`, "column label is empty, or has lists"},
		{"f,label\na.png,0.1\nb.png,0.25\nc.png,0.5\n", "column label has measures and no labels"},
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

// Names that fit pictures of several folders are refused with a cure.
func TestTableOfNamesInSeveralFolders(t *testing.T) {
	pictures := []string{"a/0.png", "a/1.png", "b/0.png", "b/1.png"}
	table, err := readTable("l.csv", strings.NewReader("f,label\n0.png,x\n1.png,y\n"))
	if err == nil {
		_, err = arrange(pictures).labelBy(table, pictures)
	}
	if err == nil || !strings.Contains(err.Error(), "fits several pictures of different folders: write names with their folders, such as a/0.png") {
		t.Error(err)
	}
}

// A column of splits divides the pictures, however it is called and spelled.
func TestTableWithSplits(t *testing.T) {
	pictures := []string{"a.png", "b.png", "c.png"}
	table := func(header string, values ...string) string {
		text := header + "\n"
		for i, name := range pictures {
			text += name + ",x," + values[i] + "\n"
		}
		return text
	}
	for _, c := range []struct {
		name, text, note string
	}{
		{"words", table("f,label,split", "train", "train", "val"), "l.csv: column split divides the pictures"},
		{"Usage", table("f,label,Usage", "Training", "Training", "PrivateTest"), "column Usage divides"},
		{"numbers", table("f,label,partition", "0", "1", "2"), "0 was taken for training, 1 for validation and 2 for testing"},
		{"is_train", table("f,label,is_train", "1", "1", "0"), "column is_train divides"},
		{"isTrain", table("f,label,IsTrain", "True", "True", "False"), "column IsTrain divides"},
		{"is_test", table("f,label,is_test", "0", "0", "1"), "column is_test divides"},
		{"is_valid", table("f,label,is valid", "false", "false", "true"), "column is valid divides"},
		{"another name", table("f,label,purpose", "train", "train", "test"), "column purpose divides"},
		{"two columns", table("f,label,is_val,is_test", "0,0", "0,0", "0,1"), "columns is_val, is_test divides"},
		{"0 and 1", table("f,label,split", "0", "0", "1"), "column split: whether 0 or 1 is to train on is not known"},
		{"folds", table("f,label,fold", "0", "1", "2"), "column fold: folds are not read"},
		{"others", table("f,label,split", "a", "b", "b"), "column split: it is not read, as its values (a, b) are not parts"},
		{"one other", table("f,label,split", "train", "test", "extra"), "what has another value is trained on: extra (1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := readTable("l.csv", strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			l := arrange(pictures)
			labels, err := l.labelBy(table, pictures)
			if err != nil || !slices.Equal(labels, []string{"x", "x", "x"}) || !strings.Contains(fmt.Sprint(l.notes), c.note) {
				t.Errorf("labels %q, %v, notes %v", labels, err, l.notes)
			}
			want := []role{toTrain, toTrain, toTest}
			switch c.name {
			case "0 and 1", "folds", "others":
				want = []role{toTrain, toTrain, toTrain}
			case "numbers":
				want = []role{toTrain, toTest, toTest}
			case "one other":
				want = []role{toTrain, toTest, toTrain}
			}
			if !slices.Equal(l.roles, want) {
				t.Errorf("roles %v, want %v", l.roles, want)
			}
		})
	}
}

// A table that a person made by pandas spells missing labels in words.
func TestTableWithMissingLabels(t *testing.T) {
	pictures := []string{"a.png", "b.png", "c.png", "d.png", "e.png"}
	for _, c := range []struct {
		labels, want []string
		note         string
	}{
		{[]string{"cat", "nan", "dog", "N/A", "nan"}, []string{"cat", "", "dog", "", ""}, "l.csv: counted as without a label: N/A (1), nan (2)"},
		{[]string{"0.0", "nan", "1.0", "0.0", "1.0"}, []string{"0", "", "1", "0", "1"}, "nan (1)"},
		{[]string{"cat", "None", "dog", "?", "-"}, []string{"cat", "", "dog", "", ""}, "- (1), ? (1), None (1)"},
		{[]string{"cat", "none", "dog", "cat", "dog"}, []string{"cat", "none", "dog", "cat", "dog"}, "classes from l.csv"},
		{[]string{"Mild", "None", "Severe", "Mild", "None"}, []string{"Mild", "None", "Severe", "Mild", "None"}, "classes from l.csv"},
		{[]string{"NA", "FR", "US", "NA", "FR"}, []string{"NA", "FR", "US", "NA", "FR"}, "classes from l.csv"},
	} {
		text := "f,label\n"
		for i, label := range c.labels {
			text += pictures[i] + "," + label + "\n"
		}
		table, err := readTable("l.csv", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		l := arrange(pictures)
		got, err := l.labelBy(table, pictures)
		if err != nil || !slices.Equal(got, c.want) || !strings.Contains(fmt.Sprint(l.notes), c.note) {
			t.Errorf("labels %q, %v, notes %v", got, err, l.notes)
		}
	}
}

// The whole of a set: labels from where they are, and a word on those that are not read.
func TestLabelsOfPictures(t *testing.T) {
	p := plainPNG(t, 4, 4, red)
	base := func(more map[string][]byte) map[string][]byte {
		files := map[string][]byte{"a.png": p, "b.png": p, "c.png": p, "d.png": p, "e.png": p, "f.png": p}
		maps.Copy(files, more)
		return files
	}
	keyed := func(more map[string][]byte) map[string][]byte {
		files := base(more)
		files["images.txt"] = []byte("11 x/a.png\n12 x/b.png\n13 x/c.png\n14 x/d.png\n15 x/e.png\n16 x/f.png\n")
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
		{"boxes of YOLO", six(".txt", "0 0.5 0.5 0.1 0.1", "1 0.5 0.5 0.1 0.1"), "", nil, "no labels are read from a.txt"},
		{"the form of answers", base(map[string][]byte{"sample_submission.csv": csv}), "", nil, "no labels are read from sample_submission.csv"},
		{"the form of answers beside labels", base(map[string][]byte{"sample_submission.csv": csv, "train.csv": []byte(
			"f,label\na.png,u\nb.png,v\nc.png,u\nd.png,u\n")}), "", []string{"u", "v"}, "classes from train.csv"},
		{"a table in each folder", map[string][]byte{"train/0.png": p, "train/1.png": p, "test/0.png": p,
			"train/metadata.csv": []byte("file_name,label\n0.png,x\n1.png,y\n"), "test/metadata.csv": []byte("file_name,label\n0.png,y\n2.png,y\n")},
			"", []string{"x", "y"}, "classes from train/metadata.csv, test/metadata.csv, column label"},
		{"lists and labels", base(map[string][]byte{"train.txt": []byte("a.png 0\nb.png 1\nc.png 0\nd.png 1\n"),
			"val.txt": []byte("e.png 0\nf.png 1\n")}), "", []string{"0", "1"}, "train.txt, val.txt divide the pictures"},
		{"lists and folders", map[string][]byte{"i/cat/0.png": p, "i/cat/1.png": p, "i/dog/0.png": p, "i/dog/1.png": p,
			"meta/train.txt": []byte("cat/0\ndog/1\n"), "meta/test.txt": []byte("cat/1\n")}, "", []string{"cat", "dog"},
			"1 picture is in none of these lists, and trained on"},
		{"a table of the test pictures", map[string][]byte{"train/a/0.png": p, "train/b/1.png": p, "val/images/v0.png": p, "val/images/v1.png": p,
			"val/val_annotations.txt": []byte("v0.png\tb\t0\t9\nv1.png\ta\t0\t9\n")}, "", []string{"a", "b"}, "classes of 2 pictures to test on"},
		{"accents of the test pictures' classes", map[string][]byte{"train/ne\u0301/0.png": p, "train/b/1.png": p, "val/images/v0.png": p,
			"val/images/v1.png": p, "val/val_annotations.txt": []byte("v0.png\tb\t0\t9\nv1.png\tn\u00e9\t0\t9\n")}, "",
			[]string{"b", "ne\u0301"}, "classes of 2 pictures to test on"},
		{"measures", base(map[string][]byte{"labels.csv": []byte("f,label\na,0.5\nb,0.25\nc,0.1\nd,0.7\n")}), "", nil,
			"no labels are read from labels.csv: column label has measures"},
		{"classes that look alike", map[string][]byte{"Cat/a.png": p, "cat/b.png": p}, "", []string{"Cat", "cat"},
			"the classes Cat and cat differ only by capitals"},
		{"a class of broken pictures", map[string][]byte{"a/0.png": p, "b/0.png": p, "c/0.png": p[:20]}, "", []string{"a", "b"},
			"no picture can be read in c/: not a class"},
		{"names of classes beside numbers", map[string][]byte{"0/a.png": p, "1/b.png": p, "classes.txt": []byte("cat\ndog\n")}, "",
			[]string{"0", "1"}, "classes.txt is not read: the names of the folders are the classes"},
		{"names of classes that the folders have", map[string][]byte{"cat/a.png": p, "dog/b.png": p, "classes.txt": []byte("cat\ndog\n")}, "",
			[]string{"cat", "dog"}, "[]"},
		{"repeats", map[string][]byte{"10_cat/0.png": p, "10_cat/0.txt": []byte("a cat"), "1_dog/0.png": p}, "", []string{"1_dog", "10_cat"},
			"captions are not read, nor are the numbers of repeats"},
		{"what a program computed of each picture", map[string][]byte{"a/0.png": p, "a/0_8x8.npz": []byte("PK"), "b/1.png": p, "b/1.npz": []byte("PK")},
			"", []string{"a", "b"}, ""},
		{"a column of splits beside folders", map[string][]byte{"cat/a.png": p, "cat/b.png": p, "dog/c.png": p, "dog/d.png": p,
			"info.csv": []byte("f,label,is_train\ncat/a.png,cat,1\ncat/b.png,cat,0\ndog/c.png,dog,1\ndog/d.png,dog,1\n")}, "", []string{"cat", "dog"},
			"info.csv: column is_train divides the pictures"},
		{"a partition", base(map[string][]byte{"list_eval_partition.txt": []byte("a.png 0\nb.png 0\nc.png 0\nd.png 0\ne.png 1\nf.png 2\n")}), "", nil,
			"list_eval_partition.txt divides the pictures"},
		{"CelebA", base(map[string][]byte{"list_eval_partition.txt": []byte("a.png 0\nb.png 0\nc.png 0\nd.png 0\ne.png 1\nf.png 2\n"),
			"list_attr_celeba.txt": []byte("6\nBald Smiling \na.png  1 -1\nb.png -1 -1\nc.png  1  1\nd.png  1  1\ne.png -1  1\nf.png  1 -1\n"),
			"identity_CelebA.txt":  []byte("a.png 7\nb.png 8\nc.png 7\nd.png 8\ne.png 9\nf.png 9\n")}), "", nil,
			"a picture may be of several of its columns of 0 and 1 (Bald, Smiling)"},
		{"CelebA's identities", base(map[string][]byte{"identity_CelebA.txt": []byte("a.png 7\nb.png 8\nc.png 7\nd.png 8\ne.png 9\nf.png 9\n")}),
			"", nil, "identity_CelebA.txt is not read, as it is not called a list of labels"},
		{"a partition and labels", base(map[string][]byte{"eval_partition.csv": []byte("f,partition\na,0\nb,0\nc,0\nd,0\ne,1\nf,2\n"),
			"labels.csv": csv}), "", []string{"x", "y"}, "eval_partition.csv: column partition divides the pictures"},
		{"a partition of 0 and 1", base(map[string][]byte{"train_test_split.txt": []byte("a 0\nb 1\nc 0\nd 0\ne 1\nf 1\n")}), "", nil,
			"train_test_split.txt: column 2: whether 0 or 1 is to train on is not known"},
		{"keys of pictures", keyed(map[string][]byte{"train_test_split.txt": []byte("11 0\n12 1\n13 1\n14 1\n15 0\n16 1\n")}), "", nil,
			"column 2: 1 was taken for training and 0 for testing, as in CUB-200-2011 train_test_split.txt (by the keys in images.txt) divides"},
		{"labels by keys", keyed(map[string][]byte{"image_class_labels.txt": []byte("11 1\n12 2\n13 1\n14 1\n15 2\n16 1\n"),
			"classes.txt": []byte("1 cat\n2 dog\n")}), "", []string{"1", "2"},
			"classes from image_class_labels.txt (by the keys in images.txt), column 2"},
		{"labels and parts by keys with headers", base(map[string][]byte{"files.csv": []byte("id,file_name\nk1,a.png\nk2,b.png\nk3,c.png\nk4,d.png\nk5,e.png\nk6,f.png\n"),
			"labels.csv": []byte("image_id,label,is_train\nk1,x,1\nk2,y,1\nk3,x,1\nk4,y,1\nk5,x,0\nk6,y,0\n")}), "", []string{"x", "y"},
			"labels.csv (by the keys in files.csv): column is_train divides the pictures"},
		{"few of the keys", keyed(map[string][]byte{"classes.csv": []byte("11,cat\n12,dog\n")}), "", nil, "no labels are read from classes.csv"},
		{"labels and splits in a table called so", base(map[string][]byte{"splits.csv": []byte(
			"f,label,split\na,x,train\nb,y,train\nc,x,train\nd,y,test\ne,x,test\nf,y,test\n")}), "", []string{"x", "y"}, "classes from splits.csv"},
		{"missing labels in small files", six(".cls", "3", "12", "nan"), "", []string{"3", "12"},
			"the .cls files: counted as without a label: nan (2)"},
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

// Tables that only divide the pictures are not listed as left out, and their test images are held.
func TestPartitionIsUsed(t *testing.T) {
	p := plainPNG(t, 4, 4, red)
	set := mustOpen(t, write(t, map[string][]byte{"a.png": p, "b.png": p, "c.png": p,
		"list_eval_partition.txt": []byte("a.png 0\nb.png 1\nc.png 2\n")}), Options{})
	if set.Train.Len() != 1 || heldLen(set) != 2 || !set.OwnTest || len(set.Skipped) > 0 {
		t.Errorf("%d + %d pictures, skipped %v, notes %v", set.Train.Len(), heldLen(set), set.Skipped, set.Notes)
	}
}

// A set is divided by its tables wherever the labels come from.
func TestPartitionWithLabelsFromElsewhere(t *testing.T) {
	p := plainPNG(t, 4, 4, red)
	folder := write(t, map[string][]byte{"x/a.png": p, "x/b.png": p, "y/c.png": p, "y/d.png": p,
		"list_eval_partition.txt": []byte("a.png 0\nb.png 1\nc.png 2\nd.png 0\n"), "names.csv": []byte("f,label\na,u\nb,v\nc,u\nd,v\n"),
		"own.csv": []byte("f,label,split\na,u,test\nb,v,train\nc,u,train\nd,v,train\n")})
	for labels, want := range map[string]int{"": 2, NoLabels: 2, FolderLabels: 2, "clusters:2": 2,
		filepath.Join(folder, "names.csv"): 2, filepath.Join(folder, "own.csv"): 1} {
		set := mustOpen(t, folder, Options{Labels: labels})
		if heldLen(set) != want || !set.OwnTest {
			t.Errorf("labels %q: %d + %d pictures, notes %v", labels, set.Train.Len(), heldLen(set), set.Notes)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("f,label\na.png,x\n"))
	f.Add([]byte(`[{"f":"a.png","label":1}]`))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00"))
	f.Add([]byte(`{"labels":[["a.png",[1]],3,null]}`))
	f.Add([]byte("# c\r#f,label\ra.png,x\r"))
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
