// Package keyset follows
// security row A12.
package keyset
