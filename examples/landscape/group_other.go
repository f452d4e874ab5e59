//go:build !unix

package main

import "os/exec"

// There are no process groups here, nor a signal that asks.
func ownGroup(*exec.Cmd)       {}
func ask(cmd *exec.Cmd) error  { return cmd.Process.Kill() }
func kill(cmd *exec.Cmd) error { return cmd.Process.Kill() }
