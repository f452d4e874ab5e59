package main

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// built is the program for this machine's processor, built once for all tests.
var built = sync.OnceValues(func() ([]byte, error) {
	return build(context.Background(), platform{"linux", runtime.GOARCH})
})

func builtProgram(t *testing.T) []byte {
	t.Helper()
	program, err := built()
	require.NoError(t, err)
	return program
}
