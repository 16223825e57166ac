package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// rowsOf returns the rows of the label embedding of a run's model.
func rowsOf(t *testing.T, dir string) (rows [][]float32) {
	t.Helper()
	for _, tensor := range roomtest.Tensors(t, dir, model.File) {
		if tensor.Name == labelWeights {
			for row := range slices.Chunk(tensor.F32, tensor.Shape[1]) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// A network goes on with images of another size and with other classes. A note says what was taken
// over; what was is the same, and rows of classes of the same name go with the name.
func TestInitAdapts(t *testing.T) {
	first := smallRun(t)
	first.Source, first.Steps = &roomtest.Patterns{N: 12, H: 8, W: 8, C: 1, Names: []string{"a", "b", "c"}}, 2
	mustTrain(t, first)
	had := rowsOf(t, first.Out)
	for _, test := range []struct {
		name        string
		data        *roomtest.Patterns
		conditional Conditional
		note        string
		rows        []int // the row that each row was
	}{
		{"the same", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"a", "b", "c"}}, "", "", []int{0, 1, 2, 3}},
		{"larger", &roomtest.Patterns{N: 9, H: 12, W: 16, C: 1, Names: []string{"a", "b", "c"}}, "",
			"for images of 16x12 instead of 8x8", []int{0, 1, 2, 3}},
		{"fewer classes", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"c", "d"}}, "",
			"with 1 class of the same name: the other 1 class begins as no class does", []int{2, 3, 3}},
		{"other classes", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"p", "q", "r", "s"}}, "",
			"the 4 classes of the data begin as no class does", []int{3, 3, 3, 3, 3}},
		{"as many others", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"p", "q", "r"}}, "",
			"the 3 classes of the data begin as no class does", []int{3, 3, 3, 3}},
		{"some classes", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"c", "a"}}, "",
			"with 2 of its 3 classes", []int{2, 0, 3}},
		{"another order", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"b", "a", "c"}}, "",
			"in the order of the data", []int{1, 0, 2, 3}},
		{"no labels", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1}, "", "without its 3 classes", nil},
		{"not conditional", &roomtest.Patterns{N: 9, H: 8, W: 8, C: 1, Names: []string{"a", "b"}}, ConditionalNo,
			"without its 3 classes", nil},
	} {
		o := smallRun(t)
		o.Source, o.Init, o.Network, o.Conditional = test.data, first.Out, nil, test.conditional
		o.Steps, o.LR, o.EMA = 1, 1e-12, option.None // a step that moves nothing
		notes := ""
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				notes += e.Text + "\n"
			}
		}
		mustTrain(t, o)
		if !strings.Contains(notes, test.note) || (test.note == "") == strings.Contains(notes, "taken over") {
			t.Errorf("%s: notes %q", test.name, notes)
		}
		rows := rowsOf(t, o.Out)
		if len(rows) != len(test.rows) {
			t.Errorf("%s: %d rows, want %d", test.name, len(rows), len(test.rows))
			continue
		}
		for i, of := range test.rows {
			same := slices.IndexFunc(had, func(row []float32) bool { return near(row, rows[i]) })
			if same != of {
				t.Errorf("%s: row %d was row %d, want %d", test.name, i, same, of)
			}
		}
	}
}

// near reports whether numbers differ by less than a step of [TestInitAdapts] moves them.
func near(a, b []float32) bool {
	for i := range a {
		if d := a[i] - b[i]; d > 1e-6 || d < -1e-6 {
			return false
		}
	}
	return true
}
