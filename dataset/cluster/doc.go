// Package cluster sorts images into groups of images that look alike, which can stand for classes
// where images have none.
//
// # How
//
//   - [Features] describes an image by its colours on a grid of 8x8 and its grays on one of 16x16.
//   - Principal components bring features down to 40 numbers (projection.go).
//   - k-means finds centres among these numbers: the seeds of k-means++ (Arthur and Vassilvitskii
//     2007, "k-means++: the advantages of careful seeding"), then Lloyd's steps ([KMeans]).
//   - A [Clustering] holds the projection and the centres, and tells the cluster of any image: that
//     of the nearest centre. [Fit] makes one.
//
// # Determinism and memory
//
// Everything depends on the images and the seed alone. Images and rows are worked on in blocks of a
// fixed size, whoever works on them, and sums are added in their order: any number of threads gives
// the same clusters. Fit takes 8 bytes for each of the 448 features (RGB) of each image that it is
// given, twice, so a caller with many images gives it some of them.
package cluster
