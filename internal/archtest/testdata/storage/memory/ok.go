// Package memory breaks no rule in this file.
package memory
