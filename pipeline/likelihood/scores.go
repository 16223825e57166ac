package likelihood

import (
	"math"
	"slices"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/metrics"
)

// gather computes the likelihood of each image from its tasks, the means of the sets, and the
// report.
func (s *scorer) gather() {
	d, left := s.ck.Shape().Len(), s.tasks
	for _, set := range s.sets {
		for i := range set.Images {
			set.Images[i].measure(left[:s.perImage], d)
			left = left[s.perImage:]
		}
		set.summarise()
	}
	s.out.SetReport = *s.sets[0]
	if len(s.sets) > 1 {
		s.out.Against = s.sets[1]
	}
}

// measure sets the likelihood of an image of d numbers from its tasks. It takes the mean of log p
// over the probes of a task, and then the mean of p over the tasks, by their weights.
func (l *ImageReport) measure(tasks []scoreTask, d int) {
	logs := make([]float64, len(tasks))
	for i, task := range tasks {
		logs[i] = inorder.Sum(task.logp)/float64(len(task.logp)) + task.weight
	}
	logp := logMeanExp(logs)
	l.BitsPerDimension = bijection.BitsPerDimension(logp, d, dataset.BitsOfScale)
	l.LogLikelihood = logp - float64(d*dataset.BitsOfScale)*math.Ln2
	probes := len(tasks[0].logp)
	if probes < 2 {
		return
	}
	each := make([]float64, probes)
	for p := range each {
		for i, task := range tasks {
			logs[i] = task.logp[p] + task.weight
		}
		each[p] = bijection.BitsPerDimension(logMeanExp(logs), d, 0)
	}
	_, spread := inorder.MeanAndError(each)
	l.ProbeError = &spread
}

// logMeanExp returns log((Σ exp x)/n). It does not overflow.
func logMeanExp(x []float64) float64 {
	top, total := slices.Max(x), 0.0
	for _, v := range x {
		total += math.Exp(v - top)
	}
	return top + math.Log(total/float64(len(x)))
}

// summarise sets the means over the images of a set, and their errors.
func (l *SetReport) summarise() {
	var bits []float64
	var squares float64
	for i := range l.Images {
		bits = append(bits, l.Images[i].BitsPerDimension)
		if e := l.Images[i].ProbeError; e != nil {
			squares += *e * *e
		}
	}
	l.BitsPerDimension, l.StandardError = inorder.MeanAndError(bits)
	if l.Images[0].ProbeError != nil {
		e := math.Sqrt(squares) / float64(len(bits))
		l.ProbeError = &e
	}
}

// compare measures how well likelihood separates the two sets.
func (s *scorer) compare() error {
	if s.out.Against == nil {
		return nil
	}
	logs := func(l *SetReport) (x []float64) {
		for i := range l.Images {
			x = append(x, l.Images[i].LogLikelihood)
		}
		return x
	}
	found, err := metrics.Separate(logs(&s.out.SetReport), logs(s.out.Against))
	s.out.AUROC, s.out.ToldApart = &found.AUROC, &found.ToldApart
	return err
}
