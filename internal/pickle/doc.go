// Package pickle reads Python's pickles (PEP 307, PEP 3154, PEP 574) as data, and runs none of what
// they ask for: a call that a pickle wants to make is a [Call] with its arguments, and nothing
// else.
//
// A value is nil, a bool, an int64, a float64, [Text], [Bytes], [Tuple], [*List], [*Dict],
// [Global], [*Call] or [Persistent]. Long texts and bytes share the memory of the input. A pickle
// may refer to a value twice, or to a list from inside itself, so whoever walks over values bounds
// the depth.
//
// Libraries take memory on the word of a length, which a damaged or hostile file may put at 2⁶³;
// here lengths are checked against the input first, and the number of steps is bounded by it.
package pickle
