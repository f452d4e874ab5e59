package localdb

import "syscall"

// endWith makes the kernel send sig to a new process when the thread that starts it ends, as when its program is killed.
func endWith(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
