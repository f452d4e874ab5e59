//go:build race

package memory_test

func init() { racing = true }
