package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// numbersTo returns the names of the numbers from first to last.
func numbersTo(first, last int) []string {
	var names []string
	for i := first; i <= last; i++ {
		names = append(names, fmt.Sprint(i))
	}
	return names
}

// classesOf makes a list of the names, and "no class".
func classesOf(names ...string) ClassList {
	return ClassList{Model: "m", N: len(names), Names: names, Null: true}
}

// What people ask for, of classes whose names could be taken for something else. A note is part of
// it where something was assumed.
func TestParseNames(t *testing.T) {
	asText := []string{"0", "1", "10", "2", "3", "9"} // in the order of older runs
	commas := classesOf("aa", "ab", "b, c", "dd", "b")
	for _, c := range []struct {
		list ClassList
		text string
		want []int32
		note string
	}{
		{classesOf("UP", "up"), "up", []int32{1}, ""},
		{classesOf("UP", "down"), "up", []int32{0}, ""},
		{classesOf("up", "Up", "UP"), "Up,UP", []int32{1, 2}, ""},
		{classesOf("Été", "hiver"), "ÉTÉ,e\u0301te\u0301", []int32{0, 0}, ""},
		{classesOf(" cat", "cat"), " cat,cat, cat", []int32{0, 1, 0}, ""},
		{classesOf("cat"), "  cat ", []int32{0}, ""},

		{commas, "b, c", []int32{2}, ""},
		{classesOf("aa", "b, c"), "b,c", []int32{1}, ""},
		{classesOf("aa", "b, c"), "AA,B, C", []int32{0, 1}, ""},
		{commas, `"b, c",aa`, []int32{2, 0}, ""},
		{commas, "aa,b, c,dd", []int32{0, 2, 3}, ""},
		{commas, "b,aa", []int32{4, 0}, ""},
		{commas, "2", []int32{2}, ""},
		{classesOf("a", "b", "a,b"), "a,b", []int32{2}, `"a,b" is the class of this name; the classes of the list are class "a","b"`},
		{classesOf("a", "b", "a,b"), `"a","b"`, []int32{0, 1}, ""},
		{classesOf("zero", "one", "1,3", "three"), "1,3", []int32{2}, `"1,3" is the class`},
		{classesOf(`x"y`, `"x"`, "x"), `"x""y", "x" ,"""x"""`, []int32{0, 2, 1}, ""},
		{classesOf(`"q`), `"q`, []int32{0}, ""},

		{classesOf(numbersTo(0, 10)...), "0-9", []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, ""},
		{classesOf(numbersTo(1, 12)...), "1-3,12", []int32{0, 1, 2, 11}, ""},
		{classesOf(asText...), "0-9", []int32{0, 1, 3, 4, 5}, ""},
		{classesOf("0", "2", "5"), "0-5", []int32{0, 1, 2}, ""},
		{classesOf("0", "2", "5"), "0-2,5", []int32{0, 1, 2}, ""},
		{classesOf("01", "02", "03"), "1,3,2-3,01-02", []int32{0, 2, 1, 2, 0, 1}, ""},
		{classesOf("10", "20", "30"), "0-1", []int32{0, 1}, "0-1 is taken for positions, from 0: the classes 10, 20"},
		{classesOf("1", "2", "3"), "0", []int32{0}, "no class is called 0"},
		{classesOf("zero", "one"), "1,0-1", []int32{1, 0, 1}, ""},
		{classesOf("2019", "2020", "2021", "2020-2021"), "2020-2021", []int32{3}, ""},
		{classesOf("2019", "2020", "2021"), "2019-2021", []int32{0, 1, 2}, ""},
		{classesOf("a", "t-shirt", "-dash", "z"), "t-shirt,-dash,A-T-Shirt", []int32{1, 2, 0, 1}, ""},
		{classesOf("a", "-b", "c"), "a--b", []int32{0, 1}, ""},
		{classesOf("cat", "cow", "dog"), "cat-dog", []int32{0, 1, 2}, ""},
		{classesOf("cat", "cow", "dog"), " cat - cow ", []int32{0, 1}, ""},
		{ClassList{Model: "m", N: 4}, "1-3", []int32{1, 2, 3}, ""},

		{classesOf("none", "some"), "none", []int32{0}, "none is the class of this name; class 2 asks for images of no class"},
		{classesOf("none", "some"), `"none"`, []int32{0}, ""},
		{classesOf("none", "some"), "2,some", []int32{2, 1}, ""},
		{classesOf("None", "some"), "none", []int32{2}, "the class is called None"},
		{classesOf("None", "some"), "None", []int32{0}, ""},
		{ClassList{Model: "m", N: 1, Names: []string{"None"}}, "none", []int32{0}, ""},
		{ClassList{Model: "m", N: 1, Names: []string{"none"}}, "none", []int32{0}, ""},
	} {
		got, notes, err := c.list.Parse(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q of %q is %v, %v, want %v", c.text, c.list.Names, got, err, c.want)
		}
		if (len(notes) > 0) != (c.note != "") || len(notes) > 0 && !strings.Contains(notes[0].Text, c.note) {
			t.Errorf("%q of %q: notes %v, want %q", c.text, c.list.Names, notes, c.note)
		}
	}
}

