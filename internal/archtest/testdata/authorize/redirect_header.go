package authorize

import "net/http"

func send(w http.ResponseWriter) { w.WriteHeader(307) }
