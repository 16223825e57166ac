//go:build amd64 && !noasm && !purego

package asm

var (
	avx2   = target{"AVX2", 8, 1, supports("AVX2")}
	avx512 = target{"AVX512", 16, 1, supports("AVX512")}
)

var productRoutines = []productRoutine{
	{avx2, 3, 16, Product2x3x16AVX2},
	{avx2, 2, 16, Product2x2x16AVX2},
	{avx2, 1, 16, Product2x1x16AVX2},
	{avx512, 7, 32, Product2x7x32AVX512},
	{avx512, 4, 32, Product2x4x32AVX512},
	{avx512, 2, 32, Product2x2x32AVX512},
	{avx512, 1, 32, Product2x1x32AVX512},
	{avx512, 7, 16, Product2x7x16AVX512},
	{avx512, 4, 16, Product2x4x16AVX512},
	{avx512, 2, 16, Product2x2x16AVX512},
	{avx512, 1, 16, Product2x1x16AVX512},
}

var outerRoutines = []outerRoutine{
	{avx2, 6, 16, Outer6x16AVX2},
	{avx2, 4, 16, Outer4x16AVX2},
	{avx2, 2, 16, Outer2x16AVX2},
	{avx2, 1, 16, Outer1x16AVX2},
	{avx512, 8, 32, Outer8x32AVX512},
	{avx512, 4, 32, Outer4x32AVX512},
	{avx512, 2, 32, Outer2x32AVX512},
	{avx512, 1, 32, Outer1x32AVX512},
	{avx512, 8, 16, Outer8x16AVX512},
	{avx512, 4, 16, Outer4x16AVX512},
	{avx512, 2, 16, Outer2x16AVX512},
	{avx512, 1, 16, Outer1x16AVX512},
}

var channelsRoutines = map[string][]implementation[Channels]{
	"Moments":      {{avx2, MomentsAVX2}, {avx512, MomentsAVX512}},
	"Affine":       {{avx2, AffineAVX2}, {avx512, AffineAVX512}},
	"AffineSiLU":   {{avx2, AffineSiLUAVX2}, {avx512, AffineSiLUAVX512}},
	"NormSums":     {{avx2, NormSumsAVX2}, {avx512, NormSumsAVX512}},
	"NormSiLUSums": {{avx2, NormSiLUSumsAVX2}, {avx512, NormSiLUSumsAVX512}},
	"NormGrad":     {{avx2, NormGradAVX2}, {avx512, NormGradAVX512}},
	"NormGradAdd":  {{avx2, NormGradAddAVX2}, {avx512, NormGradAddAVX512}},
	"ColumnSums":   {{avx2, ColumnSumsAVX2}, {avx512, ColumnSumsAVX512}},
	"Maxima":       {{avx2, MaximaAVX2}, {avx512, MaximaAVX512}},
	"ExpSums":      {{avx2, ExpSumsAVX2}, {avx512, ExpSumsAVX512}},
	"SoftmaxGrad":  {{avx2, SoftmaxGradAVX2}, {avx512, SoftmaxGradAVX512}},
	"AddMap":       {{avx2, AddMapAVX2}, {avx512, AddMapAVX512}},
}

var fetchRoutines = map[string][]implementation[Fetch]{
	"Fetch": {{avx2, FetchAVX2}, {avx512, FetchAVX512}},
}

var vectorsRoutines = map[string][]implementation[Vectors]{
	"Add":        {{avx2, AddAVX2}, {avx512, AddAVX512}},
	"Lerp":       {{avx2, LerpAVX2}, {avx512, LerpAVX512}},
	"SumSquares": {{avx2, SumSquaresAVX2}, {avx512, SumSquaresAVX512}},
	"AdamW":      {{avx2, AdamWAVX2}, {avx512, AdamWAVX512}},
	"Exp":        {{avx2, ExpAVX2}, {avx512, ExpAVX512}},
	"Peak":       {{avx2, PeakAVX2}, {avx512, PeakAVX512}},
}

var transformRoutines = map[string][]implementation[Transform]{
	"B4":  {{avx2, TransformB4AVX2}, {avx512, TransformB4AVX512}},
	"A4":  {{avx2, TransformA4AVX2}, {avx512, TransformA4AVX512}},
	"AT4": {{avx2, TransformAT4AVX2}, {avx512, TransformAT4AVX512}},
	"G4":  {{avx2, TransformG4AVX2}, {avx512, TransformG4AVX512}},
	"GT4": {{avx2, TransformGT4AVX2}, {avx512, TransformGT4AVX512}},
	"P4":  {{avx2, TransformP4AVX2}, {avx512, TransformP4AVX512}},
	"B2":  {{avx2, TransformB2AVX2}, {avx512, TransformB2AVX512}},
	"A2":  {{avx2, TransformA2AVX2}, {avx512, TransformA2AVX512}},
	"P2":  {{avx2, TransformP2AVX2}, {avx512, TransformP2AVX512}},
	"AT2": {{avx2, TransformAT2AVX2}, {avx512, TransformAT2AVX512}},
	"G2":  {{avx2, TransformG2AVX2}, {avx512, TransformG2AVX512}},
	"GT2": {{avx2, TransformGT2AVX2}, {avx512, TransformGT2AVX512}},
}
