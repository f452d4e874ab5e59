// Package archtest holds the tests of the architecture: which package may import which, and what no
// package may do. docs/architecture.md shows the layers; rules_test.go is the table.
//
// The sources are parsed from disk and not listed by the go command: go test notices when a file that
// a test has read changes, and would serve an old "(cached)" pass otherwise.
package archtest
