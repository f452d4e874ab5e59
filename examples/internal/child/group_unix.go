//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

// interrupt and kill signal the child and the processes that it started.
func interrupt(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func kill(cmd *exec.Cmd) error      { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
