package pipeline

import (
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// An Identity is what all ranks of a run must have in common, so that their numbers fit together.
type Identity struct {
	Arithmetic        // settled
	Options    string // those that numbers depend on
	Data       string // describes data or a model, with a hash
}

// A rankIdentity is what a rank tells the others.
type rankIdentity struct {
	Identity
	Version string
	ISAs    []string // those that the rank can choose, the slowest first
}

// CompareRanks returns an error, the same on all ranks, where one of them differs from rank 0.
// Collective.
func CompareRanks(ranks cluster.Comm, mine Identity) error {
	if ranks.Size() == 1 {
		return nil
	}
	told := rankIdentity{Identity: mine, Version: Version()}
	for _, isa := range kernels.Available() {
		if isa.Unchosen() == "" {
			told.ISAs = append(told.ISAs, isa.String())
		}
	}
	all, err := cluster.GatherValues(ranks, told)
	if err != nil {
		return err
	}
	return compareRanks(all)
}

// compareRanks returns an error for the first rank that differs from rank 0.
func compareRanks(ranks []rankIdentity) error {
	first := ranks[0]
	for i, other := range ranks {
		switch {
		case other.Version != first.Version:
			return fmt.Errorf("rank %d is fmimg %s, and rank 0 is %s: start the same one everywhere",
				i, other.Version, first.Version)
		case other.ISA != first.ISA:
			return option.Faultf("rank %d computes with %s, and rank 0 with %s, which rounds in another way",
				i, other.ISA, first.ISA).
				Cured("choose one that all ranks have: %v", option.Setting{Option: "isa", Value: commonISA(ranks)})
		case other.Precision != first.Precision:
			return option.Faultf("rank %d computes in %s, and rank 0 in %s", i, other.Precision, first.Precision).
				Cured("choose one for all ranks with %v", option.Setting{Option: "precision"})
		case other.Data != first.Data:
			return fmt.Errorf("rank %d has %s, and rank 0 %s: give all ranks the same files", i, other.Data, first.Data)
		case other.Options != first.Options:
			return fmt.Errorf("rank %d was started with other options than rank 0: give all ranks the same ones", i)
		}
	}
	return nil
}

// commonISA returns the best instruction set that all ranks can choose.
func commonISA(ranks []rankIdentity) string {
	best := kernels.Generic.String()
	for _, name := range ranks[0].ISAs {
		if !slices.ContainsFunc(ranks, func(r rankIdentity) bool { return !slices.Contains(r.ISAs, name) }) {
			best = name
		}
	}
	return best
}

// Lead does work on rank 0 alone, where there are several. All ranks return its error.
func Lead(ranks cluster.Comm, work func() error) error {
	if ranks == nil {
		return work()
	}
	var err error
	if ranks.Rank() == 0 {
		err = work()
	}
	return cluster.Agree(ranks, err)
}
