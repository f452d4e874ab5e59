package authorize

import "net/http"

func read(r *http.Request) string { return r.FormValue("code") }
