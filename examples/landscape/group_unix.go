//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ask and kill reach the child and what it started itself.
func ask(cmd *exec.Cmd) error  { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func kill(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
