package pipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
)

// Empty names and auto become those of what they stand for, and other names stay.
func TestSettleArithmetic(t *testing.T) {
	best := kernels.Best()
	fastest := best.Precision().String()
	for _, c := range []struct{ given, want Arithmetic }{
		{Arithmetic{}, Arithmetic{best.String(), fastest}},
		{Arithmetic{"auto", "auto"}, Arithmetic{best.String(), fastest}},
		{Arithmetic{"generic", "auto"}, Arithmetic{"generic", kernels.Generic.Precision().String()}},
		{Arithmetic{"", "f32"}, Arithmetic{best.String(), "f32"}},
		{Arithmetic{"generic", "bf16"}, Arithmetic{"generic", "bf16"}},
	} {
		got := c.given
		isa, precision, err := got.Settle()
		if err != nil || got != c.want || isa.String() != got.ISA || precision.String() != got.Precision {
			t.Errorf("%+v: %+v, %v in %v, %v, want %+v", c.given, got, isa, precision, err, c.want)
		}
	}
}

// A name that there is not is a mistake in its option, and changes nothing.
func TestArithmeticMistakes(t *testing.T) {
	for _, c := range []struct {
		given  Arithmetic
		option string
		says   string
	}{
		{Arithmetic{ISA: "mmx"}, "isa", "choose one of generic"},
		{Arithmetic{Precision: "f16"}, "precision", `precision "f16": choose one of auto, f32, bf16`},
		{Arithmetic{Precision: "BF16"}, "precision", "choose one of auto, f32, bf16"},
		{Arithmetic{Precision: "f32,bf16"}, "precision", "choose one of auto, f32, bf16"},
	} {
		got := c.given
		_, _, settling := got.Settle()
		_, narrow := c.given.InF32("it computes")
		for _, err := range []error{c.given.Validate(), settling, narrow} {
			wrong, ok := errors.AsType[*OptionError](err)
			if !ok || wrong.Option != c.option || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v, want a mistake in %s that says %q", c.given, err, c.option, c.says)
			}
		}
		if got != c.given {
			t.Errorf("%+v became %+v", c.given, got)
		}
	}
}

// What computes in float32 alone refuses another precision, and takes no choice of the instruction
// set.
func TestInF32(t *testing.T) {
	for _, precision := range []string{"", "auto", "f32"} {
		given := Arithmetic{"generic", precision}
		got, err := given.InF32("it computes")
		if want := (Arithmetic{"generic", "f32"}); err != nil || got != want {
			t.Errorf("%q: %+v, %v", precision, got, err)
		}
	}
	half := Arithmetic{Precision: "bf16"}
	_, err := half.InF32("it computes")
	if err == nil || err.Error() != "precision bf16: it computes in f32 alone: leave it out" {
		t.Error(err)
	}
}

// What another arithmetic leaves open stays.
func TestOverrideArithmetic(t *testing.T) {
	for _, c := range []struct{ given, want Arithmetic }{
		{Arithmetic{}, Arithmetic{"avx2", "bf16"}},
		{Arithmetic{"", "auto"}, Arithmetic{"avx2", "bf16"}},
		{Arithmetic{"neon", ""}, Arithmetic{"neon", "bf16"}},
		{Arithmetic{"", "f32"}, Arithmetic{"avx2", "f32"}},
	} {
		got := Arithmetic{"avx2", "bf16"}
		if got.Override(c.given); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.given, got, c.want)
		}
	}
}
