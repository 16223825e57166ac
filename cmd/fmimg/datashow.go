package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/train"
)

const dataShowHelp = `Read a data set as train does, and say what is in it: the images to train on and those held out, their
shape and classes, the sizes that pictures had, what was guessed, and which files are left out and why. train
prints the same notes. With --out some of the images are drawn, a row for each class.`

// A dataShow holds the flags of data show.
type dataShow struct {
	options train.Options
	out     string
	json    bool
}

func (a *app) newDataShow() *cobra.Command {
	var s dataShow
	cmd := &cobra.Command{
		Use: "show --data NAME [flags]", Short: "Say what is in a data set, and draw some of it", Long: dataShowHelp,
		Example: "  fmimg data show --data fashion-mnist --out grid.png\n  fmimg data show --data photos/ --size 64 --image-channels rgb --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.dataShow(cmd, s) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&s.options.Data, "data", "", "`data` to look at, as train takes it (needed)")
	f.StringVar(&s.out, "out", "", "draw some images into a PNG `file`")
	dataFlags(f, &s.options.DataOptions, clusteredLabels)
	f.Uint64Var(&s.options.Seed, "seed", defaultSeed, "`seed` that decides which images are held out")
	f.IntVar(&s.options.Threads, "threads", 0, "worker `threads` that read pictures (default all that this process may use)")
	f.BoolVar(&s.json, "json", false, "write one JSON object")
	return cmd
}

func (a *app) dataShow(cmd *cobra.Command, s dataShow) error {
	if s.out != "" && !strings.HasSuffix(strings.ToLower(s.out), ".png") {
		return usagef("--out %s: its name must end in .png", s.out)
	}
	if err := positive(cmd, "size", "data-memory", "threads"); err != nil {
		return err
	}
	if s.out != "" {
		if err := atomicfile.Probe(s.out); err != nil {
			return err
		}
	}
	show := a.newReporter(false)
	s.options.OnEvent = show.event
	set, err := train.OpenData(cmd.Context(), s.options)
	show.close()
	if err != nil {
		return err
	}
	facts := factsOf(s.options.Data, set)
	if s.json {
		err = json.NewEncoder(a.stdout).Encode(facts)
	} else {
		err = facts.writeText(a.stdout)
	}
	if err != nil || s.out == "" {
		return err
	}
	if set.Sizes != nil {
		a.noteJoin(s.out, s.options.Data)
	}
	grid, err := picture.DataGrid(set.Train)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(s.out, func(w io.Writer) error { return picture.WritePNG(w, grid, nil) }); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "wrote %s\n", s.out)
	return nil
}

// dataFacts are what data show tells about a data set.
type dataFacts struct {
	Name     string              `json:"name"`
	Format   string              `json:"format"`
	Path     string              `json:"path,omitempty"`
	Train    int                 `json:"train"`
	Held     int                 `json:"held_out"`
	OwnTest  bool                `json:"own_test_images"` // the set brings the held-out images
	Height   int                 `json:"height"`
	Width    int                 `json:"width"`
	Channels int                 `json:"channels"`
	Classes  []classFacts        `json:"classes"`
	NoClass  int                 `json:"images_without_class"`
	Sizes    []dataset.SizeCount `json:"picture_sizes,omitempty"`
	Files    int                 `json:"files,omitempty"`
	Notes    []string            `json:"notes"` // what was guessed or left out
	Skipped  []dataset.Skip      `json:"skipped"`
}

// classFacts counts the images of a class.
type classFacts struct {
	Name  string `json:"name"`
	Train int    `json:"train"`
	Held  int    `json:"held_out"`
}

func factsOf(name string, set *dataset.Set) dataFacts {
	f := dataFacts{
		Name: name, Format: set.Format, Path: set.Path, Train: set.Train.Len(), OwnTest: set.OwnTest,
		Classes: []classFacts{}, Sizes: set.Sizes, Files: set.Files, Skipped: append([]dataset.Skip{}, set.Skipped...), Notes: []string{},
	}
	for _, note := range set.Notes {
		f.Notes = append(f.Notes, note.In(flags{}))
	}
	f.Height, f.Width, f.Channels = set.Train.Shape()
	for _, class := range set.Train.Classes() {
		f.Classes = append(f.Classes, classFacts{Name: class})
	}
	f.count(set.Train, func(c *classFacts) { c.Train++ })
	if set.Test != nil {
		f.Held = set.Test.Len()
		f.count(set.Test, func(c *classFacts) { c.Held++ })
	}
	return f
}

