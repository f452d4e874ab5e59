// Package archtest tests the architecture: the imports of each package, names that no package may use, comments of exported
// names, and labels in comments and documents. docs/architecture.md describes the layers; rules_test.go has the tables.
//
// The tests read the sources themselves: go test caches a result only while the files that a test read are unchanged.
package archtest
