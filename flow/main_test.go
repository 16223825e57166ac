package flow

import (
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
)

func TestMain(m *testing.M) { numtest.Main(m) }
