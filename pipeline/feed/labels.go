package feed

import (
	"context"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
)

// Labels returns the class of each image of the data, -1 for none. Data that is not of package
// dataset is read for that, on the given number of threads. A panic of its images is a
// [*crew.PanicError].
func Labels(ctx context.Context, data dataset.Source, threads int) ([]int32, error) {
	if labels, ok := dataset.StoredLabels(data); ok {
		return labels, nil
	}
	c := crew.New(max(1, min(threads, data.Len())))
	defer c.Close()
	h, width, channels := data.Shape()
	pixels, size := make([]float32, c.Size()*h*width*channels), h*width*channels
	labels := make([]int32, data.Len())
	err := c.Each(ctx, c.Size(), len(labels), func(worker, i int) {
		labels[i] = int32(data.Image(i, pixels[worker*size:][:size]))
	})
	return labels, err
}

// HasUnlabelled reports whether some image of the data has no class.
func HasUnlabelled(data dataset.Source) bool {
	return slices.ContainsFunc(dataset.Labels(data), func(label int32) bool { return label < 0 })
}
