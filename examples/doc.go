// Package examples holds runnable programs built from portner: see its folders.
package examples
