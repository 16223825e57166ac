package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// Open reads a data set that is known by name ([List]), or the files at a path. It keeps images as
// bytes. Sets that are part of the program are decoded once and shared. ctx can end a long reading.
//
// An unknown name gives an [UnknownError], a known set that this machine lacks a [NotHereError],
// and a file in another format a [FormatError], which wraps [ErrFormat].
func Open(ctx context.Context, name string, o Options) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	set, err := open(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if err := set.finish(ctx, o); err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	return set, nil
}

// open finds what the name means. A known set comes before a file of the same name.
func open(ctx context.Context, name string, o Options) (*Set, error) {
	if k := find(name); k != nil {
		return k.open(ctx, o)
	}
	info, err := os.Stat(name)
	isPath := strings.ContainsAny(name, `/\`)
	switch {
	case err == nil:
		return openPath(ctx, name, info, o)
	case errors.Is(err, os.ErrPermission), isPath && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("data set %s: %w", name, regularReason(err))
	}
	if link, err := os.Lstat(name); err == nil && link.Mode()&os.ModeSymlink != 0 {
		to, _ := os.Readlink(name) // for the message alone
		return nil, option.Faultf("data set %s: it is a link that leads nowhere: %s", name, text.Printable(to)).
			Cured("mend the link, or name another place")
	}
	return nil, unknown(name)
}

// finish brings the images into the shape that the options ask for, and holds some out.
func (s *Set) finish(ctx context.Context, o Options) error {
	_, clusters, err := ParseClusters(o.Labels)
	if err != nil {
		return err
	}
	if clusters {
		s.noteDropped()
	}
	if o.Labels == NoLabels || clusters {
		s.dropLabels()
	} else if o.Labels != "" && s.Sizes == nil {
		return option.Errorf("labels", o.Labels, "these images have labels of their own, or none: leave it out, or say %s or %s:32",
			NoLabels, ClusterLabels)
	}
	if s.Train, err = fit(ctx, s.Train, o); err != nil {
		return err
	}
	if s.Test, err = fit(ctx, s.Test, o); err != nil {
		return err
	}
	s.noteOpaque(o)
	if s.OwnTest = s.Test != nil; !s.OwnTest && o.HoldOut > 0 {
		s.Train, s.Test = Split(s.Train, o.HoldOut, o.Seed)
	}
	return s.Label(ctx, o)
}

// noteOpaque says that an alpha channel was asked for, of images that all are opaque.
func (s *Set) noteOpaque(o Options) {
	if !hasAlpha(o.Channels) {
		return
	}
	for _, source := range []Source{s.Train, s.Test} {
		of, ok := source.(*labelled)
		if !ok || of == nil {
			continue
		}
		for i := range of.Len() {
			if !alphaIs(of.bytes(i), of.c, white) {
				return
			}
		}
	}
	s.note("no pixel is transparent: the alpha channel has the same number everywhere")
}

// noteDropped says that classes of the set are not used.
func (s *Set) noteDropped() {
	if of, ok := s.Train.(*labelled); ok && of != nil && len(of.classes) > 0 {
		s.note("its %s are not used: clusters take their place", text.Count(len(of.classes), "class", "classes"))
	}
}

// dropLabels forgets the classes of all images.
func (s *Set) dropLabels() {
	for _, source := range []*Source{&s.Train, &s.Test} {
		if of, ok := (*source).(*labelled); ok && of != nil {
			bare := *of
			bare.labels, bare.classes = nil, nil
			*source = &bare
		}
	}
}
