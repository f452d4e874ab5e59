package authorize

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// ErrorPage is what an error page may show: nothing of it comes from the request.
type ErrorPage struct {
	Status        int               // the HTTP status to answer with
	Code          portner.ErrorCode // what to show as error
	Description   string            // one fixed English sentence
	CorrelationID string            // ties the page to its log line
	Locale        string            // the language of the page
}

var errorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Error</title></head>
<body id="error-page">
<main>
<h1>The login cannot go on</h1>
<p>{{.Description}}</p>
<p>Error: <code id="error-code">{{.Code}}</code></p>
<p>Reference: <code id="correlation-id">{{.CorrelationID}}</code></p>
</main>
</body>
</html>
`))

// writePage answers with an error page (PAGE of security section 0.4): no Location, and nothing from
// the request on it.
func (f *flow) writePage(r *refusal, corrID string) {
	p := ErrorPage{
		Status: r.status, Code: r.code, Description: r.description, CorrelationID: corrID,
		Locale: f.locale(f.r, ""),
	}
	if p.Status == 0 {
		p.Status = http.StatusBadRequest
	}
	h := f.w.Header()
	h.Del("Location")
	httpx.Page(h, false)
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "2")
	}
	if f.cfg.ErrorPage != nil && f.hostPage(p) {
		return
	}
	var body bytes.Buffer
	if err := errorPage.Execute(&body, p); err != nil {
		panic(err) // writing strings to a buffer does not fail
	}
	f.w.WriteHeader(p.Status)
	_, _ = f.w.Write(body.Bytes())
}

// hostPage lets the host render the page. One that panics is reported and answered with the plain page
// (security row J13).
func (f *flow) hostPage(p ErrorPage) (done bool) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			f.log.Fault(f.r.Context(), fmt.Errorf("authorize: panic of type %T in Config.ErrorPage", v), p.CorrelationID, f.now)
		}
	}()
	f.cfg.ErrorPage(f.w, f.r, p)
	return true
}
