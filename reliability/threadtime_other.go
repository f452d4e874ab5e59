//go:build !linux

package main

import "time"

// threadTime returns 0: the processor time of a thread is measured on Linux only.
func threadTime() time.Duration { return 0 }
