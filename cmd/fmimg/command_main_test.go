package main

import (
	"os"
	"testing"
)

// asCommand in the environment has the test program be the command.
const asCommand = "FMIMG_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}
