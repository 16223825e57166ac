package array

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
)

// An npzFile is an archive of arrays, with the part of the set that its folder or its name tells.
type npzFile struct {
	file *tree.File
	part string // empty for none
}

// An npzSet has the archives that make a set: one for each part.
type npzSet struct {
	source Source
	parts  []npzFile
	beside []*tree.File
	left   []string // archives of labels that belong to no images
}

// findNPZ finds archives of arrays. Those of a folder whose names differ by "train" and "test"
// alone are one set, and every other is a set.
func findNPZ(files []*tree.File) []Source {
	folders, paired := newGroups(files).text, pairsOf(files)
	var list []*npzSet
	by, lost := map[string]*npzSet{}, map[string][]string{}
	for _, f := range files {
		stem, ok := cutEnds(path.Base(f.Name), ".npz")
		if _, isPart := paired.has(f); !ok || isPart {
			continue
		}
		folder, part := partOf(folderOf(f))
		rest, own, role := words(stem)
		if role == labelsRole && arraysIn(f, func(z *npz) bool { return !z.anyPictures() }) {
			lost[path.Dir(f.Name)] = append(lost[path.Dir(f.Name)], path.Base(f.Name))
			continue
		}
		one := npzFile{file: f, part: cmp.Or(own, part)}
		key := folder + "\x00" + rest
		set := by[key]
		if own == "" || set != nil && set.has(one.part) {
			key, set = "\x00"+f.Name, nil
		}
		if set == nil {
			set = &npzSet{beside: folders[path.Dir(f.Name)]}
			set.source = Source{Format: "NumPy arrays", Name: f.Name, folder: folder, stem: stem}
			list, by[key] = append(list, set), set
		}
		set.source.Files, set.parts = append(set.source.Files, f), append(set.parts, one)
	}
	var sources []Source
	for _, set := range list {
		folder := path.Dir(set.source.Name)
		set.left, lost[folder] = lost[folder], nil
		sources = append(sources, planned(set.source, set.plan))
	}
	return sources
}

// has reports whether one of the archives has a part of the set.
func (s *npzSet) has(part string) bool {
	return slices.ContainsFunc(s.parts, func(f npzFile) bool { return f.part == part })
}

// plan plans a set out of archives of arrays.
func (s *npzSet) plan(r *recipe) error {
	g := group{beside: s.beside}
	var archives []*npz
	for _, f := range s.parts {
		g.files = append(g.files, f.file)
		z, err := r.openNPZ(f.file)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Base(f.file.Name), err)
		}
		if archives = append(archives, z); !z.members(&g, r, f.part) {
			return fmt.Errorf("%s holds %s: which of them are the images is not clear: "+
				"save them as images and labels, or x_train, y_train, x_test and y_test",
				path.Base(f.file.Name), z.describe())
		}
	}
	for _, name := range s.left {
		r.notes = append(r.notes, name+" was left out: it holds no images, and is not half of a pair of one array each")
	}
	r.files = g.files
	if err := g.plan(r); err != nil {
		return err
	}
	for _, z := range archives {
		if r.names.list != nil {
			break
		}
		if err := z.classNames(r); err != nil {
			return err
		}
	}
	return nil
}

// members finds the images and labels of an archive, and adds them to the group. Arrays that tell
// no part of the set are of the part of the archive. It reports whether there are images.
func (z *npz) members(g *group, r *recipe, part string) bool {
	own := group{}
	z.byName(&own, r)
	if !own.hasImages() {
		own.members = nil
		z.byShape(&own, r, part)
	}
	if len(own.members) == 0 {
		return false
	}
	own.inPart(part)
	z.leftOut(&own, r)
	for _, m := range own.members {
		if g.find(m.part, m.role) == nil {
			g.members = append(g.members, m)
		} else if m.role == imagesRole {
			r.notes = append(r.notes, m.name+" was left out: the set has other "+partNames[m.part]+" images")
		}
	}
	return true
}

// inPart makes arrays that belong to no part those of the archive's.
func (g *group) inPart(part string) {
	for i := range g.members {
		if g.members[i].part == "" {
			g.members[i].part = part
		}
	}
}

// nameWords are what arrays of the classes' names are called, in lower case and without signs.
var nameWords = []string{"classes", "classnames", "labelnames", "targetnames", "names", "categories", "finelabelnames"}

// isNames reports whether array i has the names of classes.
func (z *npz) isNames(i int) bool {
	return z.errs[i] == nil && z.heads[i].kind.text && len(z.heads[i].dims) == 1 &&
		slices.Contains(nameWords, bare(stem(z.arrays[i])))
}

