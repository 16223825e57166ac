//go:build arm64 && !noasm && !purego

package asm

var neon = target{"NEON", 4, 4, supports("NEON")}

var productRoutines = []productRoutine{
	{neon, 3, 16, Product2x3x16NEON},
	{neon, 2, 16, Product2x2x16NEON},
	{neon, 1, 16, Product2x1x16NEON},
}

var outerRoutines = []outerRoutine{
	{neon, 6, 16, Outer6x16NEON},
	{neon, 4, 16, Outer4x16NEON},
	{neon, 2, 16, Outer2x16NEON},
	{neon, 1, 16, Outer1x16NEON},
}

var channelsRoutines = map[string][]implementation[Channels]{
	"Moments":      {{neon, MomentsNEON}},
	"Affine":       {{neon, AffineNEON}},
	"AffineSiLU":   {{neon, AffineSiLUNEON}},
	"NormSums":     {{neon, NormSumsNEON}},
	"NormSiLUSums": {{neon, NormSiLUSumsNEON}},
	"NormGrad":     {{neon, NormGradNEON}},
	"NormGradAdd":  {{neon, NormGradAddNEON}},
	"ColumnSums":   {{neon, ColumnSumsNEON}},
	"Maxima":       {{neon, MaximaNEON}},
	"ExpSums":      {{neon, ExpSumsNEON}},
	"SoftmaxGrad":  {{neon, SoftmaxGradNEON}},
	"AddMap":       {{neon, AddMapNEON}},
}

var fetchRoutines = map[string][]implementation[Fetch]{
	"Fetch": {{neon, FetchNEON}},
}

var vectorsRoutines = map[string][]implementation[Vectors]{
	"Add":        {{neon, AddNEON}},
	"Lerp":       {{neon, LerpNEON}},
	"SumSquares": {{neon, SumSquaresNEON}},
	"AdamW":      {{neon, AdamWNEON}},
	"Exp":        {{neon, ExpNEON}},
	"Peak":       {{neon, PeakNEON}},
}

var transformRoutines = map[string][]implementation[Transform]{
	"B4":  {{neon, TransformB4NEON}},
	"A4":  {{neon, TransformA4NEON}},
	"AT4": {{neon, TransformAT4NEON}},
	"G4":  {{neon, TransformG4NEON}},
	"GT4": {{neon, TransformGT4NEON}},
	"P4":  {{neon, TransformP4NEON}},
	"B2":  {{neon, TransformB2NEON}},
	"A2":  {{neon, TransformA2NEON}},
	"P2":  {{neon, TransformP2NEON}},
	"AT2": {{neon, TransformAT2NEON}},
	"G2":  {{neon, TransformG2NEON}},
	"GT2": {{neon, TransformGT2NEON}},
}
