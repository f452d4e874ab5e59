package authorize

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
)

// Decision is the outcome of an authorization request or of an interaction. Exactly one of Redirect, Interaction and Error is
// set. State changes are committed before a Decision is returned.
type Decision struct {
	// Header holds the header fields of the response, such as Set-Cookie and Cache-Control. Send them in every case. A Decision for the function of
	// Endpoint.Page lacks those that Page has set in its response.
	Header      http.Header
	Redirect    *Redirect
	Interaction *Pending
	Error       *ErrorPage

	endpoint *Endpoint
}

// Redirect is a response for the client.
type Redirect struct {
	// URL is where the browser is sent. If Form is nil, it is the redirect_uri with the parameters of the response, or a relative
	// URL that begins with "?": the authorization endpoint answers a POST without cookies with a redirect to itself, because the
	// browser sends its cookies with the GET that follows.
	URL string
	// Form holds the parameters to post to URL, if the response mode is form_post or form_post.jwt.
	Form map[string]string
}

// ErrorPage is an error that must not be sent to the client. No part of it comes from the request: Client and BackURL are those of the
// registration that the request names.
type ErrorPage struct {
	Status        int               // HTTP status
	Code          portner.ErrorCode // value to show as the error
	Parameter     string            // name of the parameter that is missing or invalid; "" if the error is not about one
	Description   string            // one English sentence, which names the parameter
	CorrelationID string            // also part of the log line
	Locale        string            // language of the page
	Client        ClientInfo        // zero if the client is not known
	BackURL       string            // where a link back to the client may lead: client.Client.HomeURL, or the customer's; "" if not known
	Completed     bool              // the login was completed before, by this page or in another window: nothing failed
	Expired       bool              // the login took too long, or was started in another browser
}

// Reply returns the response: a redirect to the client or to the page of the interaction, a form that posts itself, or the error
// page of the configuration.
func (d *Decision) Reply() portner.Reply {
	response := *d
	response.Header = d.Header.Clone()
	return response.render()
}

// render is Reply, but adds the header fields to d.Header.
func (d *Decision) render() portner.Reply {
	if d.Header == nil {
		d.Header = http.Header{}
	}
	switch {
	case d.Redirect != nil && d.Redirect.Form != nil:
		return d.formPost()
	case d.Redirect != nil:
		return httpx.SeeOther(d.Header, d.Redirect.URL)
	case d.Interaction != nil:
		return httpx.SeeOther(d.Header, d.endpoint.pageURLs.path(d.Interaction.x.step)+d.Interaction.sealed)
	}
	return d.errorPage()
}

// formPostPage posts the response by script, or by its button (OAuth 2.0 Form Post Response Mode §2).
var formPostPage = template.Must(template.New("form_post").Parse(`<!DOCTYPE html>
<html lang="nb">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Går videre</title></head>
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

type formField struct{ Name, Value string }

func (d *Decision) formPost() portner.Reply {
	data := struct {
		Action, Nonce string
		Fields        []formField
	}{Action: d.Redirect.URL, Nonce: seal.NewID()}
	for _, name := range slices.Sorted(maps.Keys(d.Redirect.Form)) {
		data.Fields = append(data.Fields, formField{name, d.Redirect.Form[name]})
	}
	httpx.Page(d.Header, true, "script-src 'nonce-"+data.Nonce+"'")
	return portner.Reply{Status: http.StatusOK, Header: d.Header, Body: execute(formPostPage, data)}
}

// execute renders a template of this package. Writing strings to a buffer does not fail.
func execute(t *template.Template, data any) []byte {
	var body bytes.Buffer
	if err := t.Execute(&body, data); err != nil {
		panic(err)
	}
	return body.Bytes()
}

// ErrorReply returns an error page, that of the configuration or the plain one, for an error outside an authorization request: a path or
// a method that the provider does not have. h is the header of the request.
func (e *Endpoint) ErrorReply(h http.Header, err *portner.Error) portner.Reply {
	d := &Decision{endpoint: e, Header: http.Header{}, Error: &ErrorPage{
		Status: err.HTTPStatus(), Code: err.Code, Description: err.Description, Locale: e.Locale(h, ""),
	}}
	return d.render()
}

var plainErrorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Error</title></head>
<body id="error-page">
<main>
<h1>{{if eq .Status 404}}Page not found{{else if eq .Status 405}}This page cannot be opened like this{{else if .Completed}}The login is completed{{else if .Expired}}The login has expired{{else}}The login cannot continue{{end}}</h1>
<p>{{.Description}}</p>
<p>Error: <code id="error-code">{{.Code}}</code>{{if .Parameter}}, parameter <code id="error-parameter">{{.Parameter}}</code>{{end}}</p>
{{if .CorrelationID}}<p>Reference: <code id="correlation-id">{{.CorrelationID}}</code></p>
{{end}}{{if .BackURL}}<p><a id="back" href="{{.BackURL}}">Back to {{.Client.Name}}</a></p>
{{end}}</main>
</body>
</html>
`))

func (d *Decision) errorPage() portner.Reply {
	httpx.Page(d.Header, false)
	if d.Error.Status == http.StatusServiceUnavailable {
		d.Header["Retry-After"] = []string{"2"}
	}
	if r, ok := d.hostErrorPage(); ok {
		maps.Copy(d.Header, r.Header)
		status := d.Error.Status
		if r.Status != 0 {
			status = r.Status
		}
		return portner.Reply{Status: status, Header: d.Header, Body: r.Body}
	}
	return portner.Reply{Status: d.Error.Status, Header: d.Header, Body: execute(plainErrorPage, d.Error)}
}

// hostErrorPage calls Config.ErrorPage. A panic of it is logged, and the plain page is sent.
func (d *Decision) hostErrorPage() (r portner.Reply, ok bool) {
	e := d.endpoint
	if e == nil || e.cfg.ErrorPage == nil {
		return r, false
	}
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			r, ok = portner.Reply{}, false
			e.log.Fault(context.Background(), fmt.Errorf("authorize: panic of type %T in Config.ErrorPage", v), d.Error.CorrelationID, e.cfg.Now())
		}
	}()
	return e.cfg.ErrorPage(*d.Error), true
}
