// Package acr breaks no rule in this file.
package acr
