package array

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
)

// findNPZ finds archives of arrays, each of which is a set.
func findNPZ(files []*tree.File) []Source {
	var list []Source
	folders, paired := newGroups(files).text, pairsOf(files)
	for _, f := range files {
		stem, ok := cutEnds(path.Base(f.Name), ".npz")
		if _, isPart := paired.has(f); !ok || isPart {
			continue
		}
		beside := folders[path.Dir(f.Name)]
		folder, _ := partOf(folderOf(f))
		one := Source{Format: "NumPy arrays", Name: f.Name, Files: []*tree.File{f}, folder: folder, stem: stem}
		list = append(list, planned(one, func(r *recipe) error { return planNPZ(r, f, beside) }))
	}
	return list
}

// planNPZ plans a set out of an archive of arrays.
func planNPZ(r *recipe, f *tree.File, beside []*tree.File) error {
	r.files = []*tree.File{f}
	z, err := r.openNPZ(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path.Base(f.Name), err)
	}
	g := group{files: r.files, beside: beside}
	z.byName(&g, r)
	if !slices.ContainsFunc(g.members, func(m member) bool { return m.role == imagesRole }) {
		g.members = nil
		z.byShape(&g, r)
	}
	if len(g.members) == 0 {
		return fmt.Errorf("%s holds %s: which of them are the images is not clear: "+
			"save them as images and labels, or x_train, y_train, x_test and y_test",
			path.Base(f.Name), z.describe())
	}
	if _, part := partOf(path.Dir(f.Name)); part != "" && len(g.members) > 0 {
		g.inPart(part)
	}
	z.leftOut(&g, r)
	if err := g.plan(r); err != nil {
		return err
	}
	if r.names.list == nil {
		return z.classNames(r)
	}
	return nil
}

// inPart makes arrays that belong to no part those of the folder's.
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

// byShape finds images by the dimensions of arrays, where there is one such array, or two of the
// same size of images: the second is taken for test images. An array of one number for each image
// has the labels.
func (z *npz) byShape(g *group, r *recipe) {
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
		g.members = append(g.members, z.member(i, part, imagesRole))
		note := fmt.Sprintf("%s was taken for the %s images", z.heads[i].name, map[int]string{0: "training", 1: "test"}[k])
		at := slices.IndexFunc(counts, func(c int) bool { return z.heads[c].dims[0] == z.heads[i].dims[0] })
		if at >= 0 {
			g.members = append(g.members, z.member(counts[at], part, labelsRole))
			note += fmt.Sprintf(", and %s for their labels", stem(z.arrays[counts[at]]))
			counts = slices.Delete(counts, at, at+1)
		}
		r.notes = append(r.notes, note)
	}
}
