// Package token breaks no rule in this file.
package token
