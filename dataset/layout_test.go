package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// heap returns n names of pictures in a folder, "" for the top.
func heap(folder string, n int) []string {
	var list []string
	for i := range n {
		list = append(list, strings.TrimPrefix(fmt.Sprintf("%s/%d.png", folder, i), "/"))
	}
	return list
}

// summary counts the pictures of a layout: "a:train 3" for those of class a to train on.
func summary(names, labels []string, l *layout) string {
	count := map[string]int{}
	for i := range names {
		class := "none"
		if len(labels) > 0 && labels[i] != "" {
			class = labels[i]
		}
		switch l.roles[i] {
		case outside:
			count["outside"]++
		case toTest:
			count[class+":test"]++
		default:
			count[class]++
		}
	}
	var parts []string
	for _, key := range sortedKeys(count) {
		parts = append(parts, fmt.Sprintf("%s %d", key, count[key]))
	}
	return strings.Join(parts, ", ")
}

func TestFolders(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  [][]string
		forced bool
		want   string
		note   string // part of one note; "" for no note at all
	}{
		{"one heap", [][]string{heap("", 3)}, false, "none 3", ""},
		{"one folder", [][]string{heap("all/photos", 3)}, false, "none 3", ""},
		{"classes", [][]string{heap("cat", 2), heap("dog", 3)}, false, "cat 2, dog 3", ""},
		{"classes below folders that hold all", [][]string{heap("set/images/cat", 2), heap("set/images/dog", 3)}, false,
			"cat 2, dog 3", ""},
		{"a stray folder", [][]string{heap("", 60), heap("edited", 4)}, false, "none 64", "60 pictures lie in no folder beside edited/"},
		{"two stray folders", [][]string{heap("", 60), heap("edited", 4), heap("old", 1)}, false, "none 65", "no classes"},
		{"the same, and folders are classes", [][]string{heap("", 60), heap("edited", 4), heap("old", 1)}, true,
			"edited 4, none 60, old 1", "60 pictures lie in no class folder"},
		{"a stray picture beside classes", [][]string{heap("", 1), heap("cat", 5), heap("dog", 5)}, false,
			"cat 5, dog 5, none 1", "1 picture lies in no class folder"},
		{"a cover beside the folder of all", [][]string{heap("", 1), heap("archive/train/a", 20), heap("archive/test/a", 20),
			heap("archive/train/b", 20), heap("archive/test/b", 20)}, false, "a 20, a:test 20, b 20, b:test 20, outside 1",
			"1 picture in no folder"},
		{"what a program leaves beside classes", [][]string{heap("cat", 5), heap("dog", 5), heap("Thumbnails", 9)}, false,
			"cat 5, dog 5, outside 9", "Thumbnails (9 pictures)"},
		{"a class called like what a program leaves", [][]string{heap("cat", 5), heap("originals", 5)}, false,
			"cat 5, originals 5", ""},
		{"train and test", [][]string{heap("train/a", 2), heap("train/b", 2), heap("test/a", 1), heap("test/b", 1)}, false,
			"a 2, a:test 1, b 2, b:test 1", ""},
		{"other words for the same", [][]string{heap("Training Set/a", 2), heap("Training Set/b", 2), heap("dev/a", 1)}, false,
			"a 2, a:test 1, b 2", ""},
		{"with a prefix", [][]string{heap("seg_train/seg_train/a", 2), heap("seg_train/seg_train/b", 2),
			heap("seg_test/seg_test/a", 1), heap("seg_pred/seg_pred", 7)}, false, "a 2, a:test 1, b 2, outside 7",
			"left out, beside seg_train/ and seg_test/: seg_pred (7 pictures)"},
		{"with a year", [][]string{heap("train2017", 4), heap("val2017", 2)}, false, "none 4, none:test 2", ""},
		{"anything beside them", [][]string{heap("train/a", 2), heap("train/b", 2), heap("valid/a", 1), heap("extra", 1),
			heap("", 1)}, false, "a 2, a:test 1, b 2, outside 2", "left out, beside train/ and valid/: extra (1 picture), 1 picture in no folder"},
		{"training alone", [][]string{heap("train/a", 2), heap("train/b", 2), heap("preview", 3)}, false,
			"a 2, b 2, outside 3", "preview (3 pictures)"},
		{"a class called train", [][]string{heap("train", 5), heap("bus", 5)}, false, "bus 5, train 5", ""},
		{"classes called valid and invalid", [][]string{heap("valid", 5), heap("invalid", 5)}, false, "invalid 5, valid 5", ""},
		{"splits below classes", [][]string{heap("a/train", 3), heap("a/test", 1), heap("b/train", 3), heap("b/test", 1)}, false,
			"a 3, a:test 1, b 3, b:test 1", ""},
		{"domains", [][]string{heap("trainA", 3), heap("trainB", 3), heap("testA", 1), heap("testB", 1)}, false,
			"A 3, A:test 1, B 3, B:test 1", ""},
		{"unlabelled test pictures", [][]string{heap("train/a/images", 4), heap("train/b/images", 4), heap("val/images", 3)}, false,
			"a 4, b 4, none:test 3", "no class of the training pictures is called images: its 3 pictures"},
		{"classes of another case in the test", [][]string{heap("train/Cat", 4), heap("train/Dog", 4), heap("test/cat", 2)}, false,
			"Cat 4, Cat:test 2, Dog 4", ""},
		{"one class alone", [][]string{heap("train/a", 4), heap("test/b", 4)}, false, "none 4, none:test 4", "no classes"},
		{"a prefix of all", [][]string{heap("pets_train/a", 3), heap("pets_train/b", 3), heap("pets_valid/a", 1)}, false,
			"a 3, a:test 1, b 3", "the names of folders divide the pictures into those to train on and to test on: pets_train/ and pets_valid/"},
		{"words on both sides", [][]string{heap("X2_train_HR", 3), heap("X2_valid_HR", 2)}, false, "none 3, none:test 2", "X2_train_HR/"},
		{"classes and splits in one name", [][]string{heap("cats_train", 3), heap("dogs_train", 3), heap("cats_test", 1)}, false,
			"cats 3, cats:test 1, dogs 3", "cats_test/, cats_train/ and dogs_train/"},
		{"the words of a split in classes", [][]string{heap("steam_train", 3), heap("crash_test", 3)}, false,
			"crash_test 3, steam_train 3", ""},
		{"the word of one part alone", [][]string{heap("steam_train", 3), heap("bullet_train", 3)}, false,
			"bullet_train 3, steam_train 3", ""},
		{"pictures without labels beside the training", [][]string{heap("train", 3), heap("Unlabeled", 3)}, false,
			"none 3, outside 3", "left out, beside train/: Unlabeled (3 pictures)"},
		{"masks", [][]string{heap("images/a", 3), heap("images/b", 3), heap("masks/a", 3), heap("masks/b", 3)}, false,
			"a 3, b 3, outside 6", "masks or the like of the other pictures: masks (6 pictures)"},
		{"masks below splits", [][]string{heap("train/images", 3), heap("train/gt", 3), heap("val/images", 1), heap("val/gt", 1)}, false,
			"none 3, none:test 1, outside 4", "gt (4 pictures)"},
		{"splits below masks", [][]string{heap("imgs/train", 3), heap("labels/train", 3), heap("imgs/val", 1), heap("labels/val", 1)}, false,
			"none 3, none:test 1, outside 4", "labels (4 pictures)"},
		{"masks of the training pictures", [][]string{heap("train", 3), heap("train_masks", 3)}, false, "none 3, outside 3", "train_masks (3 pictures)"},
		{"masks and a class", [][]string{heap("masks", 3), heap("hats", 3)}, false, "hats 3, masks 3", ""},
		{"masks in the same folder", [][]string{heap("a", 2), heap("b", 2), {"a/0_mask.png", "b/1_Mask_2.png", "b/face_mask.png"}}, false,
			"a 2, b 3, outside 2", "masks or the like of other pictures: 2 pictures such as a/0_mask.png"},
		{"folders below classes", [][]string{heap("pet/cat", 2), heap("pet/dog", 2), heap("wild/cat", 2)}, false, "pet 4, wild 2",
			"those below, such as pet/cat and pet/dog, are not told apart"},
		{"accents stored in two ways", [][]string{heap("train/caf\u00e9", 2), heap("train/b", 2), heap("val/cafe\u0301", 2)}, false,
			"b 2, caf\u00e9 2, caf\u00e9:test 2", ""},
		{"numbers", [][]string{heap("10", 1), heap("9", 1), heap("2", 1), heap("1", 1)}, false, "1 1, 2 1, 9 1, 10 1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := slices.Concat(c.files...)
			l := arrange(all)
			labels := l.folderClasses(c.forced)
			l.noteUnnamed()
			if got := summary(all, labels, l); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			notes := fmt.Sprint(l.notes)
			if c.note == "" && len(l.notes) > 0 || !strings.Contains(notes, c.note) {
				t.Errorf("notes %s, want %q", notes, c.note)
			}
		})
	}
}