// classNames reads the names of the classes, where an array has them.
func (z *npz) classNames(r *recipe) error {
	for i := range z.arrays {
		if !z.isNames(i) || z.heads[i].count() > maxTexts {
			continue
		}
		a := z.heads[i]
		found := names{from: a.name, first: -1}
		err := a.raw(func(part []byte) error {
			for ; len(part) > 0; part = part[a.kind.size:] {
				found.list = append(found.list, a.kind.string(part[:a.kind.size]))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		r.names = found
	}
	return nil
}

// leftOut notes the arrays that are not read though they have something for each image.
func (z *npz) leftOut(g *group, r *recipe) {
	taken := func(a numbers) bool {
		return slices.ContainsFunc(g.members, func(m member) bool { return m.name == a.name })
	}
	counts := map[int]bool{}
	for _, a := range z.heads {
		if taken(a) && len(a.dims) > 1 {
			counts[a.dims[0]] = true
		}
	}
	var list []string
	for i, a := range z.heads {
		if z.errs[i] == nil && len(a.dims) > 0 && counts[a.dims[0]] && !taken(a) && !z.isNames(i) {
			list = append(list, stem(z.arrays[i]))
		}
	}
	if len(list) > maxListed {
		list = append(list[:maxListed], fmt.Sprintf("%d more", len(list)-maxListed))
	}
	if len(list) > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s: not read: %s", path.Base(z.file.Name), strings.Join(list, ", ")))
	}
}

// maxListed bounds the names in a note.
const maxListed = 8

// member is the array i as a member of a set.
func (z *npz) member(i int, part, role string) member {
	return member{name: z.heads[i].name, part: part, role: role,
		load: func(*recipe) (numbers, error) { return z.load(i) }}
}

// byName finds images and labels by the names of arrays.
func (z *npz) byName(g *group, r *recipe) {
	for i := range z.arrays {
		if z.isNames(i) {
			continue
		}
		_, part, role := words(stem(z.arrays[i]))
		if role == "" && part != "" && z.pictures(i) {
			role = imagesRole
		}
		switch {
		case role == "":
		case z.errs[i] != nil && role == labelsRole:
			r.notes = append(r.notes, fmt.Sprintf("%s was left out: %v", z.heads[i].name, z.errs[i]))
		case role == imagesRole && z.errs[i] == nil && !z.pictures(i):
		case g.find(part, role) == nil:
			g.members = append(g.members, z.member(i, part, role))
		}
	}
}

// pictures reports whether array i has the dimensions of images.
func (z *npz) pictures(i int) bool {
	_, err := arrange(z.heads[i].dims, false)
	return z.errs[i] == nil && err == nil && !z.heads[i].kind.text
}

// partNames are the parts of a set in words.
var partNames = map[string]string{
	"train": "training", "test": "test", "test10k": "test", "test50k": "test", "val": "validation",
}

// anyPictures reports whether one of the arrays has the dimensions of images.
func (z *npz) anyPictures() bool {
	for i := range z.arrays {
		if z.pictures(i) {
			return true
		}
	}
	return false
}

// byShape finds images by the dimensions of arrays, where there is one such array, or two of the
// same size of images: the second is taken for test images. A single one is of the archive's part.
// An array of one number for each image has the labels.
func (z *npz) byShape(g *group, r *recipe, of string) {
	var images, counts []int
	for i, a := range z.heads {
		switch {
		case z.errs[i] != nil:
		case len(a.dims) == 1 || len(a.dims) == 2 && a.dims[1] == 1:
			counts = append(counts, i)
		case z.pictures(i):
			images = append(images, i)
		}
	}
	if len(images) == 0 || len(images) > 2 ||
		len(images) == 2 && !slices.Equal(z.heads[images[0]].dims[1:], z.heads[images[1]].dims[1:]) {
		return
	}
	for k, i := range images {
		part := []string{"train", "test"}[k]
		if len(images) == 1 {
			part = cmp.Or(of, part)
		}
		g.members = append(g.members, z.member(i, part, imagesRole))
		note := fmt.Sprintf("%s was taken for the %s images", z.heads[i].name, partNames[part])
		at := slices.IndexFunc(counts, func(c int) bool { return z.heads[c].dims[0] == z.heads[i].dims[0] })
		if at >= 0 {
			g.members = append(g.members, z.member(counts[at], part, labelsRole))
			note += fmt.Sprintf(", and %s for their labels", stem(z.arrays[counts[at]]))
			counts = slices.Delete(counts, at, at+1)
		}
		r.notes = append(r.notes, note)
	}
}
