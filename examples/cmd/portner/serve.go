package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// serve runs a server for each -config, or one without. If one ends with an error, all end.
func serve(ctx context.Context, s server, args []string, stdout, stderr io.Writer) int {
	configs, rest := split(args)
	if len(configs) < 2 {
		return s.command().Run(ctx, args, stdout, stderr)
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name == "addr" || name == "issuer" || name == "test-issuer" || name == "admin" || name == "mtls-addr" {
			return status(errors.New("-"+name+": each of several -config has its own: write it in the files (settings.addr)"), s.name, stderr)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out, errs := &serial{w: stdout}, &serial{w: stderr}
	results := make([]int, len(configs))
	var wg sync.WaitGroup
	for i, config := range configs {
		wg.Go(func() {
			results[i] = s.command().Run(ctx, append([]string{"-config", config}, rest...), out, errs)
			stop()
		})
	}
	wg.Wait()
	for _, result := range results {
		if result != 0 {
			return result
		}
	}
	return 0
}

// split returns the values of -config, and the other arguments.
func split(args []string) (configs, rest []string) {
	for i := 0; i < len(args); i++ {
		name, value, assigned := strings.Cut(args[i], "=")
		switch {
		case name != "-config" && name != "--config":
			rest = append(rest, args[i])
		case assigned:
			configs = append(configs, value)
		case i+1 < len(args):
			i++
			configs = append(configs, args[i])
		default:
			return nil, args // the flags report it
		}
	}
	return configs, rest
}

// serial lets several servers write to one file.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (s *serial) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
