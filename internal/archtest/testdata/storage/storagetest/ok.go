// Package storagetest breaks no rule in this file.
package storagetest
