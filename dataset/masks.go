package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// The words that name folders of pictures, and folders of pictures that tell something of these:
// masks, depths, heat maps.
var (
	pictureWords = []string{
		"images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "jpgimages", "pngimages", "jpg", "jpeg", "png",
		"rgb", "inputs", "input",
	}
	maskWords = []string{
		"mask", "masks", "seg", "segm", "segmentation", "segmentations", "segmentationclass", "segmentationobject",
		"segmentationclassaug", "annotation", "annotations", "annot", "label", "labels", "trimap", "trimaps", "gt", "groundtruth",
		"ground", "truth", "depth", "heatmap", "heatmaps", "edges", "matte", "mattes", "alpha",
	}
	maskEndings = []string{"_mask", "-mask", " mask", "_masks", "_seg", "_segmentation", "_annotation", "_gt", "_trimap"}
)

// isMaskFolder and isPictureFolder tell what a folder's name says beside the word of a split.
func isMaskFolder(folder string) bool { return hasWords(folder, maskWords) }

func isPictureFolder(folder string) bool {
	_, _, split := splitOf(folder)
	return split || hasWords(folder, pictureWords)
}

// hasWords reports whether a name has only words of a list, and those of a split.
func hasWords(folder string, list []string) bool {
	found := false
	for word := range strings.FieldsFuncSeq(strings.ToLower(folder), noLetterOrDigit) {
		_, _, split := splitOf(word)
		is := slices.Contains(list, word)
		if !is && !split {
			return false
		}
		found = found || is
	}
	return found
}

// leaveMasksOut leaves out the pictures that tell something of others: those of folders such as
// masks beside a folder such as images, and a_mask.png beside a.png.
func (l *layout) leaveMasksOut() {
	tops := topFolders(l.counted(l.rest))
	count := 0
	for _, f := range tops {
		if isMaskFolder(f.name) {
			count++
		}
	}
	if all := !slices.ContainsFunc(tops, func(f folderCount) bool {
		return !isMaskFolder(f.name) && !isPictureFolder(f.name)
	}); all && count > 0 && count < len(tops) {
		l.leaveFoldersOut(tops)
	}
	if n, first := l.leaveMaskFilesOut(); n > 0 {
		l.note("left out, as masks or the like of other pictures: %s such as %s", pictures(n), text.Printable(first))
	}
}

// leaveFoldersOut leaves the folders of masks out.
func (l *layout) leaveFoldersOut(tops []folderCount) {
	var left []string
	for _, f := range tops {
		if isMaskFolder(f.name) {
			left = append(left, fmt.Sprintf("%s (%s)", text.Printable(f.name), pictures(f.count)))
		}
	}
	for i, name := range l.rest {
		if top, _, ok := strings.Cut(name, "/"); ok && isMaskFolder(top) {
			l.roles[i] = outside
		}
	}
	l.note("left out, as masks or the like of the other pictures: %s", strings.Join(left, ", "))
	l.trim(func(r role) bool { return r != outside })
}

// leaveMaskFilesOut leaves out pictures that are called like another one of their folder with the
// ending of a mask. It returns their number and the first of them.
func (l *layout) leaveMaskFilesOut() (n int, first string) {
	of := map[int]string{} // what the masks are of
	for i, name := range l.rest {
		if stem, ok := maskedName(name); ok && l.roles[i] != outside {
			of[i] = stem
		}
	}
	if len(of) == 0 {
		return 0, ""
	}
	stems := make(map[string]bool, len(l.rest))
	for _, name := range l.rest {
		stems[strings.TrimSuffix(name, path.Ext(name))] = true
	}
	for i, name := range l.rest {
		if stem, ok := of[i]; ok && stems[stem] {
			l.roles[i] = outside
			if n++; n == 1 {
				first = name
			}
		}
	}
	return n, first
}

// maskedName returns the name, without its ending, of the picture that a mask is of: "a" of
// "a_mask.png" and "a_mask_1.png".
func maskedName(name string) (stem string, ok bool) {
	stem = strings.TrimSuffix(name, path.Ext(name))
	if short := strings.TrimRight(stem, "0123456789"); len(short) < len(stem) && strings.HasSuffix(short, "_") {
		stem = short[:len(short)-1]
	}
	for _, ending := range maskEndings {
		if at := len(stem) - len(ending); at > 0 && strings.EqualFold(stem[at:], ending) {
			return stem[:at], true
		}
	}
	return "", false
}
