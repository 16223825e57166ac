// Package judge holds the networks that find features of images, by which scores compare generated
// images with real ones.
//
// # Why several
//
// A score by the features of one network favours what this network sees. A setting that is chosen
// by such a score, and then praised by it, is praised by its own judge. So judges that differ in
// kind look at the same images: networks of other shapes, from other seeds and other augmentation,
// some trained with labels and some without, one not trained at all. A [Judge] gives features, and
// knows nothing of scores. Package metrics compares the features.
//
// # Shapes
//
// Images are [H, W, C] in [-1, 1]. Features are [N, D] float32.
package judge
