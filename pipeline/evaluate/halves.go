package evaluate

import (
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
)

// leastHalf is the least number of images of a half of the training images.
const leastHalf = 20

// testImages returns the number of images that training does not see.
func (e *evaluator) testImages() int {
	if e.set.Test == nil {
		return 0
	}
	return e.set.Test.Len()
}

// knowsHeldOut reports whether it is known that training has not seen the test images.
func (e *evaluator) knowsHeldOut() bool {
	if e.set.OwnTest || e.ck == nil {
		return e.set.OwnTest
	}
	return e.ck.Meta.HoldOut != 0 && e.ck.Meta.Data == e.opt.Data
}

// needsNoLabels reports whether no classifier suits the images, so that judges look which need
// none.
func (e *evaluator) needsNoLabels() bool {
	return len(e.own) == 0 && (e.shape != digits || !e.namesDigitJudges() && !e.hasDigits())
}

// halve compares with one half of the training images, and takes the other half for the floor, as
// no more than n images are held out.
func (e *evaluator) halve(n int) error {
	a, b := dataset.Split(e.set.Train, 0.5, e.opt.Sample.Seed)
	if b == nil || b.Len() < leastHalf {
		return option.Errorf("data", e.opt.Data, "it has %s to train on, and %d are the least that scores compare with",
			text.Count(e.set.Train.Len(), "image", "images"), 2*leastHalf)
	}
	e.references, e.floorOf, e.out.Halves = b, a, b.Len()
	e.emit(pipeline.Note("%s held out of training are too few to compare with: the training images are halved, "+
		"one half is compared with, and the other is the floor. Copies of training images have good scores then",
		text.Count(n, "image", "images")))
	return nil
}

// taughtSeed decides which training images a judge learns from: the same ones in each evaluation,
// so that the judge can be kept.
const taughtSeed = 1

// divide gives one half of the training images to the judge that learns from them, and takes the
// other half for the floor: to a judge, images that it has seen are not like others.
func (e *evaluator) divide() {
	if taught, rest := dataset.SplitAny(e.set.Train, 0.5, taughtSeed); rest != nil {
		e.taught, e.floorOf = taught, rest
	}
}

// leastDrawn is the least number of images that are drawn for judges that need no labels, unless
// another one is asked for: enough for a test of copies.
const leastDrawn = 500

// settleCount bounds the default number of images by the number of real ones, as distances compare
// at one number.
func (e *evaluator) settleCount() {
	if e.opt.Images == "" && e.askedCount == 0 && e.needsNoLabels() {
		e.opt.Count = min(e.opt.Count, max(e.floorOf.Len(), leastDrawn))
		e.opt.Sample.Count = e.opt.Count
	}
}
