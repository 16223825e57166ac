//go:build !js

package page_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// imported returns what an expression is, with a module of the page as m.
func imported[T any](b *tab, module, expression string) T {
	b.Helper()
	script := fmt.Sprintf(`import("/page/%s").then((m) => %s)`, module, expression)
	v, err := chromedp.Run(b.Ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Lists of classes are written as the command line takes them, and read back.
func TestClassLists(t *testing.T) {
	b := open(t, serveAll(t), "/#draw?count=1")
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"7"}, `7`},
		{[]string{"ankle boot", "bag"}, `ankle boot,bag`},
		{[]string{"b, c", "d"}, `"b, c",d`},
		{[]string{`the "best"`, " x"}, `"the ""best"""," x"`},
		{[]string{"", `"`}, `"",""""`},
		{[]string{"ä", "0-9"}, `ä,0-9`},
	} {
		names, err := json.Marshal(c.names)
		if err != nil {
			t.Fatal(err)
		}
		list := imported[string](b, "classes.js", fmt.Sprintf("%s.map(m.quote).join()", names))
		if list != c.want {
			t.Errorf("%q are written %s, want %s", c.names, list, c.want)
		}
		back := imported[[]string](b, "classes.js", fmt.Sprintf("m.split(%q)", list))
		if !slices.Equal(back, c.names) {
			t.Errorf("%s is read as %q, want %q", list, back, c.names)
		}
	}
}

// The numbers at the axes of a plot are round and lie within it.
func TestScales(t *testing.T) {
	b := open(t, serveAll(t), "/#draw?count=1")
	for _, c := range []struct {
		scale string
		want  []float64
	}{
		{"m.linear(0, 10, 5)", []float64{0, 2, 4, 6, 8, 10}},
		{"m.linear(0.12, 0.31, 4)", []float64{0.15, 0.2, 0.25, 0.3}},
		{"m.linear(-1, 1, 4)", []float64{-1, -0.5, 0, 0.5, 1}},
		{"m.linear(3, 3, 3)", []float64{2, 3, 4}},
		{"m.linear(0, 0, 2)", []float64{-0.5, 0, 0.5}},
		{"m.linear(1, 199, 3)", []float64{50, 100, 150}},
		{"m.linear(1, 1.0000000000000002, 3)", []float64{0.5, 1, 1.5}},
		{"m.logarithmic(0.01, 100000)", []float64{0.01, 0.1, 1, 10, 100, 1000, 10000, 100000}},
		{"m.logarithmic(0.03, 3)", []float64{0.05, 0.1, 0.2, 0.5, 1, 2}},
		{"m.logarithmic(1.1, 1.6)", []float64{1.1, 1.2, 1.3, 1.4, 1.5, 1.6}},
	} {
		if got := imported[[]float64](b, "scale.js", c.scale+".ticks"); !slices.Equal(got, c.want) {
			t.Errorf("%s: ticks %v, want %v", c.scale, got, c.want)
		}
		ends := imported[[]float64](b, "scale.js",
			fmt.Sprintf("((s) => [s.at(s.value(0)), s.at(s.value(0.25)), s.at(s.value(1))])(%s)", c.scale))
		for i, want := range []float64{0, 0.25, 1} {
			if d := ends[i] - want; d > 1e-9 || d < -1e-9 {
				t.Errorf("%s: place %v leads to a number whose place is %v", c.scale, want, ends[i])
			}
		}
	}
}

// A curve that is thinned keeps its ends and its peaks, however often that is done.
func TestThinning(t *testing.T) {
	b := open(t, serveAll(t), "/#draw?count=1")
	const grown = `(() => {
		const curves = new m.Curves();
		const loss = (step) => step === 7777 ? 3.5 : step === 9002 ? -1 : 0.2 + 1 / step;
		for (let from = 0; from < 12000; from += 40) {
			const more = Array.from({ length: 40 }, (_, i) => [from + i + 1, loss(from + i + 1)]);
			curves.add({ from, loss: more });
		}
		const points = curves.points.loss;
		const ordered = points.every(([step], i) => i === 0 || points[i - 1][0] < step);
		const has = (step) => Number(points.some(([at, value]) => at === step && value === loss(step)));
		return [points.length <= 1500, ordered, has(1), has(7777), has(9002), has(12000)].map(Number);
	})()`
	if got := imported[[]int](b, "curves.js", grown); !slices.Equal(got, []int{1, 1, 1, 1, 1, 1}) {
		t.Errorf("few points, in order, and those of steps 1, 7777, 9002, 12000: %v", got)
	}
	for _, c := range []struct {
		points string
		count  int
		want   []float64
	}{
		{"[]", 4, []float64{}},
		{"[[5, 1]]", 4, []float64{5}},
		{"[[1, 3], [2, 9], [3, 0], [4, 2], [5, 2]]", 4, []float64{1, 2, 3, 5}},
		{"[[1, 3], [2, 3], [3, 3], [4, 3], [5, 3]]", 4, []float64{1, 5}},
		{"[[1, 0], [2, 1], [3, 2], [4, 1], [900, 5], [901, 4], [902, 6]]", 6, []float64{1, 3, 901, 902}},
	} {
		got := imported[[]float64](b, "curves.js", fmt.Sprintf("m.thin(%s, %d).map(([step]) => step)", c.points, c.count))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, at most %d: steps %v, want %v", c.points, c.count, got, c.want)
		}
	}
}
