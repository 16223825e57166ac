//go:build nodynamic

package decode

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"
	_ "unsafe" // for go:linkname

	_ "github.com/gen2brain/avif"   // the guest's code
	_ "github.com/gen2brain/heic"   // the guest's code
	_ "github.com/gen2brain/jpegxl" // the guest's code
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The packages of the guests run them without any limit of memory or time, and a broken file can
// make a guest loop for ever, as its C code lost the jumps by which it leaves after an error. So
// here is a host with limits, for the same code.

//go:linkname avifCode github.com/gen2brain/avif.decodeWasm
var avifCode []byte

//go:linkname heicCode github.com/gen2brain/heic.heifWasm
var heicCode []byte

//go:linkname jxlCode github.com/gen2brain/jpegxl.decodeWasm
var jxlCode []byte

// The guests. AVIF's and JPEG XL's can return all frames: the 0 behind the first number asks for
// one. Where they report the frames' durations is behind the numbers.
var (
	avifGuest = &guest{name: "AVIF", code: &avifCode, frames: true}
	heicGuest = &guest{name: "HEIC", code: &heicCode}
	jxlGuest  = &guest{name: "JPEG XL", code: &jxlCode, frames: true}
)

// The limits of a guest. It holds the file, the picture, and the decoder's own pictures.
const (
	guestBytes         = 24 << 20
	guestBytesPerPixel = 64
	guestTime          = 15 * time.Second
)

// guestTimePerPixel is some 20 times what guests take. They are interpreted where the host cannot
// compile for the CPU, which is many times slower.
func guestTimePerPixel() time.Duration {
	if (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") && runtime.GOOS != "js" {
		return 20 * time.Microsecond
	}
	return time.Millisecond
}

// A guest is a decoder in WebAssembly. It is compiled at its first use, in about a second, and
// starts anew for each call, with memory of its own.
type guest struct {
	name   string
	code   *[]byte // packed by gzip
	frames bool

	once     sync.Once
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	err      error
}

// compile makes the guest ready. The error is not about a file.
func (g *guest) compile() error {
	g.once.Do(func() {
		g.err = func() error {
			packed, err := gzip.NewReader(bytes.NewReader(*g.code))
			if err != nil {
				return err
			}
			code, err := io.ReadAll(packed)
			if err != nil {
				return err
			}
			ctx := context.Background()
			g.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
			if g.compiled, err = g.runtime.CompileModule(ctx, code); err != nil {
				return err
			}
			_, err = wasi_snapshot_preview1.Instantiate(ctx, g.runtime)
			return err
		}()
		if g.err != nil {
			g.err = fmt.Errorf("%w: %s: its decoder does not start here (%w): %s", ErrUnsupported, g.name, g.err, usualCure)
		}
	})
	return g.err
}

// header returns the first numbers that the guest reports of a picture: width and height, then what
// its format has.
func (g *guest) header(file []byte, count int) ([]uint32, error) {
	list, _, err := g.call(file, count, request{})
	if err != nil {
		return nil, err
	}
	if list[0] > 1<<20 || list[1] > 1<<20 {
		return nil, fmt.Errorf("%w: %dx%d", ErrTooLarge, list[0], list[1])
	}
	return list, nil
}

// A request is for the pixels of a picture, in some number of bytes. They begin with blank, as long
// as the guest has not written them.
type request struct {
	pixels, bytes int
	blank         string
}

// pixels decodes a picture.
func (g *guest) pixels(file []byte, count int, q request) ([]byte, error) {
	_, pix, err := g.call(file, count, q)
	if err == nil && q.blank != "" && string(pix[:len(q.blank)]) == q.blank {
		return nil, fmt.Errorf("%w: %s whose pixels cannot be decoded", ErrDamaged, g.name)
	}
	return pix, err
}

