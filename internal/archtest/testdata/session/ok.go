// Package session breaks no rule in this file.
package session
