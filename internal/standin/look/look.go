// Package look holds the style sheet and the icon of the example servers, and the page for requests to another host.
package look

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
)

//go:embed style.css icon.svg
var files embed.FS

// Handler serves /static/style.css and /static/icon.svg, and no list of the folder.
func Handler() http.Handler {
	server := http.StripPrefix("/static/", cached(http.FileServerFS(files)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/static/style.css", "/static/icon.svg":
			server.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// misdirected has no style sheet: it would be at the wrong host, too.
var misdirected = template.Must(template.New("misdirected").Parse(`<!doctype html>
<html lang="nb">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Feil adresse</title></head>
<body id="misdirected"><main>
<h1>Feil adresse</h1>
<p>Denne serveren svarer ikke på adressen du brukte.</p>
<p><a id="error-back" href="{{.}}/">Gå til {{.}}</a></p>
</main></body>
</html>
`))

// Misdirected responds to a request for another host (RFC 9110 §7.4). base is the URL of the server.
func Misdirected(w http.ResponseWriter, r *http.Request, base string) {
	if !httpx.AcceptsHTML(r.Header) {
		http.Error(w, "this server does not serve that host: its address is "+base+"; -issuer or -hosts names others", http.StatusMisdirectedRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusMisdirectedRequest)
	_ = misdirected.Execute(w, base)
}
