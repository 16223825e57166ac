package dataset

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// shardFolders returns the folder that the content of each archive gets, and a note, empty for
// none. Archives whose pictures have labels beside them are shards, whatever their names: these
// divide the pictures where they have the words of a split, and say nothing else. Other archives
// are the folders that they are called, without the numbers behind their names.
func shardFolders(names []string, trees []*tree.Tree) (folders []string, note string) {
	if labelledShards(names, trees) {
		return splitFolders(names), ""
	}
	first := map[string]string{}
	for _, name := range names {
		folder := shardFolder(name)
		if other, known := first[folder]; known && note == "" && path.Clean(path.Dir(name)) != folder {
			if _, _, split := splitOf(path.Base(folder)); !split {
				note = fmt.Sprintf("archives that differ by a number alone, such as %s and %s, were taken for shards and not for classes",
					text.Printable(other), text.Printable(name))
			}
		}
		if folders = append(folders, folder); first[folder] == "" {
			first[folder] = name
		}
	}
	return folders, note
}

// labelledShards reports whether most pictures of archives have a .cls beside them. Those to test
// on, which may have no labels, do not count.
func labelledShards(names []string, trees []*tree.Tree) bool {
	pictures, labelled := 0, 0
	for i, t := range trees {
		if roleIn(names[i]) == toTest {
			continue
		}
		keys := map[string]bool{}
		for _, f := range t.Files {
			if strings.EqualFold(path.Ext(f.Name), ".cls") {
				keys[key(f.Name)] = true
			}
		}
		for _, f := range t.Files {
			if isPictureName(f) {
				if pictures++; keys[key(f.Name)] {
					labelled++
				}
			}
		}
	}
	return 2*labelled > pictures
}

// splitFolders returns a folder for each archive that tells whether its pictures are to train or to
// test on, below the folder that the archive lies in.
func splitFolders(names []string) []string {
	var roles []role
	for _, name := range names {
		roles = append(roles, roleIn(name))
	}
	folders := make([]string, len(names))
	for i, name := range names {
		folders[i] = path.Dir(name)
		if !divided(roles) {
			continue
		}
		switch roles[i] {
		case toTrain:
			folders[i] = path.Join(folders[i], "train")
		case toTest:
			folders[i] = path.Join(folders[i], "test")
		}
	}
	return folders
}

// roleIn tells from the name of an archive or a file of rows what its pictures are for: a word of a
// split may stand among others. It is outside where the name does not tell.
func roleIn(name string) role {
	base := path.Base(name)
	if w, ok := wordSplitOf(base[:len(base)-len(archiveEnding(base))]); ok {
		return w.role
	}
	return outside
}

// shardNumber matches what stands behind the name of a shard: its number, how many there are, and a
// version.
var shardNumber = regexp.MustCompile(`([-_.]+v?)?\d+([-_.]+(of[-_.]+)?v?\d+)*$`)

// shardFolder returns the path of an archive without its ending and its number: "train-000012.tar"
// and "train-00012-of-00020.tar" are in "train", and "00012.tar" is in no folder.
func shardFolder(name string) string {
	name = name[:len(name)-len(archiveEnding(name))]
	folder, base := path.Split(name)
	short := shardNumber.ReplaceAllString(base, "")
	if short == "" && len(base) >= shardDigits {
		return path.Clean(folder)
	}
	return folder + cmp.Or(short, base)
}

// shardDigits is the least length of a number that is the name of a shard. A shorter one may be the
// name of a class.
const shardDigits = 4
