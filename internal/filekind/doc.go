// Package filekind tells what a file is that was taken for something else: a pointer or a web page
// in place of the file, a format of other programs, a download that broke off.
package filekind
