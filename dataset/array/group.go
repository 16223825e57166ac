package array

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/fmimg/fmimg/dataset/tree"
)

// A member is an array of a set that lies in one or several files.
type member struct {
	name string // of the file, or of the array in it
	part string // "train", "test", …; empty for none
	role string // of images or labels
	load func(r *recipe) (numbers, error)
}

// A group has the arrays that make a set.
type group struct {
	format  string
	folder  string
	prefix  string // of the files' names, empty for none
	stem    string // of the file of images, without its ending
	told    bool   // the name says that it has images
	members []member
	files   []*tree.File
	beside  []*tree.File // files of the folder that may have names of classes
	lost    []member     // labels of the folder that belong to no images
}

// testParts are the parts that may be tested on, the best first. What is not taken is left out.
var testParts = []string{"test", "test10k", "test50k", "val"}

// find returns the member of a part with a role, nil for none.
func (g *group) find(part, role string) *member {
	for i := range g.members {
		if g.members[i].part == part && g.members[i].role == role {
			return &g.members[i]
		}
	}
	return nil
}

// add takes a member in, unless there is one like it. It reports whether it did.
func (g *group) add(m member, f *tree.File) bool {
	if g.find(m.part, m.role) != nil {
		return false
	}
	g.members = append(g.members, m)
	g.files = append(g.files, f)
	return true
}

// source returns the group as a set to be read.
func (g *group) source() Source {
	name := g.files[0].Name
	for i, m := range g.members {
		if m.role == imagesRole && i < len(g.files) {
			name = g.files[i].Name
			if m.part == "train" || m.part == "" {
				break
			}
		}
	}
	return planned(Source{Format: g.format, Name: name, Files: g.files, folder: g.folder, stem: g.stem, told: g.told},
		func(r *recipe) error {
			r.files = slices.Clone(g.files)
			return g.plan(r)
		})
}

// planned is a source whose recipe plan writes.
func planned(s Source, plan func(r *recipe) error) Source {
	s.plan = plan
	s.Read = func(ctx context.Context, l Limits) (set *Set, err error) {
		defer recovered(&err)
		r := recipe{format: s.Format}
		defer r.close()
		if err := plan(&r); err != nil {
			return nil, err
		}
		return build(ctx, l, r)
	}
	return s
}

// close closes the files that stayed open; they were only read.
func (r *recipe) close() {
	for _, c := range r.opened {
		_ = c.Close()
	}
}

// recovered makes an error of a panic, which a library's or our own reading of a damaged file may
// end in.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the file is damaged, or of a kind that is not read (%v): copy or save it again", p)
	}
}

// plan loads the headers of the arrays.
func (g *group) plan(r *recipe) error {
	names, files, err := namesBeside(g.beside, g.prefix)
	if err != nil {
		return err
	}
	r.names, r.files = names, append(r.files, files...)
	r.names.path = g.files[0].Name
	training := ""
	if g.find("", imagesRole) == nil || g.find("train", imagesRole) != nil {
		training = "train"
	}
	if r.train, err = g.part(training, r); err != nil {
		return err
	}
	taken := []string{training}
	for _, part := range testParts {
		if g.find(part, imagesRole) == nil {
			continue
		}
		if r.test, err = g.part(part, r); err != nil {
			return err
		}
		taken = append(taken, part)
		break
	}
	r.leftOut(g, taken)
	if g.isTurned() {
		r.turn()
	}
	return nil
}

// leftOut notes the arrays that belong to no part that was taken.
func (r *recipe) leftOut(g *group, taken []string) {
	for i, part := range taken {
		if i > 0 && part == "val" && r.train != nil {
			r.notes = append(r.notes, "the validation images were taken for test images")
		}
	}
	for _, m := range g.members {
		if !slices.Contains(taken, m.part) && m.role == imagesRole {
			r.notes = append(r.notes, m.name+" was left out: the set has other images to train and to test on")
		}
		if m.role == labelsRole && g.find(m.part, imagesRole) == nil {
			r.noteLost(&m)
		}
	}
	for i := range g.lost {
		r.noteLost(&g.lost[i])
	}
}

