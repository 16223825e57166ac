// Package tree lists the files of a folder or an archive, and opens them.
//
// A [Tree] has the files in the order of their names, with numbers as numbers. [Folder], [Zip] and
// [Tar] make one; [Open] tells an archive by its first bytes. Files that systems leave beside those
// of people (.DS_Store, @eaDir/, $RECYCLE.BIN/) are not listed.
//
// # Names
//
// A name is a path inside the tree, with slashes, without "." and "..", in UTF-8. Names in another
// encoding are read byte by byte as one that has a letter for each byte, so that different names
// stay different. [Tree.Notes] says so.
//
// # Links
//
// Links to files and folders are followed. A folder that is in the tree already, told by its device
// and inode, is not listed again, so that links in a circle end.
//
// # Memory
//
// A tree holds names and places, not contents. A compressed tar has no places: [Tree.Walk] reads
// its files one after the other, and [File.Open] reads from the beginning. What an archive claims
// to unpack to is bounded by [Limits].
package tree
