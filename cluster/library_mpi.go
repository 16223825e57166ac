//go:build mpi && linux && (amd64 || arm64)

package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The names of libraries, as programs that were linked with them ask for them.
const (
	openMPI = "libmpi.so.40"
	debian  = "libmpich.so.12" // MPICH as Debian names it
	mpich   = "libmpi.so.12"   // MPICH, Intel's and Cray's MPI, MVAPICH
)

// standard are the names of libraries with the binary interface of the standard MPI 5.
var standard = []string{"libmpi_abi.so.1", "libmpi_abi.so.0"}

// names returns the libraries to try, in this order. The one that FMIMG_MPI names is the only one.
// Otherwise the launcher's own library comes first: two that are installed side by side do not see
// each other's processes. env is os.Getenv.
func names(env func(string) string) []string {
	if name := env("FMIMG_MPI"); name != "" {
		return []string{name}
	}
	ofMPICH := []string{debian, mpich}
	if env("OMPI_COMM_WORLD_SIZE") == "" && env("PMIX_RANK") == "" && env("PMI_RANK") != "" {
		return slices.Concat(ofMPICH, standard, []string{openMPI})
	}
	return slices.Concat([]string{openMPI}, ofMPICH, standard)
}

// A library is an MPI library in memory: the addresses of its functions, and the values of the
// constants that are used, which each library has its own of.
type library struct {
	name    string // as it was asked for
	version string // what it says of itself, one line

	world, bytes  uintptr // MPI_COMM_WORLD, MPI_BYTE
	errorsReturn  uintptr // MPI_ERRORS_RETURN
	serialized    int32   // MPI_THREAD_SERIALIZED; lower levels have lower numbers
	initThread    uintptr
	finalize      uintptr
	abort         uintptr
	rank, size    uintptr
	setHandler    uintptr
	errorString   uintptr
	isend, irecv  uintptr
	ibcast        uintptr
	ibarrier      uintptr
	test          uintptr
	getCount      uintptr
	versionString uintptr
}

// open loads the first of the libraries that is there. The process keeps it.
func open(names []string) (*library, error) {
	var failed []error
	for _, name := range names {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		l := &library{name: name}
		if err := l.find(handle); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return l, nil
	}
	return nil, fmt.Errorf("no MPI library: %w: install Open MPI or MPICH (on Debian and Ubuntu: "+
		"apt-get install openmpi-bin), or set FMIMG_MPI to the path of the library", errors.Join(failed...))
}

// find looks up the functions and tells which constants the library has.
func (l *library) find(handle uintptr) error {
	for _, f := range []struct {
		name    string
		address *uintptr
	}{
		{"MPI_Init_thread", &l.initThread}, {"MPI_Finalize", &l.finalize}, {"MPI_Abort", &l.abort},
		{"MPI_Comm_rank", &l.rank}, {"MPI_Comm_size", &l.size},
		{"MPI_Comm_set_errhandler", &l.setHandler}, {"MPI_Error_string", &l.errorString},
		{"MPI_Isend", &l.isend}, {"MPI_Irecv", &l.irecv}, {"MPI_Ibcast", &l.ibcast},
		{"MPI_Ibarrier", &l.ibarrier}, {"MPI_Test", &l.test}, {"MPI_Get_count", &l.getCount},
		{"MPI_Get_library_version", &l.versionString},
	} {
		var err error
		if *f.address, err = purego.Dlsym(handle, f.name); err != nil {
			return fmt.Errorf("it lacks %s: it is not an MPI library, or older than MPI 3", f.name)
		}
	}
	l.version = l.firstLine()
	return l.constants(handle)
}

// constants fills in the values of MPI's constants. Open MPI's are addresses of its variables.
// Those of MPICH and its kin, and of the standard's binary interface, are numbers.
func (l *library) constants(handle uintptr) error {
	if world, err := purego.Dlsym(handle, "ompi_mpi_comm_world"); err == nil {
		bytes, errBytes := purego.Dlsym(handle, "ompi_mpi_byte")
		handler, errHandler := purego.Dlsym(handle, "ompi_mpi_errors_return")
		l.world, l.bytes, l.errorsReturn, l.serialized = world, bytes, handler, 2
		return errors.Join(errBytes, errHandler)
	}
	if hasStandardInterface(handle) {
		l.world, l.bytes, l.errorsReturn, l.serialized = 0x101, 0x247, 0x143, 2048
		return nil
	}
	for _, known := range []string{"MPICH", "Intel", "MVAPICH"} {
		if strings.Contains(l.version, known) {
			l.world, l.bytes, l.errorsReturn, l.serialized = 0x44000000, 0x4c00010d, 0x54000001, 2
			return nil
		}
	}
	return fmt.Errorf("%q is neither Open MPI nor MPICH nor one with the binary interface of MPI 5: "+
		"set FMIMG_MPI to the path of one of them", l.version)
}

// hasStandardInterface asks a library for its version of the standard's binary interface. Those of
// MPICH 5 that have MPICH's own know the question too, and deny it.
func hasStandardInterface(handle uintptr) bool {
	ask, err := purego.Dlsym(handle, "MPI_Abi_get_version")
	if err != nil {
		return false
	}
	version := new([2]int32)
	purego.SyscallN(ask, uintptr(unsafe.Pointer(&version[0])), uintptr(unsafe.Pointer(&version[1])))
	return version[0] >= 1
}

// firstLine returns the first line of what the library says of itself.
func (l *library) firstLine() string {
	text, length := make([]byte, 8192), new(int32) // no library has more
	purego.SyscallN(l.versionString, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(length)))
	line, _, _ := strings.Cut(string(text[:clampLength(*length, len(text))]), "\n")
	return strings.Join(strings.Fields(strings.TrimRight(line, "\x00")), " ")
}

// failure returns the error that a code of the library means, nil for success.
func (l *library) failure(code uintptr) error {
	if int32(code) == 0 {
		return nil
	}
	text, length := make([]byte, 8192), new(int32)
	purego.SyscallN(l.errorString, uintptr(int32(code)), uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(length)))
	message := strings.Join(strings.Fields(string(text[:clampLength(*length, len(text))])), " ")
	if message == "" {
		message = fmt.Sprintf("error %d of MPI", int32(code))
	}
	return errors.New(message)
}

func clampLength(length int32, most int) int { return max(0, min(int(length), most)) }

// started reports whether a launcher of MPI, or the user by FMIMG_MPI, asks for an MPI library.
func started(env func(string) string) bool {
	if name, _ := launched(env); name != "" {
		return true
	}
	return slices.ContainsFunc([]string{"FMIMG_MPI", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMIX_RANK"},
		func(name string) bool { return env(name) != "" })
}

// join returns Alone where nothing asks for MPI, and otherwise starts MPI.
func join() (Comm, error) {
	if !started(os.Getenv) {
		return Alone(), nil
	}
	c, err := start(os.Getenv)
	if err != nil {
		return nil, &Error{Rank: Unknown, Err: err}
	}
	return c, nil
}
