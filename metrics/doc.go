// Package metrics measures how well generated images stand for real ones: the mathematics of the scores,
// over features, pixels and classes as numbers. It knows no file and no generator.
//
// # Notation
//
//	x, y     a row: one image, as the features that a network makes of it or as its pixels
//	N, D     number of rows, numbers in each
//	μ, Σ     mean [D] and unbiased covariance [D][D] of a set's rows: a [Gaussian]
//	d(x,y)   = ‖x − y‖, Euclidean
//	k        number of neighbours; the radius of a ball around x is the distance to the k-th of the others
//
//	Fréchet distance     ‖μ1−μ2‖² + tr(Σ1 + Σ2 − 2(Σ1^½·Σ2·Σ1^½)^½)           [Frechet]
//	kernel distance      E k(x,x') + E k(y,y') − 2 E k(x,y), k = (x·y/D + 1)³  [KID]
//	precision, recall    share of one set inside the balls of the other        [PrecisionRecall]
//	nearest distance     min over references of d(query, reference)            [Nearest]
//	class agreement      share of images recognised as the class asked for     [ClassAgreement]
//
// The sources are with the functions. The Fréchet distance on features of a network other than
// Inception is a number of its own: it compares models that were measured alike, and nothing else.
//
// # Shapes
//
// A set is [Features]: N rows of D float32, row after row. References that are too many to hold as float32 are
// [References], a function that fills in some rows at a time. A wrong shape is a bug of the caller and
// panics with both shapes; rows too few for a score and numbers that are not finite are errors.
//
// # Numbers
//
// What compares all pairs takes their inner products by the float32 matrix product of package kernels, with
// d² = ‖x‖² + ‖y‖² − 2x·y. Its rounding is bounded, and where it could decide (is this one nearer, does it lie
// in the ball?) the distance is computed anew from the rows in float64. So [Nearest] and [PrecisionRecall]
// give what float64 alone would give, on every instruction set. KID keeps products of float32, so
// its last digits, of some 1e-7 of the kernel's mean, depend on the instruction set. Moments are summed in float64.
//
// # Work and memory
//
// [Compute] says on which instruction set a function runs, and how its parts are spread over
// goroutines; the package starts none (gonum's product of large matrices does). Parts are cut and put
// together alike however many run at once, so that their number changes no bit.
//
// Comparing N queries with references of D numbers takes, beside the queries, as much memory again for
// their packed form, 4·1008·D bytes of references, and 500 bytes a query. Moments take 8·D² bytes and
// those of 512 rows in float64. Results are the caller's; arguments are not kept or written to.
package metrics
