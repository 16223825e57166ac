package metrics

import (
	"fmt"

	"gonum.org/v1/gonum/floats"

	"github.com/fmimg/fmimg/kernels"
)

// A Gaussian is a normal distribution: the mean μ, [D], and the covariance Σ, [D][D], symmetric.
type Gaussian struct {
	Mean, Covariance []float64
}

// Moments sum up rows of features, part by part. The zero value holds no rows.
type Moments struct {
	n       int
	mean    []float64 // [D], μ
	scatter []float64 // [D][D], Σ (x − μ)(x − μ)ᵀ, the upper triangle alone
}

const (
	momentRows = kernels.MomentRows
	strip      = kernels.MomentStrip
)

// Count returns the number of rows.
func (m *Moments) Count() int { return m.n }

// Add sums up further rows, in blocks. It computes the mean of a block, then the scatter around
// that mean, and joins both with those of the rows before. A number that is not finite is an error;
// after it the moments are of no use.
func (m *Moments) Add(f Features, on Compute) error {
	f.mustFit()
	m.fit(f.D)
	if _, err := f.squaredNorms(on); err != nil {
		return err
	}
	mean, buf := make([]float64, f.D), make([]float64, min(momentRows, f.N)*f.D)
	for first := 0; first < f.N; first += momentRows {
		n := min(momentRows, f.N-first)
		rows := buf[:n*f.D]
		centre(mean, rows, f.Data[first*f.D:])
		err := on.each(parts(f.D, strip), func(k int) error {
			for i := range n {
				m.addOuter(k, 1, rows[i*f.D:(i+1)*f.D])
			}
			return nil
		})
		if err != nil {
			return err
		}
		m.join(n, mean)
	}
	return nil
}

// Merge adds the rows that other moments have summed up.
func (m *Moments) Merge(o *Moments) {
	if o.n == 0 {
		return
	}
	m.fit(len(o.mean))
	floats.Add(m.scatter, o.scatter)
	m.join(o.n, o.mean)
}

// Gaussian returns the mean and the unbiased covariance. Fewer than 2 rows are an error. Fewer than
// D + 1 rows have a singular covariance, and their Fréchet distance is far too large.
func (m *Moments) Gaussian() (Gaussian, error) {
	if m.n < 2 {
		return Gaussian{}, fmt.Errorf(
			"%d rows have no covariance: take 2 at least, and better several times as many as features", m.n)
	}
	d := len(m.mean)
	g := Gaussian{append([]float64(nil), m.mean...), make([]float64, d*d)}
	for i := range d {
		for j := i; j < d; j++ {
			c := m.scatter[i*d+j] / float64(m.n-1)
			g.Covariance[i*d+j], g.Covariance[j*d+i] = c, c
		}
	}
	return g, nil
}

// fit makes room for rows of d numbers.
func (m *Moments) fit(d int) {
	if m.mean == nil {
		m.mean, m.scatter = make([]float64, d), make([]float64, d*d)
	}
	mustMatch(len(m.mean), d)
}

// addOuter adds w·x·xᵀ to lines k·strip to (k+1)·strip of the scatter.
func (m *Moments) addOuter(k int, w float64, x []float64) {
	d := len(m.mean)
	for i := k * strip; i < min((k+1)*strip, d); i++ {
		floats.AddScaled(m.scatter[i*d+i:(i+1)*d], w*x[i], x[i:])
	}
}

// join takes in n rows with the given mean. Their own scatter is added already, so n·m.n/(n +
// m.n)·δ·δᵀ is missing, with δ the difference of the means (Chan, Golub and LeVeque 1983,
// "Algorithms for Computing the Sample Variance", equation 2.1).
func (m *Moments) join(n int, mean []float64) {
	d := len(m.mean)
	delta := make([]float64, d)
	floats.SubTo(delta, mean, m.mean)
	share := float64(n) / float64(m.n+n)
	for k := range parts(d, strip) {
		m.addOuter(k, share*float64(m.n), delta)
	}
	floats.AddScaled(m.mean, share, delta)
	m.n += n
}

// centre sets mean to the mean of the first rows of x, and centred to those rows minus their mean.
// The length of centred says how many rows.
func centre(mean, centred []float64, x []float32) {
	d := len(mean)
	clear(mean)
	for at := 0; at < len(centred); at += d {
		for j := range mean {
			mean[j] += float64(x[at+j])
		}
	}
	floats.Scale(float64(d)/float64(len(centred)), mean)
	for at := 0; at < len(centred); at += d {
		for j, m := range mean {
			centred[at+j] = float64(x[at+j]) - m
		}
	}
}
