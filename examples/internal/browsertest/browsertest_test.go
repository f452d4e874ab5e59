package browsertest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

// faults are pages with one fault each, the view that shows it, and what the audit says.
var faults = map[string]struct{ style, body, view, says string }{
	"axe-core: a list with something else": {body: `<ul><p>Ingen punkt</p></ul>`, view: "desk", says: "axe-core: list"},
	"axe-core: a role that does not exist": {body: `<p role="knapp">Hei</p>`, view: "phone", says: "axe-core: aria-roles"},
	"axe-core: pale text in dark mode":     {style: `@media (prefers-color-scheme: dark) { p { color: #777; background: #666 } }`, view: "dark", says: "axe-core: color-contrast"},
	"a field without a label":              {body: `<input type="text">`, view: "desk", says: "has no label"},
	"a second heading of the first level":  {body: `<h1>To</h1>`, view: "desk", says: "2 h1 elements"},
	"a box that is too wide":               {body: `<div style="width:400px">Bred</div>`, view: "phone", says: "pixels wide"},
	"text that does not fit when it grows": {body: `<div style="width:30rem;white-space:nowrap">Bred</div>`, view: "forced", says: "pixels wide"},
	"a button without a border":            {body: `<button style="border:0;min-height:2rem">Gå videre</button>`, view: "forced", says: "no border in forced colours"},
}

// TestAudit finds each fault in its view.
func TestAudit(t *testing.T) {
	t.Parallel()
	var style, body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><html lang="nb"><head><title>Side</title><meta name="viewport" content="width=device-width"><style>body{background:#fff}` + style +
			`</style></head><body><main><h1>Side</h1><p>Tekst</p><p>Mer tekst</p>` + body + `</main></body></html>`))
	}))
	defer srv.Close()
	b := New(t, "")
	b.Open(srv.URL, "h1")
	for _, v := range views {
		require.Empty(t, b.auditAt(v), v.suffix)
	}
	for name, f := range faults {
		if b.axe == "" && strings.HasPrefix(f.says, "axe-core") {
			continue
		}
		style, body = f.style, f.body
		b.Open(srv.URL, "h1")
		for _, v := range views {
			if v.suffix == f.view {
				require.Contains(t, strings.Join(b.auditAt(v), "\n"), f.says, name)
			}
		}
	}
}
