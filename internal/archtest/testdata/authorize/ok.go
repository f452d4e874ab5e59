// Package authorize breaks no rule in this file.
package authorize
