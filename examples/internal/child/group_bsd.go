//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// ownGroup starts the child in its own process group, so that Ctrl-C interrupts this program only, which stops its children.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
