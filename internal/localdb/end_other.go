//go:build !linux

package localdb

import "syscall"

// endWith has no equivalent here: a server remains if its program is killed.
func endWith(*syscall.SysProcAttr, syscall.Signal) {}

// reserve reserves nothing here: another process may get the same port.
func reserve(int) bool { return true }
