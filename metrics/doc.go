// Package metrics measures how well generated images stand for real ones. It holds the mathematics
// of the scores, over rows of numbers: features, pixels, classes. It does not know files, networks
// or generators.
//
// # Notation
//
//	x, y     rows: each is one image, as its features or as its pixels
//	N, D     rows of a set, numbers of a row
//	μ, Σ     mean [D] and unbiased covariance [D][D] of a set: a [Gaussian]
//	d(x,y)   = ‖x − y‖, the Euclidean distance
//	k        number of neighbours; the ball around x reaches to the k-th nearest other row
//
//	Fréchet distance     ‖μ1−μ2‖² + tr(Σ1 + Σ2 − 2(Σ1^½·Σ2·Σ1^½)^½)           [Frechet]
//	kernel distance      E k(x,x') + E k(y,y') − 2 E k(x,y), k = (x·y/D + 1)³  [KID]
//	sliced Wasserstein   mean over θ of ∫ (F⁻¹(u) − G⁻¹(u))² du               [SlicedWasserstein]
//	precision, recall    share of one set inside the balls of the other        [PrecisionRecall]
//	nearest distance     min over references of d(query, reference)            [Nearest]
//	copies               do rows come to training rows more often than to others?  [Copies]
//	class agreement      share of images recognised as the class asked for     [ClassAgreement]
//
// [Compare] takes Fréchet and sliced Wasserstein distances, beside a floor, with bootstrap errors.
//
// The functions name their sources. A Fréchet distance depends on the network that makes the
// features. It compares models that were measured with the same network, and nothing else.
//
// # Shapes
//
// A set is [Features]: N rows of D float32, row after row. A set that is too large for that is
// [References]: a function that writes some of the rows at a time. A wrong shape is a bug of the
// caller and panics with both shapes. Too few rows for a score, and numbers that are not finite,
// are errors.
//
// # Numbers
//
// A score over all pairs of rows takes their inner products from the float32 matrix product of
// package kernels: d² = ‖x‖² + ‖y‖² − 2x·y. The rounding of that product has a bound. Where
// rounding could decide a question (is this row nearer, does it lie in the ball?), the distance is
// computed again from the rows, in float64. So [Nearest] and [PrecisionRecall] give the result of
// float64 on every instruction set.
//
// KID sums products of float32. So its last digits, of about 1e-7 of the kernel's mean, depend on
// the instruction set. Moments are sums in float64.
//
// # Work and memory
//
// [Compute] names the instruction set of a function, and spreads its parts over goroutines. The
// package itself starts none; gonum's product of large matrices does. How parts are cut and put
// together does not depend on how many run at once. So the number of goroutines does not change a
// bit of a result.
//
// A comparison of N queries with references of D numbers takes 4·N·D bytes for the packed queries,
// 4·1008·D bytes for references, and 500 bytes for each query. Moments take 8·D² bytes, and 512
// rows in float64. Results are the caller's. No function keeps its arguments or writes to them.
package metrics
