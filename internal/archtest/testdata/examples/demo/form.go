// Package demo breaks one rule in each file.
package demo

import "net/http"

func read(r *http.Request) string { return r.FormValue("code") }
