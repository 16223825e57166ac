package tfevents_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/tfevents"
)

func clock() time.Time { return time.Unix(1700000000, 500_000_000) }

// golden was put together field by field in Python, from the two .proto files and the description
// of TFRecord. The CRC-32C used there gives 0xe3069283 for "123456789", as the authors of the
// format quote it.
const golden = `1a00000000000000129bd82d0900002040fc54d94110001a0d627261696e2e4576656e743a32bf8a691d100000000000000095fbfe180900002040fc` +
	`54d94110ac023a020801b94512a31b000000000000001a0d9e130900002040fc54d94110ad022a0d0a0b0a046c6f7373150000803efc9e40e4260000` +
	`0000000000734fe3000900002040fc54d94110ad022a180a160a0773616d706c6573220b0803100218032203706e672a2a5dbb`

func TestBytes(t *testing.T) {
	var out bytes.Buffer
	w := tfevents.NewWriter(&out, 300, clock)
	w.Scalar("loss", 301, 0.25)
	w.Image("samples", 301, 2, 3, []byte("png"))
	if out.Len() > 0 {
		t.Error("written before the flush")
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(out.Bytes()); got != golden {
		t.Errorf("got\n%s\nwant\n%s", got, golden)
	}
	size := out.Len()
	if err := w.Flush(); err != nil || out.Len() != size {
		t.Errorf("a second flush wrote %d bytes, %v", out.Len()-size, err)
	}
}

// A new run has no events to forget.
func TestFirstStep(t *testing.T) {
	var fresh, resumed bytes.Buffer
	for step, out := range map[int]*bytes.Buffer{0: &fresh, 7: &resumed} {
		if err := tfevents.NewWriter(out, step, clock).Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.HasPrefix(resumed.Bytes(), fresh.Bytes()) || resumed.Len() == fresh.Len() {
		t.Errorf("a new file begins with %x, that of a resumed run with %x", fresh.Bytes(), resumed.Bytes())
	}
}

func TestScalarsDoNotAllocate(t *testing.T) {
	w := tfevents.NewWriter(&discard{}, 0, clock)
	step := 0
	if n := testing.AllocsPerRun(100, func() {
		step++
		w.Scalar("loss", step, 1)
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestErrors(t *testing.T) {
	if err := tfevents.NewWriter(broken{}, 0, clock).Flush(); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
