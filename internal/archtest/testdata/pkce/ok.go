// Package pkce breaks no rule in this file.
package pkce
