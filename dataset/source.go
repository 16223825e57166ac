package dataset

// A Source is a finite set of images of one shape. It is read-only, and safe for use by several
// goroutines at once.
type Source interface {
	// Name returns a short name: "mnist/train".
	Name() string
	// Len returns the number of images.
	Len() int
	// Shape returns the images' rows, columns and channels.
	Shape() (h, w, c int)
	// Image writes the pixels of image i, 0 <= i < Len, to dst: h·w·c numbers in [-1,1], channels
	// contiguous, then columns, then rows (NHWC). It returns the class of the image as an index
	// into Classes, or -1 when the image has none. It allocates nothing. It panics when i or the
	// length of dst is wrong.
	Image(i int, dst []float32) (label int)
	// Classes returns the names of the classes, nil when the images are not labelled. The caller
	// must not change them.
	Classes() []string
}
