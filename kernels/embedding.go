package kernels

import "math"

// SinusoidalEmbedding sets dst to the cosines and then the sines of
// scale·t·10000^(-i/(half-shift)), for each i below half = len(dst)/2. An odd last element is zero.
// shift is below half.
func SinusoidalEmbedding(dst []float32, t, scale, shift float64) {
	half := len(dst) / 2
	for i := range half {
		angle := scale * t * math.Exp(-math.Log(10000)*float64(i)/(float64(half)-shift))
		dst[i], dst[half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	clear(dst[2*half:])
}

// SiLU sets y = x/(1 + exp(-x)).
func (isa ISA) SiLU(y, x []float32) {
	isa.sigmoid(y, x)
	for i, v := range x {
		y[i] *= v
	}
}

// SiLUGrad replaces dy, the gradient of SiLU(x), by the gradient of x.
func (isa ISA) SiLUGrad(s *Scratch, dy, x []float32) {
	sig := s.take(len(x))
	isa.sigmoid(sig, x)
	for i, v := range x {
		dy[i] *= sig[i] * (1 + float32(v*(1-sig[i])))
	}
}

func (isa ISA) sigmoid(y, x []float32) {
	mustEqualLen("sigmoid", y, x)
	for i, v := range x {
		y[i] = -v
	}
	isa.Exp(y, y)
	for i, v := range y {
		y[i] = 1 / (1 + v)
	}
}
