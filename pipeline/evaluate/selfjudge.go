package evaluate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
)

// JudgeFile is the file of a run folder that keeps the judge which was trained on the run's
// images.
const JudgeFile = "judge.safetensors"

// A SelfJudge says which network the judge [judge.SelfName] is.
type SelfJudge struct {
	judge.SelfRecord
	Hash string `json:"judge_sha256"`   // of its file
	File string `json:"file,omitempty"` // that keeps it; empty: none does
}

// labelFree returns the judges that need neither labels nor a file of the caller's: one that is
// trained on half of the training images, if these are enough, and one that nobody trained. A quick
// look trains none.
func (e *evaluator) labelFree(ctx context.Context) ([]judge.Judge, error) {
	random, err := e.random()
	if err != nil {
		return nil, err
	}
	for _, name := range e.opt.Judges {
		if err := option.OneOf("judges", name, judge.SelfName, judge.RandomName); err != nil {
			return nil, err
		}
	}
	others := len(e.opt.Judges) > 0 && !slices.Contains(e.opt.Judges, judge.SelfName)
	if others {
		if err := e.trainsNone("other judges are named"); err != nil {
			return nil, err
		}
	}
	if others || e.opt.Classes != "" { // classes are a mistake, as no judge here tells them
		return []judge.Judge{random}, nil
	}
	if e.opt.Quick && len(e.opt.Judges) == 0 {
		if s, err := e.readJudge(e.judgeFile()); err != nil || s == nil {
			e.emit(pipeline.Note("a quick look trains no judge: %s looks alone", judge.RandomName))
			return []judge.Judge{random}, err
		}
	}
	if n := e.taught.Len(); n < judge.LeastSelf {
		e.emit(pipeline.Note("%s train no judge, of which %d are the least: the judge %s looks alone",
			text.Count(n, "image", "images"), judge.LeastSelf, judge.RandomName))
		return []judge.Judge{random}, nil
	}
	s, err := e.selfJudge(ctx)
	if err != nil {
		return nil, err
	}
	return []judge.Judge{s, random}, nil
}

// trainsNone refuses a file for the judge that is trained here where none is.
func (e *evaluator) trainsNone(why string) error {
	if e.opt.JudgeFile == "" {
		return nil
	}
	return option.Errorf("judge-file", e.opt.JudgeFile, "no judge is trained here: %s", why)
}

// selfJudge returns the judge that the training images train. It reads the file that keeps the
// judge, or trains it and writes the file.
func (e *evaluator) selfJudge(ctx context.Context) (judge.Judge, error) {
	path := e.judgeFile()
	s, err := e.readJudge(path)
	if err != nil {
		return nil, err
	}
	if s == nil {
		e.emit(pipeline.Note("training a judge on %s, which takes a minute or two",
			text.Count(e.taught.Len(), "image", "images")))
		o := judge.SelfOptions{ISA: e.isa, Steps: e.opt.JudgeSteps, OnEvent: e.emit}
		if s, err = judge.TrainSelf(ctx, e.crew, e.taught, o); err != nil {
			return nil, err
		}
		if path, err = e.keepJudge(s, path); err != nil {
			return nil, err
		}
	}
	e.out.SelfJudge = &SelfJudge{SelfRecord: s.Record, Hash: s.Hash, File: path}
	return judge.Reduced(s, e.shape), nil
}

// judgeFile returns the path of the file that keeps the judge: what was asked for, or a file in
// the model's run folder. It is empty where there is none.
func (e *evaluator) judgeFile() string {
	if e.opt.JudgeFile != "" || e.ck == nil || e.ck.Embedded || e.opt.Data != e.ck.Meta.Data {
		return e.opt.JudgeFile
	}
	if filepath.Base(e.ck.Path) != model.File {
		return "" // a file anywhere
	}
	return filepath.Join(filepath.Dir(e.ck.Path), JudgeFile)
}

// readJudge reads a judge from its file, nil if the file is not there, or not of these images. A
// file that was asked for by name is taken for any images of the same shape, so that models of
// different runs meet one judge.
func (e *evaluator) readJudge(path string) (*judge.Self, error) {
	if path == "" {
		return nil, nil
	}
	named := e.opt.JudgeFile != ""
	s, err := readSelf(path, e)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && named:
		return nil, option.Errorf("judge-file", path, "%v", err)
	case err != nil:
		e.emit(pipeline.Note("%s cannot be read, and is written anew: %v", path, err))
		return nil, nil
	}
	fits, known := shapeOf(s) == judge.ReducedShape(e.shape), s.Trained(e.taught, judge.SelfOptions{Steps: e.opt.JudgeSteps})
	switch {
	case named && !fits:
		takes, seen := shapeOf(s), judge.ReducedShape(e.shape)
		return nil, option.Errorf("judge-file", path, "it takes images of %s with %s, and it would see %s with %d here",
			takes.Sides(), text.Count(takes.Channels, "channel", "channels"), seen.Sides(), seen.Channels)
	case named && !known:
		e.emit(pipeline.Note("the judge in %s was trained on other images, of %s", path, s.Record.Data))
		return s, nil
	case !known:
		return nil, nil
	}
	return s, nil
}

// readSelf reads the file of a judge.
func readSelf(path string, e *evaluator) (*judge.Self, error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return judge.ReadSelf(file, e.isa)
}

// keepJudge writes a judge to its file, and returns the path, empty where there is no file. A run
// folder that cannot be written to is no error: the judge is trained again next time.
func (e *evaluator) keepJudge(s *judge.Self, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	err := atomicfile.Write(path, s.Write)
	switch {
	case err == nil:
		return path, nil
	case e.opt.JudgeFile != "":
		return "", fmt.Errorf("keep the judge: %w", err)
	}
	e.emit(pipeline.Note("the judge is not kept: %v", err))
	return "", nil
}
