package bench

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryCounters is PROCESS_MEMORY_COUNTERS of psapi.h.
type memoryCounters struct {
	size                       uint32
	pageFaultCount             uint32
	peakWorkingSetSize         uintptr
	workingSetSize             uintptr
	quotaPeakPagedPoolUsage    uintptr
	quotaPagedPoolUsage        uintptr
	quotaPeakNonPagedPoolUsage uintptr
	quotaNonPagedPoolUsage     uintptr
	pagefileUsage              uintptr
	peakPagefileUsage          uintptr
}

var getProcessMemoryInfo = windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")

// peakMemory returns the most memory that the process has had resident, in bytes, or 0 when
// unknown.
func peakMemory() int64 {
	if getProcessMemoryInfo.Find() != nil {
		return 0
	}
	var c memoryCounters
	c.size = uint32(unsafe.Sizeof(c))
	process := uintptr(windows.CurrentProcess())
	ok, _, _ := getProcessMemoryInfo.Call(process, uintptr(unsafe.Pointer(&c)), uintptr(c.size))
	if ok == 0 {
		return 0
	}
	return int64(c.peakWorkingSetSize)
}
