package kernels

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/asm"

	"pgregory.net/rapid"
)

// Each part is within the limit. Together, the parts are all iterations in order.
func TestEachPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 12)
		n2, n1, n0 := count.Draw(t, "n2"), count.Draw(t, "n1"), count.Draw(t, "n0")
		most := rapid.IntRange(1, 400).Draw(t, "most")
		next, parts := 0, 0
		eachPart(n2, n1, n0, most, func(p part) {
			parts++
			if size := p.n2 * p.n1 * p.n0; size < 1 || size > most {
				t.Fatalf("a part has %d iterations, more than %d or none", size, most)
			}
			for i := range p.n2 * p.n1 * p.n0 {
				i2, i1, i0 := p.i2+i/(p.n1*p.n0), p.i1+i/p.n0%p.n1, p.i0+i%p.n0
				if (i2*n1+i1)*n0+i0 != next {
					t.Fatalf("part %+v is out of order, or iterations before it are missing", p)
				}
				next++
			}
		})
		if next != n2*n1*n0 || n2*n1*n0 <= most && parts != 1 {
			t.Fatalf("%d parts have %d of %d iterations", parts, next, n2*n1*n0)
		}
	})
}

// The longest call of each family, for any shape, is counted in cycles: one for a multiply-add of
// registers, 200 for a tile of a transform, 40 for a register of a walk. At 3 GHz, 165,000 cycles
// are 55 µs.
func TestLimitsOfCalls(t *testing.T) {
	for isa := range ISA(len(tilesOf)) {
		if isa == Generic {
			continue // Go code can be preempted
		}
		const n = 1000 // channels, for the widest tiles
		longest, tallest := isa.segmentCosts()[0].length, isa.outerRows()[0]
		for what, cycles := range map[string]int{
			"product":       maxSteps * 2 * longest * isa.tileCols(n) / isa.lanes(),
			"outer product": maxSteps * tallest * isa.tileCols(n) / isa.lanes(),
			"transform":     maxTiles * 200,
			"walk":          isa.piece() / isa.lanes() * 40,
		} {
			if cycles > 165_000 || cycles < 30_000 {
				t.Errorf("%v: the longest call of a %s takes %d cycles", isa, what, cycles)
			}
		}
	}
}

// withLimits calls f while other limits hold.
func withLimits(steps, tiles, registers int, f func()) {
	before := [...]int{maxSteps, maxTiles, maxRegisters}
	defer func() { maxSteps, maxTiles, maxRegisters = before[0], before[1], before[2] }()
	maxSteps, maxTiles, maxRegisters = steps, tiles, registers
	f()
}

// All operations are right when calls are cut as often as possible.
func TestCutCalls(t *testing.T) {
	withLimits(6, 6, 6, func() {
		for name, test := range map[string]func(*testing.T){
			"conv": TestConv, "norm": TestGroupNorm, "rows": TestRowsOfMaps, "attention": TestAttention,
			"vectors": TestFlatVectors, "squares": TestSumSquares, "AdamW": TestAdamW,
			"conv of bfloat16": TestConvBF16, "norm of bfloat16": TestGroupNormBF16,
			"attention in bfloat16": TestAttentionInBF16, "maps of bfloat16": TestMapsInBF16,
			"allocations": TestOperationsDoNotAllocate,
		} {
			t.Run(name, test)
		}
	})
}

// A walk in parts writes the same maps as the walk in one piece, to the bit, and the same sums up
// to rounding. A new walk whose sums must not simply be added fails here.
func TestCutWalks(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for i, name := range walkNames {
			if strings.Contains(name, "BF16") { // a variant of the walk before
				continue
			}
			testCutWalk(t, isa, walkRoutine(i), name, 0)
			if i >= len(bf16Walks) {
				continue
			}
			for formats, variant := range bf16Walks[i] {
				if variant != 0 {
					testCutWalk(t, isa, walkRoutine(i), walkNames[variant], asm.Formats(formats))
				}
			}
		}
	})
}

// testCutWalk runs a walk over maps of which some are bfloat16.
func testCutWalk(t *testing.T, isa ISA, routine walkRoutine, name string, formats asm.Formats) {
	t.Helper()
	const c, w, h = 35, 9, 7
	run := func() (maps []Map, sums [2][]float32) {
		rng := rand.New(rand.NewPCG(uint64(routine), 9))
		for i := range 3 {
			m, _ := testMap(rng, 1, h, w, c, 2, 3, 1)
			if formats>>i&1 == 1 {
				half := BF16.NewMap(1, h, w, c)
				half.Load(dense(m))
				m = half
			}
			maps = append(maps, m)
		}
		walk := walkOver(0, &maps[0], &maps[1], &maps[2])
		sums = [2][]float32{make([]float32, c), make([]float32, c)}
		walk.P0, walk.P1 = pointer(randoms(rng, c)), pointer(randoms(rng, c))
		walk.P2, walk.P3 = pointer(randoms(rng, c)), pointer(randoms(rng, c))
		walk.S0, walk.S1 = pointer(sums[0]), pointer(sums[1])
		isa.walk(routine, walk)
		return maps, sums
	}
	maps, sums := run()
	var cutMaps []Map
	var cutSums [2][]float32
	withLimits(maxSteps, maxTiles, 5, func() { cutMaps, cutSums = run() })
	for i, m := range maps {
		mustBeSame(t, fmt.Sprintf("map %d of %s", i, name), dense(cutMaps[i]), dense(m))
	}
	for i, s := range sums {
		for k, v := range s { // a sum of up to 63 terms, which may cancel
			if d := math.Abs(float64(cutSums[i][k] - v)); !(d <= 1e-4*(1+math.Abs(float64(v)))) {
				t.Errorf("sum %d of %s, channel %d, is %g in parts, %g in one piece", i, name, k, cutSums[i][k], v)
			}
		}
	}
}

