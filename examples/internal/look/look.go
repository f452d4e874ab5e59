// Package look holds the style sheet and the icon of the example servers.
package look

import (
	"embed"
	"net/http"
)

//go:embed style.css icon.svg
var files embed.FS

// Handler serves /static/style.css and /static/icon.svg.
func Handler() http.Handler {
	return http.StripPrefix("/static/", cached(http.FileServerFS(files)))
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
