// Package discovery breaks no rule in this file.
package discovery
