package authorize

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
)

// respond sends the answer to the client: the parameters, then state if there was one, and iss in
// every answer (RFC 9207).
func (f *flow) respond(to *target, params ...string) {
	if to.state != "" {
		params = append(params, "state", to.state)
	}
	params = append(params, "iss", f.cfg.Issuer)
	if to.mode == modeFormPost {
		writeFormPost(f.w, to.uri, params)
		return
	}
	httpx.SeeOther(f.w, httpx.AppendQuery(to.uri, params...))
}

// formPost posts the answer by script, or by the button where there is none (OAuth 2.0 Form Post
// Response Mode). Every value stands in an attribute, escaped (security row A10).
var formPost = template.Must(template.New("form_post").Parse(`<!DOCTYPE html>
<html lang="nb">
<head><meta charset="utf-8"><title>Går videre</title></head>
<body>
<form id="form-post" method="post" action="{{.Action}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<noscript><p>Trykk på knappen for å gå videre. Press the button to continue.</p></noscript>
<button type="submit">Fortsett / Continue</button>
</form>
<script nonce="{{.Nonce}}">document.getElementById("form-post").submit()</script>
</body>
</html>
`))

type formPostField struct{ Name, Value string }

func writeFormPost(w http.ResponseWriter, action string, params []string) {
	fields := make([]formPostField, 0, len(params)/2)
	for i := 0; i+1 < len(params); i += 2 {
		fields = append(fields, formPostField{params[i], params[i+1]})
	}
	nonce := seal.NewID()
	var body bytes.Buffer
	if err := formPost.Execute(&body, map[string]any{"Action": action, "Fields": fields, "Nonce": nonce}); err != nil {
		panic(err) // writing strings to a buffer does not fail
	}
	httpx.Page(w.Header(), true, "script-src 'nonce-"+nonce+"'", "form-action "+httpx.Origin(action))
	_, _ = w.Write(body.Bytes())
}
