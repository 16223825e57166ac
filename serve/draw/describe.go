package draw

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/model"
)

// Models implements [Drawer].
func (s *Service) Models() []Model {
	var list []Model
	for _, e := range s.catalogue.list() {
		list = append(list, s.describe(e))
	}
	return list
}

// Model implements [Drawer].
func (s *Service) Model(name string) (Model, error) {
	e, err := s.catalogue.find(name)
	if err != nil {
		return Model{}, err
	}
	return s.describe(e), nil
}

// describe describes a model by the header of its file.
func (s *Service) describe(e *entry) Model {
	ck := e.outline
	m := Model{
		Name: e.name, Path: e.path, Kind: "velocity", Shape: ck.Shape(), Trajectory: ck.HasTrajectory(),
		Embedded: e.embedded, Created: ck.Meta.Date, Meta: ck.Meta, NoClass: ck.Labels().Null,
		Edits: true, Likelihood: true, About: about(ck),
	}
	if m.Created.IsZero() {
		m.Created = e.changed
	}
	if n := ck.Labels().Count; n > 0 {
		m.Classes = classNames(ck.Meta.Classes, n)
	}
	m.Hash, m.Loaded = s.library.has(e)
	usual := settledMethod(ck)
	switch net := ck.Network.(type) {
	case *model.NormalizingFlow:
		m.Kind, m.Edits = "normalizing-flow", false
	case *model.UNet:
		m.Steps = usual.Steps
		if m.StepChoices = net.JumpChoices(); m.StepChoices == nil {
			m.Solvers, m.Solver = model.SolverNames(), usual.Solver
		} else {
			m.Kind, m.Edits, m.Likelihood = "flow-map", false, false
		}
		takes := net.Labels().Null && m.Kind == "velocity"
		if weights, ok := net.GuidanceChoices(); ok {
			m.GuidanceRange, takes = weights, true
		}
		if takes {
			m.Guidance = usual.Guidance
			if ck.UsuallyGuided(model.Method{}) && s.catalogue.keptGuide(e) {
				m.Guidance = net.UsualGuidance(model.Method{Guide: &model.Guide{}})
			}
		}
	}
	return m
}

// settledMethod returns how a model draws unless it is told otherwise.
func settledMethod(ck *model.Checkpoint) model.Method {
	_, m, err := ck.Settle(ck.Path, model.Method{})
	if err != nil {
		return model.Method{} // of a damaged file, which requests will say
	}
	return m
}

// classNames returns a name for each of n classes: those that are known, and numbers.
func classNames(known []string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
		if i < len(known) {
			names[i] = known[i]
		}
	}
	return names
}

// about says in a few words what a model draws.
func about(ck *model.Checkpoint) string {
	words := []string{"images of " + ck.Shape().Sides()}
	if ck.Meta.Data != "" {
		words = append(words, "trained on "+ck.Meta.Data)
	}
	if ck.Meta.Steps > 0 {
		words = append(words, text.Count(ck.Meta.Steps, "step", "steps"))
	}
	return strings.Join(words, ", ")
}
