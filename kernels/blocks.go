package kernels

// This file holds every size by which this package, nn and metrics cut their work into blocks. Most
// sizes were found by measurement; the reason stands beside each.
//
// The sizes are constants. They never depend on a machine's cache or on the number of threads,
// because a block is also a unit of summation: with other blocks, the same instruction set would
// give other bytes on another machine. For the same reason the instruction sets share them. The
// sizes of the tiles that a single routine computes do differ by instruction set; they come from
// asm/gen, in targets.go.

// The line of a cache, on all CPUs that the routines are written for.
const (
	lineBytes  = 64
	lineFloats = lineBytes / 4
)

// A call to assembly cannot be preempted: until it returns, it holds up the garbage collector, and
// with that all goroutines. So a call may take about 50 µs at most, whatever the shape; longer
// calls are cut. The limits count what a core does in one cycle, at 3 GHz:
//
//   - a step of the largest tiles of Product and Outer is 28 multiply-adds of registers: 4096 steps
//     are 38 µs;
//   - a tile of a Transform is some 200 instructions for each register of channels: 512 are 34 µs;
//   - an Interleave loads two registers for each 16 pairs and stores one, in some 8 cycles: 2¹⁷ are
//     22 µs; a block of a Turn is some 100 instructions: 512 are 17 µs;
//   - walks and flat routines divide, or wait for memory: 4096 registers, of up to 40 cycles each,
//     are 55 µs.
//
// The products, outer products and walks of the presets, with maps of up to 32x32 pixels, stay
// below the limits, so each is summed in one piece. The limits are variables because tests lower
// them.
var (
	maxSteps     = 4096 // of the loop nest of a Product or an Outer
	maxTiles     = 512  // of a Transform, times registers of channels
	maxRegisters = 4096 // of each operand of a walk or of a flat routine

	maxPaired = 1 << 17 // pairs of an Interleave, times channels
	maxTurned = 512     // blocks of a Turn

	// The cycles of a call to the products of pairs: 33 µs at 3 GHz. A call takes a tile at least.
	// One tile exceeds the limit where it sums over more than 3571 pairs on AVX512_BF16, or 2083 on
	// Arm's BF16: in a 3x3 convolution, over more than 793 or 462 channels.
	maxPairCycles = 100_000
)

// pairPeakCycles is about how many cycles a round of the PairPeak routines takes: four products of
// tiles take 64.
const pairPeakCycles = 64

// pairTiles is the tiles of a product of pairs that are collected before one block of columns after
// another passes over them: their places stay in the second-level cache.
const pairTiles = 64

// pairBlock returns the places of a block of the weight gradient of pairs, given the channels of
// both maps together: what is turned and paired stays in the second-level cache. A map of 32x32
// pixels is one block at up to 192 channels.
func pairBlock(channels int) int { return max(min(1280, 1280*192/channels), 256) }

// peakRounds is the rounds of one call to the Peak routines: about 50 µs.
const peakRounds = 1 << 13

// weightGradPiece is the elements of a weight's gradient that one call transforms: about 50 µs.
const weightGradPiece = 4096

// convolveBlock and mostTiles are the tiles of a block of Winograd's convolution. The planes of a
// block stay in the second-level cache while the block is transformed, multiplied and transformed
// back. A last block takes up to mostTiles, because a very small block would waste the larger tiles
// of the product.
const (
	convolveBlock = 28
	mostTiles     = 42
)

// weightGradBlock returns the tiles of a block of Winograd's weight gradient, given the channels of
// both maps together. The planes of a block take up to 1 MB, to stay in the second-level cache;
// fewer than 14 tiles would add to the sums too often.
func weightGradBlock(channels int) int { return min(max(7168/channels, 14), 64) }

// scatterBytes is the size of a block of pixels, of both maps together, in the direct weight
// gradient. All tiles of the sum go through a block before the next block follows, so it stays in
// the first-level cache. A block has at least scatterPixels pixels, so that the sums are not loaded
// and stored too often.
const (
	scatterBytes  = 24 << 10
	scatterPixels = 16
)

// gatherPixels is the pixels of a block of images in the direct convolution: they stay in the cache
// while one block of columns after another passes over them.
const gatherPixels = 512

// attentionWhole is the most pixels of an image whose attention is one block of queries and keys.
// Beyond, a block has attentionQueries queries and attentionKeys keys: its probabilities and their
// gradients stay in the second-level cache.
const (
	attentionWhole   = 256
	attentionQueries = 128
	attentionKeys    = 256
)

// aheadBytes is how much memory is fetched beside one matrix product of a plane: little enough to
// arrive before the next product begins.
const aheadBytes = 8192

// squaresChunk is how many squares are summed in float32 before the sum goes to float64: few enough
// that the relative error stays below 1e-5.
const squaresChunk = 4096

// LayerPixels bounds how many pixels the steps of a layer of package nn pass on to each other
// before the next images follow: what one step writes is still in the cache when the next step
// reads it.
const LayerPixels = 800

// BandPixels is about how many pixels the steps of a layer pass on to each other where an image has
// more than LayerPixels. It counts bands of whole tiles.
const BandPixels = 1024

// The blocks of the products of all pairs of rows, in package metrics. PairRows are whole tiles on
// every instruction set; together with a packed group of queries, they stay in a second-level cache
// of 1 MiB at 784 numbers a row.
const (
	PairQueries = 128 // queries of a group, which are packed once
	PairRows    = 126 // references of a chunk, which are multiplied with a group at once
	PairChunks  = 8   // chunks of a block, which are loaded in parallel
)

// The blocks of the moments of rows in package metrics. The rows that are summed at a time stay in
// the cache; the lines of the scatter are cut into strips, each the work of one goroutine.
const (
	MomentRows  = 512
	MomentStrip = 16
)
