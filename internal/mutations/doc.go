// Package mutations holds defects that a careless change could make, each as a change of one text, and makes them one by one to see
// that a test fails. RESULT.md has the last result of each. The package has tests only.
package mutations
