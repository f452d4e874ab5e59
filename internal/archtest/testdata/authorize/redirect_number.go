package authorize

import "net/http"

func send(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", 302) }
