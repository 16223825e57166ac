package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/evaluate"
)

// writeLabelFree writes which judge the data has trained, and whether training images are copied.
func writeLabelFree(w io.Writer, e *evaluate.Report) error {
	if j := e.SelfJudge; j != nil {
		kept := ""
		if j.File != "" {
			kept = ", kept in " + j.File
		}
		fmt.Fprintf(w, "\njudge self-supervised: %s of %s, recipe %s, SHA-256 %.12s%s\n",
			text.Count(j.Steps, "step", "steps"), text.Count(j.Images, "image", "images"), harmless(j.Recipe), j.Hash, harmless(kept))
	}
	if e.Copying == nil {
		return nil
	}
	return writeCopying(w, e.Copying)
}

// writeCopying writes the verdict on copies, and the figures behind it.
func writeCopying(w io.Writer, c *evaluate.Copying) error {
	fmt.Fprintf(w, "\n%s\n", c.Text)
	if c.Pixels == nil {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "copies by\tshare nearer to training\tcopied\tP\theld-out farther\tP\tmedian ratio\tof held-out images\n")
	line := func(name string, s *evaluate.CopyScore) {
		fmt.Fprintf(t, "%s\t%.3f\t%.0f %%\t%.4f\t%.3f\t%.4f\t%.3f\t%.3f\n", name, s.Share, 100*max(s.Copied, 0), s.P, s.Farther, s.FartherP, s.Ratio, s.RealRatio)
	}
	line("pixels", c.Pixels)
	line("judge "+harmless(c.Judge), c.Features)
	return t.Flush()
}
