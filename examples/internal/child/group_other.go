//go:build !unix

package child

import "os/exec"

// Without process groups and interrupts a child can only be killed.
func ownGroup(*exec.Cmd)            {}
func interrupt(cmd *exec.Cmd) error { return cmd.Process.Kill() }
func kill(cmd *exec.Cmd) error      { return cmd.Process.Kill() }
