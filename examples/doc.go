// Package examples is the root of the example programs.
package examples
