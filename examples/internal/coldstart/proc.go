package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the times in /proc, the same on every Linux (proc_pid_stat(5), sysconf _SC_CLK_TCK).
const ticksPerSecond = 100

// used returns the processor time of a process in ms, and the most memory that it has occupied in MiB, pages of its file included.
func used(pid int) (cpu, memory float64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name before it may have spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	for _, ticks := range fields[11:13] { // utime and stime
		n, err := strconv.ParseFloat(ticks, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += n * 1000 / ticksPerSecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kib)[0], 64)
			return cpu, n / 1024, err
		}
	}
	return 0, 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
}
