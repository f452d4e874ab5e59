package main

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a child in a process group of its own: Ctrl-C reaches us only, and we stop the child. If we
// are killed, so is it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