// count adds the images of a source to the counts of their classes.
func (f *dataFacts) count(s dataset.Source, add func(*classFacts)) {
	image := make([]float32, f.Height*f.Width*f.Channels)
	for i := range s.Len() {
		if label := s.Image(i, image); label >= 0 {
			add(&f.Classes[label])
		} else {
			f.NoClass++
		}
	}
}

// listed is the number of classes that are listed for a person, and barWidth the characters of the
// longest bar.
const (
	listed   = 40
	barWidth = 30
)

func (f *dataFacts) writeText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s%s\n", text.Printable(f.Name), f.Format, in(f.Path))
	images := f.Train + f.Held
	fmt.Fprintf(&b, "images     %d of %dx%d, %s: %s in memory\n", images, f.Width, f.Height,
		colours(f.Channels), text.Bytes(float64(images*f.Height*f.Width*f.Channels)))
	held := "held out by --seed"
	if f.OwnTest {
		held = "test images of the set"
	}
	fmt.Fprintf(&b, "training   %d\nvalidation %d (%s)\n", f.Train, f.Held, held)
	f.writeClasses(&b)
	for i, s := range f.Sizes {
		if i == 5 {
			fmt.Fprintf(&b, "           and %s\n", text.Count(len(f.Sizes)-i, "other size", "other sizes"))
			break
		}
		fmt.Fprintf(&b, "%-10s %d of %dx%d\n", first(i, "pictures"), s.Count, s.Width, s.Height)
	}
	for i, note := range f.Notes {
		fmt.Fprintf(&b, "%-10s %s\n", first(i, "notes"), note)
	}
	for i, s := range f.Skipped {
		fmt.Fprintf(&b, "%-10s %d %s, such as %s%s\n", first(i, "left out"), s.Count, s.Reason, s.First, detail(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// colours names the channels of images.
func colours(channels int) string {
	if c := feed.ChannelsOf(channels); c != "" {
		return strings.ReplaceAll(strings.ReplaceAll(string(c), "rgb", "RGB"), "RGBa", "RGBA")
	}
	return text.Count(channels, "channel", "channels")
}

// writeClasses lists classes, each with a bar as long as its share of the largest one.
func (f *dataFacts) writeClasses(b *strings.Builder) {
	if len(f.Classes) == 0 {
		b.WriteString("classes    none\n")
		return
	}
	names, wide, most := make([]string, len(f.Classes)), 0, 1
	for i, c := range f.Classes {
		names[i] = fmt.Sprintf("%d %s", i, text.Printable(c.Name))
		if most = max(most, c.Train+c.Held); i < listed {
			wide = min(max(wide, utf8.RuneCountInString(names[i])), nameWidth)
		}
	}
	fmt.Fprintf(b, "classes    %d%s\n", len(f.Classes), f.spread())
	for i, c := range f.Classes {
		if i == listed {
			fmt.Fprintf(b, "           and %s\n", text.Count(len(f.Classes)-i, "other class", "other classes"))
			break
		}
		bar := strings.Repeat("#", (barWidth*(c.Train+c.Held)+most-1)/most)
		fmt.Fprintf(b, "           %-*s %-*s %d", wide, names[i], barWidth, bar, c.Train)
		if f.Held > 0 {
			fmt.Fprintf(b, " + %d", c.Held)
		}
		b.WriteByte('\n')
	}
	if f.NoClass > 0 {
		fmt.Fprintf(b, "           and %s without a class\n", text.Count(f.NoClass, "image", "images"))
	}
}

// nameWidth is the width of the column of names. A longer name shifts its bar.
const nameWidth = 24

// spread says how large the classes are, where they differ.
func (f *dataFacts) spread() string {
	size := func(c classFacts) int { return c.Train + c.Held }
	compare := func(a, b classFacts) int { return size(a) - size(b) }
	least, most := size(slices.MinFunc(f.Classes, compare)), size(slices.MaxFunc(f.Classes, compare))
	if least == most {
		return fmt.Sprintf(", of %s each", text.Count(most, "image", "images"))
	}
	return fmt.Sprintf(", of %d to %s each", least, text.Count(most, "image", "images"))
}

// first returns the title of a list for its first line, and "" for the others.
func first(i int, title string) string {
	if i > 0 {
		return ""
	}
	return title
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + text.Printable(path)
}

func detail(s dataset.Skip) string {
	if s.Detail == "" {
		return ""
	}
	return " (" + s.Detail + ")"
}
