package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// cures say what to do about errors of the system. Special errors come before general ones. Windows
// has an error of its own for a full disk.
var cures = []struct {
	err  error
	cure string
}{
	{syscall.ENOSPC, "free some space, or name a place on another disk"},
	{errDiskFull, "free some space, or name a place on another disk"},
	{syscall.EDQUOT, "your quota is used up: free some space, or name a place on another disk"},
	{syscall.EROFS, "name a place that can be written to"},
	{syscall.ENAMETOOLONG, "choose a shorter name"},
	{syscall.EMFILE, "close other programs, or raise the limit, as with ulimit -n 4096"},
	{syscall.ENFILE, "close other programs"},
	{syscall.ENOTDIR, "a part of the path is a file: check its spelling"},
	{syscall.EISDIR, "name a file, not a folder"},
	{syscall.ELOOP, "a symbolic link leads back to itself: name the file itself"},
	{syscall.EIO, "the disk or its connection may be broken: try another one"},
	{errBusyFile, "a running program uses the file: name another one"},
	{syscall.ENOMEM, "close other programs, or take fewer --threads or a smaller --batch"},
	{fs.ErrPermission, "ask its owner for permission, or name another place"},
	{errFolderGone, "the folder that this command was started in is gone: change to another one"},
	{fs.ErrNotExist, "check the spelling"},
}

// errFolderGone stands for a path that is not there as the current folder is not.
var errFolderGone = errors.New("the current folder is gone")

// fits reports whether the cure of an error helps against what the system said.
func fits(errno syscall.Errno, err error) bool {
	if !errors.Is(err, errFolderGone) {
		return errors.Is(errno, err)
	}
	_, gone := os.Getwd()
	return gone != nil && errors.Is(errno, fs.ErrNotExist)
}

// withCure puts the cure behind the system's reason, unless the line goes on there already.
func withCure(line string, err error) string {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return line
	}
	at := strings.Index(line, errno.Error())
	if at < 0 {
		return line
	}
	end := at + len(errno.Error())
	if rest := line[end:]; rest != "" && rest[0] != ';' {
		return line
	}
	for _, c := range cures {
		if fits(errno, c.err) {
			return line[:end] + ": " + c.cure + line[end:]
		}
	}
	return line
}
