package main

import "errors"

// errBusyFile is an error that never comes: under js no file is busy because it runs.
var errBusyFile = errors.New("text file busy")
