package array

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// batch builds records with an image for each label; those of CIFAR-100 have a coarse label before
// it. The numbers of pixel i in its planes are 3·i, 3·i+1 and 3·i+2.
func batch(coarse bool, list ...byte) []byte {
	var file []byte
	for _, label := range list {
		if coarse {
			file = append(file, label%20)
		}
		file = append(file, label)
		for c := range 3 {
			for i := range cifarPlane {
				file = append(file, byte(3*i+c))
			}
		}
	}
	return file
}

func TestCIFAR10(t *testing.T) {
	set := mustRead(t, map[string][]byte{"c/data_batch_1.bin": batch(false, 3, 0), "c/data_batch_2.bin": batch(false, 9),
		"c/test_batch.bin": batch(false, 7)})
	if set.Format != "CIFAR-10 batches" || !slices.Equal(set.Train.Labels, []int32{3, 0, 9}) || !slices.Equal(set.Classes, cifarClasses) ||
		!slices.Equal(set.Test.Labels, []int32{7}) || !bytes.Equal(set.Train.Pixels[:cifarImage], count(cifarImage)) {
		t.Errorf("%+v", set)
	}
	checkNotes(t, set, "7 of 10 classes have no image to train on, such as automobile")
	names := "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"
	set = mustRead(t, map[string][]byte{"data_batch_5.bin.txt": nil, "test_batch.bin": batch(false, 7), "batches.meta.txt": []byte(names)})
	if set.Test != nil || strings.Join(set.Classes, "") != "abcdefghij" {
		t.Errorf("%+v", set)
	}
	for words, content := range map[string]map[string][]byte{
		"the file is empty":                          {"data_batch_1.bin": nil},
		"data_batch_1.bin: 9 bytes after image 1":    {"data_batch_1.bin": append(batch(false, 1), count(9)...)},
		"label 10 of image 0 is not below 10":        {"data_batch_1.bin": batch(false, 10)},
		"batches.meta.txt names 1 class, want 10":    {"data_batch_1.bin": batch(false, 1), "batches.meta.txt": []byte("a")},
		"label 255 of image 1 is not below 10: is i": {"data_batch_1.bin": batch(false, 1, 255)},
	} {
		_, err := readOne(t, content)
		refused(t, err, words)
	}
}

func TestCIFAR100(t *testing.T) {
	var names strings.Builder
	for i := range 100 {
		fmt.Fprintf(&names, "class %d\n", i)
	}
	set := mustRead(t, map[string][]byte{"train.bin": batch(true, 99, 0), "test.bin": batch(true, 50),
		"fine_label_names.txt": []byte(names.String())})
	if !slices.Equal(set.Train.Labels, []int32{99, 0}) || set.Classes[99] != "class 99" || len(set.Files) != 3 {
		t.Errorf("%+v", set)
	}
	set = mustRead(t, map[string][]byte{"train.bin": batch(true, 99, 0)})
	checkNotes(t, set, "fine_label_names.txt was not found")
	if len(Find(files(map[string][]byte{"train.bin": count(4000), "test.bin": batch(false, 200)}))) != 0 {
		t.Error("any train.bin is taken for CIFAR-100")
	}
}

// What Python pickled is read, by any protocol.
func TestPickledBatches(t *testing.T) {
	rows := count(3 * 48)
	var want []byte
	for i := range 3 {
		for p := range 16 {
			want = append(want, rows[48*i+p], rows[48*i+16+p], rows[48*i+32+p])
		}
	}
	for _, name := range []string{"batch-0", "batch-2", "batch-4", "batch-5", "batch-python2"} {
		t.Run(name, func(t *testing.T) {
			data := testdata(t, name+".pickle")
			set := mustRead(t, map[string][]byte{"c/data_batch_1": data, "c/test_batch": data, "c/batches.meta": testdata(t, "meta.pickle")})
			if m := set.Train; m.Height != 4 || m.Channels != 3 || !bytes.Equal(m.Pixels, want) || !slices.Equal(m.Labels, []int32{2, 0, 1}) ||
				set.Test.Len() != 3 || !slices.Equal(set.Classes, []string{"ant", "bee", "cow"}) {
				t.Errorf("%+v, train %+v", set, m)
			}
			checkNotes(t, set, "")
		})
	}
	set := mustRead(t, map[string][]byte{"data_batch_1": testdata(t, "batch-2.pickle")})
	checkNotes(t, set, "batches.meta was not found: classes have numbers")
}

func TestPickledBatchesRefused(t *testing.T) {
	good := testdata(t, "batch-python2.pickle")
	replaced := func(old, next string) []byte { return bytes.Replace(good, []byte(old), []byte(next), 1) }
	for words, file := range map[string][]byte{
		"unexpected EOF: copy the file again":  good[:200],
		"has no list of labels":                replaced("labels", "lapels"),
		"there is no array of NumPy":           replaced("_reconstruct", "_reconstruxt"),
		"the array holds \"u2\"":               replaced("u1", "u2"),
		"the array claims more than its 144":   replaced("K0\x86", "K\xff\x86"),
		"want rows":                            replaced("K\x03K0\x86", "K\x02K0\x86"),
		"is not a whole number from 0 to":      replaced("(K\x02K\x00K\x01e", "(K\x02NK\x01e"),
		"3 images, but 2 labels":               replaced("(K\x02K\x00K\x01e", "(K\x02K\x00e"),
		"the array is in Fortran's order":      replaced("tb\x89T", "tb\x88T"),
		"pickle, but not of a dictionary":      []byte("\x80\x02}]."),
		"instruction 0x3f is not one of data":  []byte("\x80\x02}?."),
		"rows of 47 bytes, not of three plane": nil,
	} {
		if file == nil {
			file = replaced("K\x03K0\x86", "K\x03K/\x86")
			file = bytes.Replace(file, append([]byte{'T', 144, 0, 0, 0}, count(144)...), append([]byte{'T', 141, 0, 0, 0}, count(141)...), 1)
		}
		_, err := readOne(t, map[string][]byte{"data_batch_1": file})
		refused(t, err, words)
	}
}
