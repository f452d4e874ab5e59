package main

import (
	"syscall"
	"time"
	"unsafe"
)

// threadTime returns the processor time of the thread. Those of getrusage(2) are as coarse as the ticks of the scheduler.
func threadTime() time.Duration {
	const clock = 3 // CLOCK_THREAD_CPUTIME_ID of clock_gettime(2)
	var t syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
