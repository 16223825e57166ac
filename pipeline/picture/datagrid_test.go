package picture

import (
	"image/color"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/roomtest"
)

// A set with classes has a row for each class, a set without them has images from all over it.
func TestDataGrid(t *testing.T) {
	for _, c := range []struct {
		source dataset.Source
		w, h   int
	}{
		// A row for each class; 8 pixels become 48.
		{roomtest.Digits(), 2 + 12*(48+2), 2 + 3*(48+2)},
		{&roomtest.Patterns{N: 30, H: 32, W: 32, C: 3}, 2 + 12*34, 2 + 3*34},
	} {
		m, err := DataGrid(c.source)
		if err != nil || m.Bounds().Dx() != c.w || m.Bounds().Dy() != c.h {
			t.Errorf("picture of %v, %v, want %dx%d", m.Bounds(), err, c.w, c.h)
		}
	}
	m, err := DataGrid(&roomtest.Patterns{N: 5, H: 48, W: 48, C: 1, Names: []string{"a", "b", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	// Class c has image 2 alone. The rest of its row stays gray.
	if got := color.GrayModel.Convert(m.At(2+50+10, 2+100+10)).(color.Gray).Y; got != gutter {
		t.Errorf("a missing image is %d", got)
	}
}