// noteLost says why an array is left out whose name says that it has labels.
func (r *recipe) noteLost(m *member) {
	why := "its images were not found"
	if m.pictures() {
		why = "its name says that it holds labels, and it holds images: give it another name to read it"
	}
	r.notes = append(r.notes, m.name+" was left out: "+why)
}

// part loads the images of a part and their labels; nil where there are none.
func (g *group) part(part string, r *recipe) (*part, error) {
	images := g.find(part, imagesRole)
	if images == nil {
		return nil, nil
	}
	return r.load(images, g.find(part, labelsRole), strings.Contains(g.prefix, "qmnist") || g.prefix == "xnist")
}

// load loads the headers of images and of their labels, which may be nil.
func (r *recipe) load(images, of *member, column bool) (*part, error) {
	pixels, err := images.load(r)
	if err != nil {
		return nil, err
	}
	p := &part{pixels: pixels, wanted: labelsOf(images.name)}
	if of != nil {
		values, err := of.load(r)
		if err != nil {
			return nil, err
		}
		p.labels = &labels{name: of.name, values: values, column: column}
	}
	return p, nil
}

// isTurned reports whether a set's images are stored column by column, as EMNIST's are.
func (g *group) isTurned() bool { return strings.HasPrefix(g.prefix, "emnist") }

// turn sets the images upright.
func (r *recipe) turn() {
	for _, p := range []*part{r.train, r.test} {
		if p != nil {
			p.turned = true
		}
	}
	r.notes = append(r.notes, "EMNIST stores its images column by column: they were turned upright")
	if r.names.list == nil && r.names.first == 0 {
		r.names.first = -1
	}
}

// groups collects groups by folder and prefix, in the order in which they were first seen.
type groups struct {
	list []*group
	by   map[string]*group
	all  map[string][]*tree.File // files by folder
	text map[string][]*tree.File // those that may have names of classes
}

func newGroups(files []*tree.File) *groups {
	g := &groups{by: map[string]*group{}, all: map[string][]*tree.File{}, text: map[string][]*tree.File{}}
	for _, f := range files {
		folder, lower := path.Dir(f.Name), strings.ToLower(f.Name)
		g.all[folder] = append(g.all[folder], f)
		if strings.HasSuffix(lower, ".txt") || strings.HasSuffix(lower, ".csv") {
			g.text[folder] = append(g.text[folder], f)
		}
	}
	return g
}

// folderOf returns the folder of a file. One that is called like the file, as programs make it that
// unpack a file into a folder of its own, does not count.
func folderOf(f *tree.File) string {
	folder, base := path.Dir(f.Name), path.Base(f.Name)
	same := bare(path.Base(folder))
	if same != "" && (same == bare(base) || same == bare(strings.TrimSuffix(base, path.Ext(base)))) {
		return path.Dir(folder)
	}
	return folder
}

// bare returns the letters and digits of a name, in lower case.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// of returns the group of a folder and a prefix, a new one where it is the first.
func (g *groups) of(folder, format, prefix string) *group {
	key := folder + "\x00" + prefix
	if g.by[key] == nil {
		g.by[key] = &group{format: format, folder: folder, prefix: prefix, beside: g.text[folder]}
		g.list = append(g.list, g.by[key])
	}
	return g.by[key]
}

// sources returns the groups that have images. The first of a folder says which labels belong to
// none.
func (g *groups) sources() []Source {
	var list []Source
	lost := map[string][]member{}
	for _, one := range g.list {
		if !one.hasImages() {
			lost[one.folder] = append(lost[one.folder], one.members...)
		}
	}
	for _, one := range g.list {
		if one.hasImages() {
			one.lost, lost[one.folder] = lost[one.folder], nil
			list = append(list, one.source())
		}
	}
	return list
}

func (g *group) hasImages() bool {
	return slices.ContainsFunc(g.members, func(m member) bool { return m.role == imagesRole })
}
