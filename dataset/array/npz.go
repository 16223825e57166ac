package array

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/fmimg/fmimg/dataset/tree"
)

// findNPZ finds archives of arrays, each of which is a set.
func findNPZ(files []*tree.File) []Source {
	var list []Source
	folders, paired := newGroups(files).all, pairsOf(files)
	for _, f := range files {
		_, ok := cutEnds(path.Base(f.Name), ".npz")
		if _, isPart := paired.has(f); !ok || isPart {
			continue
		}
		beside := folders[path.Dir(f.Name)]
		list = append(list, Source{Format: "NumPy arrays", Name: f.Name, Files: []*tree.File{f},
			Read: func(ctx context.Context, l Limits) (set *Set, err error) {
				defer recovered(&err)
				return readNPZ(ctx, l, f, beside)
			}})
	}
	return list
}

// readNPZ reads a set out of an archive of arrays.
func readNPZ(ctx context.Context, l Limits, f *tree.File, beside []*tree.File) (*Set, error) {
	r := recipe{format: "NumPy arrays", files: []*tree.File{f}}
	defer r.close()
	z, err := r.openNPZ(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Base(f.Name), err)
	}
	g := group{format: r.format, files: r.files, beside: beside}
	z.byName(&g, &r)
	if !slices.ContainsFunc(g.members, func(m member) bool { return m.role == imagesRole }) {
		g.members = nil
		z.byShape(&g, &r)
	}
	if len(g.members) == 0 {
		return nil, fmt.Errorf("%s holds %s: which of them are the images is not clear: "+
			"save them as images and labels, or x_train, y_train, x_test and y_test",
			path.Base(f.Name), z.describe())
	}
	if err := g.plan(&r); err != nil {
		return nil, err
	}
	return build(ctx, l, r)
}

// member is the array i as a member of a set.
func (z *npz) member(i int, part, role string) member {
	return member{name: z.heads[i].name, part: part, role: role,
		load: func(*recipe) (numbers, error) { return z.load(i) }}
}

// byName finds images and labels by the names of arrays.
func (z *npz) byName(g *group, r *recipe) {
	for i := range z.arrays {
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