func TestSplitNames(t *testing.T) {
	for name, want := range map[string]role{
		"train": toTrain, "TRAIN": toTrain, "train_images": toTrain, "images-train": toTrain, "Training": toTrain,
		"test": toTest, "testing_set": toTest, "val": toTest, "Validation": toTest, "dev": toTest, "val2014": toTest,
		"trains": outside, "contest": outside, "model train": outside, "train_test": outside, "images": outside, "": outside,
		"seg_pred": outside, "validity": outside,
	} {
		if got, _, ok := splitOf(name); got != want || ok != (want != outside) {
			t.Errorf("%q is %v, want %v", name, got, want)
		}
	}
}

// Whatever the names, arranging neither panics nor loses a picture.
func FuzzFolders(f *testing.F) {
	f.Add("train/a/1.png\ntest/a/2.png\nextra/3.png\n4.png")
	f.Add("a\nb/c\nb/d/e\ntrainA/x\ntestB/y")
	f.Add("/\n//\n\n.")
	f.Fuzz(func(t *testing.T, text string) {
		all := strings.Split(text, "\n")
		l := arrange(all)
		labels := l.folderClasses(false)
		numbers, classes := l.index(labels)
		if len(l.roles) != len(all) || classes != nil && len(numbers) != len(all) {
			t.Errorf("%d roles, %d labels of %d pictures", len(l.roles), len(numbers), len(all))
		}
		for i, k := range numbers {
			if k < -1 || int(k) >= len(classes) || l.roles[i] == outside && labels[i] != "" && k < 0 && slices.Contains(classes, labels[i]) {
				t.Errorf("picture %d has label %d", i, k)
			}
		}
	})
}
