package main

import (
	"os"
	"testing"
)

// asCommand, set in the environment, makes the test program run as the command.
const asCommand = "FMIMG_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}