// What is refused names what there is, and what to do.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		list       ClassList
		text, want string
	}{
		{classesOf("up", "UP"), "Up", `class "Up": several classes are called so: write the whole name as it is: up, UP`},
		{classesOf("a", "a", "b"), "a", `several classes are called so: take the number 0 or 1`},
		{classesOf("1", "01"), "001", "write the whole name as it is: 1, 01"},
		{classesOf("aa", "b, c"), "x", `or names of aa, "b, c": a name with a comma takes quotation marks`},
		{classesOf("sneaker", "bag"), "snaeker", "did you mean sneaker?"},
		{classesOf("a\nb"), "x", `names of "a\nb"`},
		{classesOf("cat", "dog"), "2", "class 2: the classes are 0-1, called cat, dog"},
		{classesOf("0", "2", "5"), "0-4", "class 0-4: the classes are 0-2, called 0, 2, 5"},
		{classesOf("0", "1"), "0-4", "class 0-4: the classes are 0-1"},
		{classesOf("cat", "dog"), "dog-cat", "a range goes upwards: cat-dog"},
		{classesOf("2", "9", "10"), "10-9", "a range goes upwards: 9-10"},
		{classesOf("1", "2", "3"), "0-2", "so it could mean those called 1, 2, or as positions from 0 those called 1, 2, 3"},
		{classesOf("a", "b", "a-b", "b-a"), "a-b-a", "it is a range between names in several ways"},
		{ClassList{Model: "m", N: 2}, "none", "m always needs a class"},
		{classesOf("none", "some"), "3", "the classes are 0-1"},
		{classesOf("cat"), "", "want numbers"},
		{classesOf("cat"), "cat,", "want numbers"},
	} {
		got, _, err := c.list.Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q of %q is %v, %v, want %q", c.text, c.list.Names, got, err, c.want)
		}
	}
}

// A class without a training image is refused by name and by number, and left out of a range.
func TestUntrainedClasses(t *testing.T) {
	list := classesOf("cat", "cow", "dog", "elk")
	list.Counts = []int{4, 0, 3, 0}
	got, notes, err := list.Parse("cat-elk,0-2,none")
	if err != nil || !slices.Equal(got, []int32{0, 2, 0, 2, 4}) || len(notes) != 2 ||
		notes[0].Text != "cat-elk leaves out the classes without a picture to train on: cow, elk" {
		t.Errorf("%v, %v, %v", got, notes, err)
	}
	for text, want := range map[string]string{
		"cow": `class "cow": it had no picture to train on: the classes with pictures are cat, dog`,
		"3":   `class "elk": it had no picture`, "3-3": "none of these classes had a picture to train on",
	} {
		if got, _, err := list.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v, want %q", text, got, err, want)
		}
	}
}

// Of any classes, the name of each is found in quotation marks, alone and in a list; as it is where
// it is not in quotation marks itself and no comma makes a list of it; and by its number where no
// class is called by a number.
func TestEveryNameIsFound(t *testing.T) {
	letter := rapid.SampledFrom([]rune("aAbé0129,, -\"n"))
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringOfN(letter, 0, 5, -1), 1, 6, rapid.ID).Draw(t, "names")
		list := classesOf(names...)
		var all []string
		var want []int32
		for i, name := range names {
			all, want = append(all, quoted(name)), append(want, int32(i))
			if got, _, err := list.Parse(quoted(name)); err != nil || !slices.Equal(got, []int32{int32(i)}) {
				t.Fatalf("%s of %q is %v, %v", quoted(name), names, got, err)
			}
			if strings.ContainsAny(name, `"`) {
				continue
			}
			if got, _, err := list.Parse(name); err != nil || !slices.Equal(got, []int32{int32(i)}) {
				t.Fatalf("%q of %q is %v, %v", name, names, got, err)
			}
		}
		if got, _, err := list.Parse(strings.Join(all, ", ")); err != nil || !slices.Equal(got, want) {
			t.Fatalf("all of %q are %v, %v", names, got, err)
		}
	})
}

// Any text is read or refused, and what is read are rows of the embedding.
func TestAnyText(t *testing.T) {
	letter := rapid.SampledFrom([]rune("aA0129,,--\" none"))
	rapid.Check(t, func(t *rapid.T) {
		list := classesOf(rapid.SliceOfN(rapid.StringOfN(letter, 0, 4, -1), 1, 6).Draw(t, "names")...)
		for range list.N {
			list.Counts = append(list.Counts, rapid.IntRange(0, 1).Draw(t, "count"))
		}
		rows, _, err := list.Parse(rapid.StringOfN(letter, 0, 12, -1).Draw(t, "text"))
		if (len(rows) == 0) != (err != nil) {
			t.Fatalf("%v, %v", rows, err)
		}
		for _, row := range rows {
			if row < 0 || int(row) > list.N || int(row) < list.N && list.Counts[row] == 0 {
				t.Fatalf("rows %v of %v", rows, list.Counts)
			}
		}
	})
}
