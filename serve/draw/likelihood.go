package draw

import (
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
)

// likelihood finds the bits per dimension of the pictures of the request: under its classes, which
// the pictures take in turn, or else those of no class, or of all classes together.
func (j *job) likelihood() (*Result, error) {
	r := &j.request
	classes, err := j.densityClasses()
	if err != nil {
		return nil, err
	}
	m := model.DensityMethod{Solver: r.Sample.Solver, Steps: r.Sample.Steps, Tol: r.Sample.Tol}
	gauge, err := likelihood.NewGauge(j.ck, likelihood.Options{DensityMethod: m, Seed: r.Sample.Seed})
	if err != nil {
		return nil, err
	}
	settled := gauge.Method()
	r.Sample.Solver, r.Sample.Steps, r.Sample.Tol = settled.Solver, settled.Steps, settled.Tol
	for _, note := range gauge.Notes() {
		j.note(note)
	}
	inputs, err := j.readInputs(j.reader())
	if err != nil {
		return nil, err
	}
	bits := make([]float64, inputs.Len())
	err = j.inTurn(&j.service.gauging, len(bits), func(i int) error {
		image := likelihood.Image{Index: i, Class: -1, Set: func(x []float32) { copy(x, inputs.Slice(i, i+1).Pixels) }}
		if len(classes) > 0 {
			image.Class = classes[i%len(classes)]
		}
		report, err := gauge.Measure(j.ctx, image)
		if err != nil {
			return err
		}
		bits[i] = report.BitsPerDimension
		j.service.finished(j, 1)
		return nil
	})
	return &Result{BitsPerDimension: bits, Sample: r.Sample}, err
}

// densityClasses returns the classes that the request asks for, as rows of the label embedding.
func (j *job) densityClasses() ([]int32, error) {
	s := &j.request.Sample
	if s.NoClass {
		return j.ck.RequestedNoClass(model.Method{})
	}
	rows, notes, err := j.ck.RequestedClasses(s.Class, model.Method{})
	for _, note := range notes {
		j.note(note)
	}
	return rows, err
}
