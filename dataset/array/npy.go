package array

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/npy"
)

// Package internal/npy reads the headers, not a library: codeberg.org/sbinet/npyio has no half
// floats, refuses headers of other writers (5L), and takes memory on the word of a header.

// npyEnds are the endings of files with one array.
var npyEnds = []string{".npy", ".npy.gz"}

// findNPY finds arrays in files of their own. Images and labels of one folder are one set where
// their names say so, or where there is just one of each.
func findNPY(files []*tree.File) []Source {
	sets, paired := newGroups(files), pairsOf(files)
	for _, f := range plainFirst(files) {
		stem, ok := cutEnds(path.Base(f.Name), npyEnds...)
		if !ok {
			stem, ok = paired.has(f)
		}
		if !ok {
			continue
		}
		rest, part, role := words(stem)
		told := role != ""
		if role == "" && part == "" {
			rest = strings.ToLower(stem)
		}
		if role == "" {
			role = imagesRole
		}
		folder, above := partOf(folderOf(f))
		if part == "" {
			part = above
		}
		m := member{name: path.Base(f.Name), part: part, role: role, load: func(r *recipe) (numbers, error) { return r.readNPY(f) }}
		g := sets.of(folder, "NumPy array", rest)
		if g.find(m.part, m.role) != nil {
			g = sets.of(folder, "NumPy array", strings.ToLower(path.Base(f.Name)))
		}
		if g.add(m, f) && m.role == imagesRole {
			g.stem, g.told = stem, told
		}
	}
	sets.marry()
	sets.promote()
	return sets.sources()
}

// marry joins the only images of a folder to its only labels, where their names share no word.
func (g *groups) marry() {
	images, labels := map[string][]*group{}, map[string][]*group{}
	for _, one := range g.list {
		folder := one.folder
		switch {
		case len(one.members) != 1:
			images[folder] = append(images[folder], nil) // belongs to none
		case one.members[0].role == labelsRole:
			labels[folder] = append(labels[folder], one)
		default:
			images[folder] = append(images[folder], one)
		}
	}
	for folder, list := range images {
		if len(list) == 1 && list[0] != nil && len(labels[folder]) == 1 {
			of := labels[folder][0]
			of.members[0].part = list[0].members[0].part
			list[0].add(of.members[0], of.files[0])
		}
	}
}

// promote takes arrays for images whose names say that they are labels, where the folder has no
// other images and they have the dimensions of some.
func (g *groups) promote() {
	images := map[string]bool{}
	for _, one := range g.list {
		images[one.folder] = images[one.folder] || one.hasImages()
	}
	for _, one := range g.list {
		for i := range one.members {
			if m := &one.members[i]; !images[one.folder] && m.pictures() {
				m.role, one.stem = imagesRole, strings.TrimSuffix(m.name, path.Ext(m.name))
			}
		}
	}
}

// pictures reports whether an array has the dimensions of images, which labels do not have.
func (m *member) pictures() bool {
	r := recipe{}
	defer r.close()
	a, err := m.load(&r)
	if err != nil || len(a.dims) < 3 || a.kind.text {
		return false
	}
	_, err = arrange(a.dims, false)
	return err == nil && product(a.dims[2:]) > 1
}

// LabelsAlone returns the first file of NumPy among files, of which [Find] takes all but labels
// without images. It is empty where there is none.
func LabelsAlone(files []*tree.File) string {
	for _, f := range files {
		if _, ok := cutEnds(path.Base(f.Name), append(npyEnds, ".npz")...); ok && f.Err == nil && !ofSystem(f.Name) {
			return f.Name
		}
	}
	return ""
}

// partOf takes the part of a set that a folder names off a path: train/cats is cats.
func partOf(folder string) (rest, part string) {
	elements := strings.Split(folder, "/")
	for i, element := range elements {
		if part := partWords[strings.ToLower(element)]; part != "" && len(element) > 2 {
			return path.Join(append([]string{"."}, slices.Delete(elements, i, i+1)...)...), part
		}
	}
	return folder, ""
}

// cutEnds cuts the ending off a name, which may be in capitals.
func cutEnds(name string, ends ...string) (string, bool) {
	for _, end := range ends {
		if n := len(name) - len(end); n > 0 && strings.EqualFold(name[n:], end) {
			return name[:n], true
		}
	}
	return name, false
}

// pairs are the .npz files that hold one array each and belong to a set with images and labels, as
// Kuzushiji-MNIST has them, with their names without the ending.
type pairs map[*tree.File]string

// pairsOf finds pairs: among the files of a folder whose names have the rest in common there are
// images and labels. Files with more arrays than one are sets of their own.
func pairsOf(files []*tree.File) pairs {
	type halves struct{ images, labels []*tree.File }
	by := map[string]*halves{}
	stems := pairs{}
	for _, f := range files {
		stem, ok := cutEnds(path.Base(f.Name), ".npz")
		rest, _, role := words(stem)
		if !ok || role == "" {
			continue
		}
		key := path.Dir(f.Name) + "\x00" + rest
		if by[key] == nil {
			by[key] = &halves{}
		}
		if stems[f] = stem; role == labelsRole {
			by[key].labels = append(by[key].labels, f)
		} else {
			by[key].images = append(by[key].images, f)
		}
	}
	found := pairs{}
	for _, h := range by {
		if len(h.images) == 0 || len(h.labels) == 0 {
			continue
		}
		several := func(f *tree.File) bool { return arraysIn(f, func(z *npz) bool { return len(z.arrays) > 1 }) }
		images, labels := slices.DeleteFunc(h.images, several), slices.DeleteFunc(h.labels, several)
		if len(images) == 0 || len(labels) == 0 {
			continue
		}
		for _, f := range slices.Concat(images, labels) {
			found[f] = stems[f]
		}
	}
	return found
}

