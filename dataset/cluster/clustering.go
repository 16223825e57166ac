package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Most is the largest number of clusters.
const Most = 1024

// A Clustering tells the cluster of an image. It is read-only, and safe for use by several
// goroutines at once.
type Clustering struct {
	shape   Shape
	by      projection
	centres []float64 // [clusters][axes]; without axes there is one cluster
}

// Fit sorts n images of a shape into at most k clusters. image writes image i to dst, [H, W, C] in
// [-1, 1]. There are fewer clusters where fewer images differ, and one where none does. Cluster 0
// is the largest. It panics unless n and k are above 0 and k at most [Most].
func Fit(n, k int, s Shape, image func(i int, dst []float32), seed uint64, parallel Parallel) (*Clustering, error) {
	if n < 1 || k < 1 || k > Most || s.len() < 1 || s.Channels > MaxChannels {
		panic(fmt.Sprintf("cluster: %d clusters of %d images of %v", k, n, s))
	}
	rows := mat.NewDense(n, FeatureLen(s), nil)
	if err := eachImage(n, s, image, parallel, func(i int, pixels []float32) {
		Features(rows.RawRowView(i), pixels, s)
	}); err != nil {
		return nil, err
	}
	c := &Clustering{shape: s}
	var err error
	if c.by, err = newProjection(rows); err != nil || c.by.dims() == 0 {
		return c, err
	}
	dims := c.by.dims()
	coordinates := make([]float64, n*dims)
	if err := blocks(n, parallel, func(i int) {
		c.by.project(coordinates[i*dims:(i+1)*dims], rows.RawRowView(i))
	}); err != nil {
		return nil, err
	}
	if c.centres, err = KMeans(coordinates, dims, k, seed, parallel); err != nil {
		return nil, err
	}
	for i, v := range c.centres {
		c.centres[i] = float64(float32(v)) // as it is stored
	}
	return c, nil
}

// blocks calls do for 0 to n-1, a block in each call of parallel.
func blocks(n int, parallel Parallel, do func(i int)) error {
	return parallel((n+block-1)/block, func(b int) {
		for i := b * block; i < min((b+1)*block, n); i++ {
			do(i)
		}
	})
}

// eachImage calls do for each image, with memory that is good during the call.
func eachImage(n int, s Shape, image func(i int, dst []float32), parallel Parallel, do func(i int, pixels []float32)) error {
	return parallel((n+block-1)/block, func(b int) {
		pixels := make([]float32, s.len())
		for i := b * block; i < min((b+1)*block, n); i++ {
			image(i, pixels)
			do(i, pixels)
		}
	})
}

// Count returns the number of clusters.
func (c *Clustering) Count() int {
	if c.by.dims() == 0 {
		return 1
	}
	return len(c.centres) / c.by.dims()
}

// Shape returns the shape of the images.
func (c *Clustering) Shape() Shape { return c.shape }

// Assign returns the cluster of each of n images of the clustering's shape: that of the nearest
// centre. image is as for [Fit].
func (c *Clustering) Assign(n int, image func(i int, dst []float32), parallel Parallel) ([]int32, error) {
	labels := make([]int32, n)
	if c.by.dims() == 0 {
		return labels, nil
	}
	err := parallel((n+block-1)/block, func(b int) {
		pixels := make([]float32, c.shape.len())
		features, at := make([]float64, len(c.by.mean)), make([]float64, c.by.dims())
		for i := b * block; i < min((b+1)*block, n); i++ {
			image(i, pixels)
			Features(features, pixels, c.shape)
			c.by.project(at, features)
			label, _ := nearest(at, c.centres)
			labels[i] = int32(label)
		}
	})
	return labels, err
}

// record is the JSON form of a [Clustering]. Numbers are float32, little endian.
type record struct {
	Shape   [3]int `json:"shape"`   // rows, columns, channels
	Mean    []byte `json:"mean"`    // [features]
	Axes    []byte `json:"axes"`    // [axes][features]
	Centres []byte `json:"centres"` // [clusters][axes]
}

// MarshalJSON writes the clustering.
func (c *Clustering) MarshalJSON() ([]byte, error) {
	centres := make([]float32, len(c.centres))
	for i, v := range c.centres {
		centres[i] = float32(v)
	}
	return json.Marshal(record{
		Shape: [3]int{c.shape.Height, c.shape.Width, c.shape.Channels},
		Mean:  toBytes(c.by.mean), Axes: toBytes(c.by.axes), Centres: toBytes(centres),
	})
}

// UnmarshalJSON reads what MarshalJSON wrote, and checks it.
func (c *Clustering) UnmarshalJSON(text []byte) error {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	to := Clustering{shape: Shape{r.Shape[0], r.Shape[1], r.Shape[2]}}
	var centres []float32
	for _, part := range []struct {
		dst *[]float32
		src []byte
	}{{&to.by.mean, r.Mean}, {&to.by.axes, r.Axes}, {&centres, r.Centres}} {
		var err error
		if *part.dst, err = fromBytes(part.src); err != nil {
			return err
		}
	}
	for _, v := range centres {
		to.centres = append(to.centres, float64(v))
	}
	if err := to.check(); err != nil {
		return err
	}
	*c = to
	return nil
}

// check returns an error unless the parts of a clustering fit each other.
func (c *Clustering) check() error {
	const most = 1 << 12
	s := c.shape
	if min(s.Height, s.Width, s.Channels) < 1 || max(s.Height, s.Width) > most || s.Channels > MaxChannels {
		return fmt.Errorf("clusters of images of the shape %v", s)
	}
	d := FeatureLen(s)
	if len(c.by.mean) != d || len(c.by.axes)%d != 0 || c.by.dims() > mostAxes {
		return errors.New("the clusters' projection is damaged")
	}
	if dims := c.by.dims(); dims == 0 && len(c.centres) > 0 ||
		dims > 0 && (len(c.centres) == 0 || len(c.centres)%dims != 0 || len(c.centres)/dims > Most) {
		return errors.New("the clusters' centres are damaged")
	}
	return nil
}

// toBytes returns numbers as bytes, little endian.
func toBytes(numbers []float32) []byte {
	out := make([]byte, 0, 4*len(numbers))
	for _, v := range numbers {
		bits := math.Float32bits(v)
		out = append(out, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return out
}

// fromBytes is the inverse of toBytes. Numbers that are not finite are an error.
func fromBytes(data []byte) ([]float32, error) {
	if len(data)%4 != 0 {
		return nil, errors.New("the clusters' numbers are cut off")
	}
	out := make([]float32, len(data)/4)
	for i := range out {
		b := data[4*i:]
		out[i] = math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the clusters' numbers are not finite")
		}
	}
	return out, nil
}
