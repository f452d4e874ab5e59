// Package storage breaks no rule in this file.
package storage
