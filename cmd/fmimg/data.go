package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/train"
)

func (a *app) newData() *cobra.Command {
	cmd := &cobra.Command{
		Use: "data", Short: "List known data sets, look at one",
		Example: "  fmimg data list\n  fmimg data show --data photos/ --out grid.png",
		Args:    knownCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newDataList(), a.newDataShow())
	return cmd
}

func (a *app) newDataList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the data sets that are known by name, and where they are",
		Example: "  fmimg data list\n  fmimg data list --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(dataset.List())
			}
			return writeDataList(a.stdout, dataset.List())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func writeDataList(w io.Writer, list []dataset.Info) error {
	for _, set := range list {
		where := set.Found
		if where == "" {
			where = "not here: " + set.Get
		}
		if _, err := fmt.Fprintf(w, "%-14s %s\n%-14s %s\n", set.Name, set.Description, "", where); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\nA path works in place of a name: a folder or .zip of pictures, a folder of IDX files or of CIFAR-10 batches, a .npy array.")
	return err
}

const dataShowHelp = `Read a data set as train does, and say what is in it: the images to train on and those held out, their
shape and classes, the sizes that pictures had, and which files are left out and why. With --out some of
the images are drawn, a row for each class.`

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
	dataFlags(f, &s.options.DataOptions)
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
		Classes: []classFacts{}, Sizes: set.Sizes, Files: set.Files, Skipped: slices.Concat([]dataset.Skip{}, set.Skipped),
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

// listed is the number of classes that are listed for a person.
const listed = 40

func (f *dataFacts) writeText(w io.Writer) error {
	var b strings.Builder
	kind := map[int]string{1: "gray", 3: "RGB"}[f.Channels]
	fmt.Fprintf(&b, "%s: %s%s\n", f.Name, f.Format, in(f.Path))
	fmt.Fprintf(&b, "images     %d of %dx%d, %s: %s in memory\n", f.Train+f.Held, f.Width, f.Height,
		cmp.Or(kind, fmt.Sprintf("%d channels", f.Channels)), megabytes((f.Train+f.Held)*f.Height*f.Width*f.Channels))
	held := "held out by --seed"
	if f.OwnTest {
		held = "test images of the set"
	}
	fmt.Fprintf(&b, "training   %d\nvalidation %d (%s)\n", f.Train, f.Held, held)
	f.writeClasses(&b)
	for i, s := range f.Sizes {
		if i == 5 {
			fmt.Fprintf(&b, "           and %d other sizes\n", len(f.Sizes)-i)
			break
		}
		fmt.Fprintf(&b, "%-10s %d of %dx%d\n", first(i, "pictures"), s.Count, s.Width, s.Height)
	}
	for i, s := range f.Skipped {
		fmt.Fprintf(&b, "%-10s %d %s, such as %s%s\n", first(i, "left out"), s.Count, s.Reason, s.First, detail(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *dataFacts) writeClasses(b *strings.Builder) {
	if len(f.Classes) == 0 {
		b.WriteString("classes    none\n")
	}
	for i, c := range f.Classes {
		if i == listed {
			fmt.Fprintf(b, "           and %d other classes\n", len(f.Classes)-i)
			break
		}
		fmt.Fprintf(b, "%-10s %d %s: %d", first(i, "classes"), i, dataset.Printable(c.Name), c.Train)
		if f.Held > 0 {
			fmt.Fprintf(b, " + %d", c.Held)
		}
		b.WriteByte('\n')
	}
	if f.NoClass > 0 && len(f.Classes) > 0 {
		fmt.Fprintf(b, "           and %d images without a class\n", f.NoClass)
	}
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
	return " in " + path
}

func detail(s dataset.Skip) string {
	if s.Detail == "" {
		return ""
	}
	return " (" + s.Detail + ")"
}

func megabytes(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