// These shapes exceed the real limits: products and sums of outer products over thousands of pixels
// and channels, and a walk over a map of 20,000 pixels.
func TestLongCalls(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, p := range longProblems() {
			s := p.shape
			t.Run(fmt.Sprintf("%v/%dx%d,%d-%d", s.Kind, s.H, s.W, s.IC, s.OC), func(t *testing.T) {
				for _, plan := range algorithms(s) {
					p.test(t, isa, plan)
				}
			})
		}
		rng := rand.New(rand.NewPCG(8, 8))
		m, intact := testMap(rng, 1, 100, 200, 19, 3, 1, 1)
		sums, want := make([]float32, 19), make([]float64, 19)
		for i, v := range dense(m) {
			want[i%19] += float64(v)
		}
		isa.SumRows(sums, m)
		mustBeNear(t, "sums over a large map", sums, want, norm2(dense(m)), normBound)
		mustBeIntact(t, intact)
	})
}

func longProblems() []*convProblem {
	return []*convProblem{
		newConvProblem(Same3, 1, 1, 2, 2, 480, 3),
		newConvProblem(Point, 2, 1, 1, 2, 4100, 2),
		newConvProblem(Point, 3, 1, 1, 4200, 4, 3),
		newConvProblem(Same3, 4, 1, 4, 4, 1040, 16),
	}
}

// callersOf lists the functions that may call assembly without checking a limit, and for each the
// functions that may call it. "walk…" stands for walkAVX2 and the same function for other
// targets.
var callersOf = map[string][]string{
	"walkVectors": {"walk", "cutWalk"}, "walk…": {"walkVectors"},
	"flatVectors": {"flat"}, "flat…": {"flatVectors"},
	"product…": {"product"}, "outer…": {"outer"}, "transform…": {"transform"},
	"fetch": {"fetchAhead"},                   // of aheadBytes, or of a pixel
	"pairs": {"columns"}, "pairs…": {"pairs"}, // maxPairCycles, or a tile
	"pairPeak": {"PeakBF16"},
}

// cutters lists the functions that call assembly, or a function for one target, below a limit; each
// begins with a call of its cutter for longer calls.
var cutters = map[string]string{"product": "cutProduct", "outer": "cutOuter", "transform": "cutTransform",
	"interleave": "cutInterleave", "turn": "cutTurn"}

// Every call to the assembly is limited.
func TestAllCallsAreCut(t *testing.T) {
	var targets []string
	for _, isa := range tilesOf[1:] {
		targets = append(targets, isa.target)
	}
	routine := regexp.MustCompile(`^asm\..*(` + strings.Join(targets, "|") + `)$`)
	forTarget := regexp.MustCompile(`^([a-z]+)(` + strings.Join(targets, "|") + `)$`)
	found := 0
	for name, file := range parsePackage(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			caller := forTarget.ReplaceAllString(f.Name.Name, "$1…")
			if cutter := cutters[caller]; cutter != "" && name != "dispatch_other.go" && !beginsWithCall(f, cutter) {
				t.Errorf("%s: %s does not begin with %s for long calls", name, caller, cutter)
			}
			for _, callee := range calls(f.Body) {
				allowed, known := callersOf[forTarget.ReplaceAllString(callee, "$1…")]
				if known && !slices.Contains(allowed, caller) {
					t.Errorf("%s: %s calls %s past its limit", name, caller, callee)
				}
				if routine.MatchString(callee) {
					found++
					if cutters[caller] == "" && callersOf[caller] == nil {
						t.Errorf("%s: %s calls %s past its limit", name, caller, callee)
					}
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("found only %d calls of routines", found)
	}
}

// parsePackage parses the sources of all architectures, without tests.
func parsePackage(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// calls lists the names of the functions that are called; "asm." stands before those of package
// asm.
func calls(n ast.Node) []string {
	var names []string
	ast.Inspect(n, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			switch f := c.Fun.(type) {
			case *ast.Ident:
				names = append(names, f.Name)
			case *ast.SelectorExpr:
				name := f.Sel.Name
				if x, ok := f.X.(*ast.Ident); ok && x.Name == "asm" {
					name = "asm." + name
				}
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

// beginsWithCall reports whether a function begins with an if that calls callee and returns.
func beginsWithCall(f *ast.FuncDecl, callee string) bool {
	branch, ok := f.Body.List[0].(*ast.IfStmt)
	if !ok || len(branch.Body.List) != 2 || !slices.Contains(calls(branch.Body), callee) {
		return false
	}
	_, returns := branch.Body.List[1].(*ast.ReturnStmt)
	return returns
}
