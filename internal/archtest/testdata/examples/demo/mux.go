package demo

import "net/http"

func route(op http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", op)
	mux.Handle("GET /static/", op)
	mux.Handle("GET /{$}", op)
	return mux
}
