package child

import (
	"os/exec"
	"syscall"
)

// ownGroup starts the child in its own process group, so that Ctrl-C interrupts this program only, which stops its children. If this
// program is killed, the kernel kills the child.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
