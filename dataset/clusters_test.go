package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// colourFolder makes n pictures of 8x8 in some colours that are far apart, in turn, with a little
// of their own.
func colourFolder(t *testing.T, n int, colours ...color.NRGBA) string {
	t.Helper()
	folder := t.TempDir()
	for i := range n {
		m := image.NewNRGBA(image.Rect(0, 0, 8, 8))
		for k := range 64 {
			m.SetNRGBA(k%8, k/8, colours[i%len(colours)])
		}
		m.SetNRGBA(i%8, i/8%8, color.NRGBA{128, 128, 128, 255})
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.png", i)), encodedPNG(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

var threeColours = []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}}

// clustered opens a folder with clusters of it.
func clustered(t *testing.T, path string, o Options) *Set {
	t.Helper()
	set, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// The clusters of pictures in three colours are the colours, of those held out too, and the same
// whether they are found or known.
func TestClustersAreClasses(t *testing.T) {
	folder := colourFolder(t, 90, threeColours...)
	o := Options{Width: 8, Height: 8, Labels: "clusters:3", HoldOut: 0.2, Seed: 3}
	set := clustered(t, folder, o)
	names := []string{"cluster 0", "cluster 1", "cluster 2"}
	if !slices.Equal(set.Train.Classes(), names) || !slices.Equal(set.Test.Classes(), names) || set.Test.Len() != 18 {
		t.Fatalf("classes %v and %v of %d images", set.Train.Classes(), set.Test.Classes(), set.Test.Len())
	}
	o.Clusters = set.Clusters
	o.Seed++ // holds other images out
	for _, set := range []*Set{set, clustered(t, folder, o)} {
		of := map[[3]float32]int{} // the cluster of each colour
		for _, s := range []Source{set.Train, set.Test} {
			stored, ok := StoredLabels(s)
			for i := range s.Len() {
				var pixels [8 * 8 * 3]float32
				label := s.Image(i, pixels[:])
				colour := [3]float32{pixels[189], pixels[190], pixels[191]}
				if before, seen := of[colour]; !ok || seen && before != label || int(stored[i]) != label {
					t.Errorf("image %d of %s: cluster %d, stored %d, of its colour %d", i, s.Name(), label, stored[i], before)
				}
				of[colour] = label
			}
		}
	}
}

func TestClustersOfFewImages(t *testing.T) {
	folder := colourFolder(t, 64, threeColours...)
	few := colourFolder(t, 30, threeColours...)
	same := t.TempDir()
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(same, fmt.Sprintf("%d.png", i)), encodedPNG(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		path, labels string
		want         int // classes
		note         string
	}{
		{folder, "clusters:3", 3, "the classes are 3 clusters of images that look alike"},
		{folder, "clusters:32", 3, "3 clusters, not 32: a cluster needs 20 of the 64 images"},
		{folder, "clusters", 0, "64 images are too few"},
		{folder, "none", 0, ""},
		{folder, "", 0, ""},
		{few, "clusters:2", 0, "30 images are too few for clusters, which need 20 images each"},
		{same, "clusters:2", 0, "all images are the same"},
	} {
		set := clustered(t, test.path, Options{Width: 8, Height: 8, Labels: test.labels})
		notes := fmt.Sprint(set.Notes)
		if len(set.Train.Classes()) != test.want || !strings.Contains(notes, test.note) {
			t.Errorf("%s of %d images: classes %v, notes %s", test.labels, set.Train.Len(), set.Train.Classes(), notes)
		}
		if (set.Clusters != nil) != (test.want > 0) {
			t.Errorf("%s of %d images: clusters %v", test.labels, set.Train.Len(), set.Clusters)
		}
	}
}

// Clusters take the place of digits, with a note, and of folders.
func TestClustersReplaceLabels(t *testing.T) {
	if testing.Short() {
		t.Skip("it finds clusters of 60,000 images, which takes a minute under the race detector")
	}
	set := clustered(t, "mnist", Options{Labels: "clusters:10"})
	if c := set.Train.Classes(); len(c) != 10 || c[9] != "cluster 9" || !strings.Contains(fmt.Sprint(set.Notes), "its 10 classes are not used") {
		t.Errorf("classes %v, notes %v", c, set.Notes)
	}
	labels, ok := StoredLabels(set.Test)
	if !ok || len(labels) != set.Test.Len() || slices.Max(labels) != 9 || slices.Min(labels) != 0 {
		t.Errorf("labels of %d test images from %d to %d", len(labels), slices.Min(labels), slices.Max(labels))
	}
	again := clustered(t, "mnist", Options{})
	if again.Train.Classes()[3] != "3" {
		t.Errorf("the classes of the embedded set are changed: %v", again.Train.Classes())
	}
}

func TestParseClusters(t *testing.T) {
	for _, test := range []struct {
		labels string
		count  int
		ok     bool
		err    bool
	}{
		{"clusters", 0, true, false},
		{"clusters:32", 32, true, false},
		{"clusters:2", 2, true, false},
		{"clusters:1024", 1024, true, false},
		{"clusters:1", 0, true, true},
		{"clusters:1025", 0, true, true},
		{"clusters:-4", 0, true, true},
		{"clusters:", 0, true, true},
		{"clusters:many", 0, true, true},
		{"clusters.csv", 0, false, false},
		{"folders", 0, false, false},
		{"", 0, false, false},
	} {
		count, ok, err := ParseClusters(test.labels)
		if err == nil && count != test.count || ok != test.ok || (err != nil) != test.err {
			t.Errorf("%q: %d, %v, %v", test.labels, count, ok, err)
		}
	}
}

func TestClustersFor(t *testing.T) {
	for _, test := range []struct{ n, want int }{
		{0, 0}, {199, 0}, {200, 4}, {500, 10}, {1599, 31}, {1600, 32}, {3600, 32}, {1 << 20, 32},
	} {
		if got := ClustersFor(test.n); got != test.want || got*imagesPerCluster > test.n {
			t.Errorf("%d images: %d clusters, want %d", test.n, got, test.want)
		}
	}
}
