package localdb

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// endWith makes the kernel send sig to a new process when the thread that starts it ends, as when its program is killed.
func endWith(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// reserved keeps the sockets of reserve open until the process ends.
var reserved struct {
	sync.Mutex
	all []net.Listener
}

// reserve reserves a port for this process, and reports whether no other process with this package has done so before. The reservation is
// a socket without a file: its name is free again when the process has ended.
func reserve(port int) bool {
	l, err := net.Listen("unix", "@portner-port-"+strconv.Itoa(port))
	if err != nil {
		return !errors.Is(err, syscall.EADDRINUSE)
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.all = append(reserved.all, l)
	return true
}