// arraysIn opens a .npz and reports whether its arrays are as is says, false where it cannot be
// read: that is said when it is.
func arraysIn(f *tree.File, is func(z *npz) bool) (yes bool) {
	r := recipe{}
	defer r.close()
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	z, err := r.openNPZ(f)
	return err == nil && is(z)
}

// has reports whether a file is one of such a set, and returns its name without the ending.
func (p pairs) has(f *tree.File) (stem string, ok bool) {
	stem, ok = p[f]
	return stem, ok
}

// readNPY reads the header of an array that is a file, or the only one of a .npz.
func (r *recipe) readNPY(f *tree.File) (numbers, error) {
	name := path.Base(f.Name)
	if _, ok := cutEnds(name, ".npz"); ok {
		z, err := r.openNPZ(f)
		if err != nil {
			return numbers{}, fmt.Errorf("%s: %w", name, err)
		}
		if len(z.arrays) != 1 {
			return numbers{}, fmt.Errorf("%s holds %s, want one", name, z.describe())
		}
		return z.load(0)
	}
	file, packed, err := unpacked(f)
	if err != nil {
		return numbers{}, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	a := numbers{name: name, stored: f.Size, packed: packed}
	offset, err := a.npyHeader(file)
	if err != nil {
		return numbers{}, fmt.Errorf("%s: %w", name, err)
	}
	if !packed {
		a.stored -= offset
	}
	a.open = func() (io.ReadCloser, error) { return skipTo(f, offset) }
	return a, nil
}

// counter counts the bytes that are read.
type counter struct {
	io.Reader
	n int64
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// npyHeader reads the header, and returns how long it is.
func (a *numbers) npyHeader(r io.Reader) (offset int64, err error) {
	c := &counter{Reader: r}
	h, err := npy.ReadHeader(c)
	if err != nil {
		return 0, err
	}
	if a.kind, err = numpyKind(h.Type); err != nil {
		return 0, err
	}
	a.fortran = h.Fortran
	limit := uint64(max(a.stored, 1))
	if a.packed {
		limit *= maxRatio
	}
	a.dims, _, err = h.Dims(a.kind.size, limit)
	return c.n, err
}

// An npz is an archive of arrays.
type npz struct {
	file   *tree.File
	arrays []*zip.File // in the order of the archive
	heads  []numbers   // what is known of each
	errs   []error     // why one cannot be used, nil for none
}

// maxArrays bounds the arrays of an archive. The names of more are not looked at.
const maxArrays = 1 << 10

// maxArchive bounds an archive that must be read into memory.
const maxArchive = 2 << 30

// openNPZ reads the directory of an archive and the headers of its arrays. The archive stays open
// as long as the recipe.
func (r *recipe) openNPZ(f *tree.File) (*npz, error) {
	at, size, closer, err := randomly(f, maxArchive)
	if err != nil {
		return nil, err
	}
	r.opened = append(r.opened, closer)
	archive, err := zip.NewReader(at, size)
	if err != nil {
		if head := head(f, len(npy.Magic)); string(head) == npy.Magic {
			return nil, errors.New("it is one array, not an archive of arrays: give its name the ending .npy")
		}
		return nil, fmt.Errorf("it is not a whole .npz (%s): copy or save it again", strings.TrimPrefix(err.Error(), "zip: "))
	}
	z := &npz{file: f}
	for _, entry := range archive.File {
		if _, ok := cutEnds(entry.Name, ".npy"); ok && len(z.arrays) < maxArrays {
			z.arrays = append(z.arrays, entry)
			head, err := z.head(entry)
			z.heads, z.errs = append(z.heads, head), append(z.errs, err)
		}
	}
	if len(z.arrays) == 0 {
		return nil, errors.New("it holds no array: save it by numpy.savez")
	}
	return z, nil
}

// stem returns the name of an array without .npy.
func stem(entry *zip.File) string {
	name, _ := cutEnds(entry.Name, ".npy")
	return name
}

// head reads the header of an array.
func (z *npz) head(entry *zip.File) (numbers, error) {
	a := numbers{name: path.Base(z.file.Name) + ": " + stem(entry), packed: entry.Method != zip.Store}
	a.stored = int64(min(entry.CompressedSize64, uint64(max(z.file.Size, 0))))
	if entry.Flags&1 != 0 {
		return a, errors.New("it is encrypted: unpack the .npz with its password, and name the folder")
	}
	r, err := entry.Open()
	if err != nil {
		return a, fmt.Errorf("it is packed by method %d, which is not read: unpack the .npz (with 7-Zip, say) "+
			"and name the folder, or save it by numpy.savez", entry.Method)
	}
	defer func() { _ = r.Close() }()
	offset, err := a.npyHeader(r)
	if err != nil {
		return a, err
	}
	if !a.packed {
		a.stored -= offset
	}
	a.open = func() (io.ReadCloser, error) {
		r, err := entry.Open()
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, r, offset); err != nil {
			_ = r.Close()
			return nil, cutOff("header", err)
		}
		return r, nil
	}
	return a, nil
}

// load returns array i, or why it cannot be read.
func (z *npz) load(i int) (numbers, error) {
	if z.errs[i] != nil {
		return numbers{}, fmt.Errorf("%s: %w", z.heads[i].name, z.errs[i])
	}
	return z.heads[i], nil
}

// describe lists the arrays with their shapes.
func (z *npz) describe() string {
	const most = 12
	var list []string
	for i, a := range z.heads {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(z.heads)-most))
			break
		}
		shape := fmt.Sprint(a.dims)
		if z.errs[i] != nil {
			shape = "which cannot be read"
		}
		list = append(list, stem(z.arrays[i])+" "+shape)
	}
	return strings.Join(list, ", ")
}
