package dataset

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// Clusters tell the cluster of an image, which stands for its class.
type Clusters = cluster.Clustering

// ClusterLabels is the value of [Options].Labels by which images of one cluster have one class.
// With a colon and a number, as in clusters:32, it says how many clusters there are at most.
const ClusterLabels = "clusters"

const (
	// imagesPerCluster is the least number of images for each cluster.
	imagesPerCluster = 20
	// clusteredImages is the number of images that clusters are found among, at most. All others
	// get the nearest one.
	clusteredImages = 1 << 14
)

// Order gives other epochs than training and [Split] do to what clusters draw.
const clusterEpoch = -2

// ParseClusters reads a value of [Options].Labels that asks for clusters. count is 0 where it names
// no number. ok is false for another value.
func ParseClusters(labels string) (count int, ok bool, err error) {
	if labels == ClusterLabels {
		return 0, true, nil
	}
	number, ok := strings.CutPrefix(labels, ClusterLabels+":")
	if !ok {
		return 0, false, nil
	}
	count, err = strconv.Atoi(number)
	if err != nil || count < 2 || count > cluster.Most {
		return 0, true, option.Errorf("labels", labels, "the number of clusters lies between 2 and %d: %s:32",
			cluster.Most, ClusterLabels)
	}
	return count, true, nil
}

// ClustersFor returns how many clusters suit n images, 0 where there are too few: one for about 50
// images, and 32 at most. They were measured on 3,800 emoji, and more did not help.
func ClustersFor(n int) int {
	const images, least, most = 50, 4, 32
	if n < least*images {
		return 0
	}
	return min(n/images, most)
}

// Label makes the clusters of the images their classes, as the options Labels, Clusters, Seed and
// Parallel say, and sets [Set].Clusters. Clusters are found among the images to train on, unless
// the options have them; images that are held out get the nearest one. Too few images stay without
// classes. A note says what is not as the options ask.
func (s *Set) Label(ctx context.Context, o Options) error {
	count, ok, err := ParseClusters(o.Labels)
	if err != nil || !ok {
		return err
	}
	found := o.Clusters
	if found == nil {
		if found, err = s.findClusters(ctx, count, o); err != nil || found == nil {
			return err
		}
	}
	if h, w, c := s.Train.Shape(); found.Shape() != (cluster.Shape{Height: h, Width: w, Channels: c}) {
		return nil // for images of another shape; whoever wants these finds an error in the shape
	}
	names := make([]string, found.Count())
	for i := range names {
		names[i] = fmt.Sprintf("cluster %d", i)
	}
	for _, source := range []*Source{&s.Train, &s.Test} {
		if *source == nil {
			continue
		}
		labels, err := found.Assign((*source).Len(), imageOf(*source), o.inBlocks(ctx))
		if err != nil {
			return err
		}
		*source = &relabelled{*source, labels, names}
	}
	s.Clusters = found
	return nil
}

// imageOf returns a function that writes an image of a source, without its class.
func imageOf(s Source) func(i int, dst []float32) {
	return func(i int, dst []float32) { s.Image(i, dst) }
}

// inBlocks returns what lets package cluster work as the options say.
func (o Options) inBlocks(ctx context.Context) cluster.Parallel {
	return func(n int, do func(i int)) error { return o.parallel(ctx, n, do) }
}

// findClusters finds clusters among the images to train on; nil where there are too few.
func (s *Set) findClusters(ctx context.Context, count int, o Options) (*Clusters, error) {
	n := s.Train.Len()
	asked := count
	if count == 0 {
		count = ClustersFor(n)
	}
	if count = min(count, n/imagesPerCluster); count < 2 {
		s.note("%s are too few for clusters, which need %d images each: they have no classes",
			text.Count(n, "image", "images"), imagesPerCluster)
		return nil, nil
	}
	order := Order(n, o.Seed, clusterEpoch)
	h, w, c := s.Train.Shape()
	if c > cluster.MaxChannels {
		s.note("images of %d channels have no clusters, which are of colours: they have no classes", c)
		return nil, nil
	}
	found, err := cluster.Fit(min(n, clusteredImages), count, cluster.Shape{Height: h, Width: w, Channels: c},
		func(i int, dst []float32) { s.Train.Image(order.At(i), dst) }, o.Seed, o.inBlocks(ctx))
	switch {
	case err != nil:
		return nil, fmt.Errorf("clusters: %w", err)
	case found.Count() == 1:
		s.note("all images are the same: there are no clusters")
		return nil, nil
	case found.Count() < count:
		s.note("the classes are %d clusters, as no more images differ", found.Count())
	case count < asked:
		s.note("the classes are %d clusters, not %d: a cluster needs %d of the %d images", count, asked,
			imagesPerCluster, n)
	default:
		s.note("the classes are %d clusters of images that look alike", count)
	}
	return found, nil
}

// note adds a note.
func (s *Set) note(format string, args ...any) {
	s.Notes = append(s.Notes, option.Say(format, args...))
}

// relabelled has the images of a Source with other classes.
type relabelled struct {
	Source
	labels  []int32
	classes []string
}

// Classes implements [Source].
func (r *relabelled) Classes() []string { return r.classes }

// Image implements [Source].
func (r *relabelled) Image(i int, dst []float32) (label int) {
	r.Source.Image(i, dst)
	return int(r.labels[i])
}
