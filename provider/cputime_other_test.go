//go:build !unix

package provider_test

import "time"

var began = time.Now()

// cpuTime returns the wall time since the start of the process, where there is no time of the process to be read.
func cpuTime() time.Duration { return time.Since(began) }
