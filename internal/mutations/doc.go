// Package mutations holds defects that the provider once had or could have, each as a change of one text, with the test that finds
// it. The package has tests only.
package mutations