// call runs the guest once. An empty request is for the header alone.
func (g *guest) call(file []byte, count int, q request) (list []uint32, pix []byte, err error) {
	if err := g.compile(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), guestTime+time.Duration(q.pixels)*guestTimePerPixel())
	defer cancel()
	memory := &guestMemory{limit: guestBytes + guestBytesPerPixel*uint64(q.pixels) + 2*uint64(len(file))}
	module, err := g.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, memory), g.compiled,
		wazero.NewModuleConfig().WithName("").WithStdout(io.Discard).WithStderr(io.Discard))
	if err != nil {
		return nil, nil, g.fault(ctx, err)
	}
	defer func() { _ = module.Close(ctx) }()
	r := &guestRun{ctx: ctx, module: module}
	// The order of the calls is the one that the guests' own packages have. HEIC's guest writes
	// over its own memory in another order.
	in := r.allocate(len(file))
	r.write(in, file)
	numbersAt, out := r.allocate(4*count), uint64(0)
	r.decode(g.arguments(in, len(file), numbersAt, count, 0, 0))
	if q.bytes > 0 {
		out = r.allocate(q.bytes)
		r.write(out, []byte(q.blank))
		r.decode(g.arguments(in, len(file), numbersAt, count, r.allocate(8), out))
	}
	list, pix = numbers(r.read(numbersAt, 4*count)), r.read(out, q.bytes)
	if r.err != nil {
		return nil, nil, g.fault(ctx, r.err)
	}
	return list, pix, nil
}

// arguments are those of the guest's function, in order.
func (g *guest) arguments(in uint64, length int, numbersAt uint64, count int, extra, out uint64) []uint64 {
	headerAlone := uint64(0)
	if out == 0 {
		headerAlone = 1
	}
	args := []uint64{in, uint64(length), headerAlone}
	if g.frames {
		args = append(args, 0)
	}
	for i := range count {
		args = append(args, numbersAt+4*uint64(i))
	}
	if g.frames {
		args = append(args, extra)
	}
	return append(args, out)
}

// fault returns an error of a run. What the guest printed or trapped on helps nobody.
func (g *guest) fault(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %s that cannot be decoded", ErrDamaged, g.name)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: its decoder found no end", ErrDamaged, g.name)
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%w: %s: its decoder failed: %s", ErrDamaged, g.name, first)
}

// A guestRun is one run of a guest. After an error it does nothing more.
type guestRun struct {
	ctx    context.Context
	module api.Module
	err    error
}

func (r *guestRun) allocate(n int) uint64 {
	if r.err != nil {
		return 0
	}
	at, err := r.module.ExportedFunction("malloc").Call(r.ctx, uint64(max(n, 1)))
	switch {
	case err != nil:
		r.err = err
	case at[0] == 0:
		r.err = errors.New("out of its memory")
	default:
		return at[0]
	}
	return 0
}

func (r *guestRun) write(at uint64, data []byte) {
	if r.err == nil && !r.module.Memory().Write(uint32(at), data) {
		r.err = errors.New("out of its memory")
	}
}

// read returns the guest's own bytes, which stay when the guest has gone.
func (r *guestRun) read(at uint64, n int) []byte {
	if r.err != nil || n == 0 {
		return nil
	}
	data, ok := r.module.Memory().Read(uint32(at), uint32(n))
	if !ok {
		r.err = errors.New("out of its memory")
	}
	return data
}

func (r *guestRun) decode(arguments []uint64) {
	if r.err != nil {
		return
	}
	good, err := r.module.ExportedFunction("decode").Call(r.ctx, arguments...)
	if err != nil {
		r.err = err
	} else if good[0] == 0 {
		r.err = ErrDamaged
	}
}

// guestMemory is the memory of a guest, which grows up to a limit.
type guestMemory struct {
	limit uint64
	bytes []byte
}

// Allocate returns the memory of a new guest.
func (m *guestMemory) Allocate(capacity, _ uint64) experimental.LinearMemory {
	m.bytes = make([]byte, 0, min(capacity, m.limit))
	return m
}

// Reallocate makes the memory larger. It is nil above the limit.
func (m *guestMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(cap(m.bytes)) {
		larger := make([]byte, size, min(m.limit, size+size/2))
		copy(larger, m.bytes)
		m.bytes = larger
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

// Free gives the memory up, though pixels that lie in it stay.
func (m *guestMemory) Free() { m.bytes = nil }
