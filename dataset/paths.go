package dataset

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fmimg/fmimg/internal/npy"
)

// openPath reads a folder or a file that exists. It tells the formats of files apart.
func openPath(ctx context.Context, path string, info fs.FileInfo, o Options) (*Set, error) {
	if info.IsDir() {
		return openFolder(ctx, path, o)
	}
	if !info.Mode().IsRegular() {
		return nil, formatError(path, "it is no file and no folder")
	}
	head, err := readHead(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	name := strings.ToLower(filepath.Base(path))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return openZip(ctx, path, o)
	case bytes.HasPrefix(head, []byte(npy.Magic)):
		return openNPY(path)
	case isGzip(head) && (strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")):
		return nil, formatError(path, "it is a tar archive: unpack it and name the folder")
	case idxName.MatchString(name) && (isGzip(head) || isIDX(head)):
		return openIDXFile(path)
	case isGzip(head), isIDX(head):
		return nil, formatError(path, "name a folder of IDX files, or one called like train-images-idx3-ubyte.gz")
	case strings.HasSuffix(name, ".bin"):
		return openCIFARFile(path)
	case pictureFormat(head) != nil:
		return nil, formatError(path, "it is one picture: name a folder of them")
	}
	return nil, formatError(path, "name a folder or a .zip of pictures ("+readableFormats("or")+"), "+
		"a folder of IDX files or of CIFAR-10's binary batches, or a .npy array")
}

// openFolder reads a folder. The names of its files tell what it holds.
func openFolder(ctx context.Context, path string, o Options) (*Set, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	idx, cifar := false, false
	for _, e := range entries {
		if !e.IsDir() {
			idx = idx || idxName.MatchString(strings.ToLower(e.Name()))
			cifar = cifar || cifarName.MatchString(e.Name())
		}
	}
	switch {
	case idx:
		return openIDXFolder(ctx, path, o)
	case cifar:
		return openCIFARFolder(ctx, path, o)
	}
	return openPictureFolder(ctx, path, o)
}
