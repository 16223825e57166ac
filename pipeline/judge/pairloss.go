package judge

import "math"

// pairTemperature is τ of a [pairLoss].
const pairTemperature = 0.2

// A pairLoss says how well two rows of a pair are told from all other rows by their directions
// (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations",
// equation 1). Rows 2i and 2i+1 are a pair. With z = x/‖x‖ and s(i,k) = zᵢ·z_k/τ, the loss of row
// i with its partner j is
//
//	−s(i,j) + log Σ_{k≠i} exp s(i,k)
//
// and the loss is the mean over the rows. It computes in float64.
type pairLoss struct {
	dim   int
	x     []float32 // [rows][dim]: the rows, and after compute the gradient of the loss by them
	z, dz []float64 // [rows][dim]
	norm  []float64 // [rows], ‖x‖
	s     []float64 // [rows], of the row in hand
}

func newPairLoss(rows, dim int) *pairLoss {
	return &pairLoss{
		dim: dim, x: make([]float32, rows*dim), z: make([]float64, rows*dim), dz: make([]float64, rows*dim),
		norm: make([]float64, rows), s: make([]float64, rows),
	}
}

// row returns row i of x.
func (p *pairLoss) row(i int) []float32 { return p.x[i*p.dim : (i+1)*p.dim] }

// of returns row i of z or of its gradient.
func (p *pairLoss) of(flat []float64, i int) []float64 { return flat[i*p.dim : (i+1)*p.dim] }

// compute returns the loss of the first rows of x, an even number, and replaces them by its
// gradient.
func (p *pairLoss) compute(rows int) float64 {
	p.normalise(rows)
	clear(p.dz)
	var loss float64
	for i := range rows {
		loss += p.tell(i, rows)
	}
	for i := range rows {
		z, dz := p.of(p.z, i), p.of(p.dz, i)
		along := dot(z, dz) // a change of length changes no direction
		for k, v := range dz {
			p.row(i)[k] = float32((v - float64(along*z[k])) / p.norm[i])
		}
	}
	return loss / float64(rows)
}

// normalise sets z and the norms.
func (p *pairLoss) normalise(rows int) {
	const least = 1e-6 // so that a row of zeros has a direction of zeros
	for i := range rows {
		var square float64
		for _, v := range p.row(i) {
			square += float64(v) * float64(v)
		}
		p.norm[i] = max(math.Sqrt(square), least)
		for k, v := range p.row(i) {
			p.of(p.z, i)[k] = float64(v) / p.norm[i]
		}
	}
}

// tell returns the loss of row i, and adds its gradient by all z to dz.
func (p *pairLoss) tell(i, rows int) float64 {
	z, partner := p.of(p.z, i), i^1
	top := math.Inf(-1)
	for k := range rows {
		if p.s[k] = dot(z, p.of(p.z, k)) / pairTemperature; k != i {
			top = max(top, p.s[k])
		}
	}
	var sum float64
	for k := range rows {
		if k != i {
			sum += math.Exp(p.s[k] - top)
		}
	}
	loss := top + math.Log(sum) - p.s[partner]
	for k := range rows {
		if k == i {
			continue
		}
		g := math.Exp(p.s[k]-top) / sum
		if k == partner {
			g--
		}
		p.pull(i, k, g/(float64(rows)*pairTemperature))
	}
	return loss
}

// pull adds the gradient of g·z_i·z_k to dz.
func (p *pairLoss) pull(i, k int, g float64) {
	zi, zk, di, dk := p.of(p.z, i), p.of(p.z, k), p.of(p.dz, i), p.of(p.dz, k)
	for c := range p.dim {
		di[c] += float64(g * zk[c])
		dk[c] += float64(g * zi[c])
	}
}

// dot returns the inner product of two rows.
func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}
