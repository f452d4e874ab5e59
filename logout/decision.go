package logout

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Decision is the outcome of a logout request. At most one of Redirect, Confirm, LoggedOut, Cancelled and Error is set. If none
// is set, the response is a page that posts the form of another site again. Reply returns the response in every case. State
// changes are committed before a Decision is returned.
type Decision struct {
	// Header holds the header fields of the response, among them Set-Cookie, and for pages the Content-Security-Policy.
	Header http.Header
	// Redirect is the post_logout_redirect_uri with state. The user is logged out.
	Redirect  string
	Confirm   *ConfirmPage
	LoggedOut *LoggedOutPage
	Cancelled *CancelledPage
	Error     *ErrorPage

	locale   string // of the page
	repost   *repostPage
	plain    bool // Config.Pages must not be called
	endpoint *Endpoint
}

// Pages holds the functions that render the pages of the host. If a function is nil, a plain English page is sent.
//
// Header fields of the returned Reply replace those of the Decision, such as Content-Type, which is text/html in UTF-8. If its Status is
// 0, it is 200, or ErrorPage.Status. The Content-Security-Policy of the Decision allows style sheets and images of the provider's origin,
// and scripts with the nonce of the page. If a function panics, the panic is logged and a plain error page is sent.
type Pages struct {
	// Confirm is the page on which the user confirms or cancels the logout.
	Confirm func(ConfirmPage) portner.Reply
	// LoggedOut confirms the logout, notifies the clients in frames, and continues to the client.
	LoggedOut func(LoggedOutPage) portner.Reply
	// Cancelled confirms that the user is still logged in.
	Cancelled func(CancelledPage) portner.Reply
	// Error shows an error.
	Error func(ErrorPage) portner.Reply
}

// ConfirmPage is shown before a logout that requires a confirmation. The page must have a form with the method post and the action
// Action. The form has a hidden field with the name TokenField and the value Token, a button that logs out, and a button with the
// name CancelField and any value.
type ConfirmPage struct {
	Action      string // path that the form posts to
	TokenField  string // name of the hidden field
	Token       string // value of the hidden field
	CancelField string // name of the cancel button
	ClientName  string // the client that requested the logout, which is not verified; "" if unknown
	Locale      string // language of the page
}

// LoggedOutPage is shown after the logout. The page has a hidden iframe for each of Frames, a link with the id logout-continue to
// ContinueURL unless that is empty, and, if both are present:
//
//	<script nonce="{{.Nonce}}">{{.Script}}</script>
//	<noscript><meta http-equiv="refresh" content="3; url={{.ContinueURL}}"></noscript>
//
// The script continues when the frames have loaded. Browsers that run no scripts continue after three seconds. A header field Refresh
// would let the others continue twice.
type LoggedOutPage struct {
	Frames      []string     // the frontchannel_logout_uri of each client, with iss and sid if it requires them
	ContinueURL template.URL // a registered URI, possibly with the scheme of a native app; "" to stay
	Nonce       string       // nonce of the Content-Security-Policy
	Script      template.JS  // continues when the frames have loaded
	ClientName  string       // the client of ContinueURL or BackURL
	BackURL     string       // without ContinueURL, where a link back to the client may lead: client.Client.HomeURL; "" if it is not known
	Locale      string       // language of the page
	// NotRegistered reports that the post_logout_redirect_uri of the request is not registered. The page stays, and shows the code
	// invalid_request in an element with the id error-page.
	NotRegistered bool
	CorrelationID string // also part of the log line
}

// CancelledPage confirms that the user cancelled.
type CancelledPage struct {
	ClientName string // the client that requested the logout; "" if unknown
	BackURL    string // where a link back to the client may lead: client.Client.HomeURL; "" if it is not known
	Locale     string // language of the page
}

// ErrorPage shows an error of a logout. No part of it comes from the request: ClientName and BackURL are those of the registration that
// the request names.
type ErrorPage struct {
	Status        int               // HTTP status
	Code          portner.ErrorCode // value to show as the error
	Parameter     string            // name of the parameter that is missing or invalid; "" if the error is not about one
	Description   string            // one English sentence, which names the parameter
	CorrelationID string            // also part of the log line
	Locale        string            // language of the page
	ClientName    string            // the client that requested the logout, which is not verified; "" if it is not known
	BackURL       string            // where a link back to the client may lead: client.Client.HomeURL; "" if it is not known
	// StillLoggedIn reports that the logout failed and the session is live.
	StillLoggedIn bool
}

// Reply returns the response.
func (d *Decision) Reply() portner.Reply {
	response := *d
	response.Header = d.Header.Clone()
	return response.render()
}

// render is Reply, but adds header fields to d.Header.
func (d *Decision) render() portner.Reply {
	if d.Header == nil {
		d.Header = http.Header{}
	}
	pages := Pages{}
	if d.endpoint != nil && !d.plain {
		pages = d.endpoint.cfg.Pages
	}
	switch {
	case d.Redirect != "":
		return httpx.SeeOther(d.Header, d.Redirect)
	case d.Confirm != nil:
		return page(d, pages.Confirm, *d.Confirm, "confirm", http.StatusOK)
	case d.LoggedOut != nil:
		return page(d, pages.LoggedOut, *d.LoggedOut, "logged-out", http.StatusOK)
	case d.Cancelled != nil:
		return page(d, pages.Cancelled, *d.Cancelled, "cancelled", http.StatusOK)
	case d.Error != nil:
		return page(d, pages.Error, *d.Error, "error", d.Error.Status)
	}
	return d.plainPage(http.StatusOK, "repost", d.repost)
}

// page renders a page by the function of the host, or by a template of this package. A panic of the function is logged, and the plain
// error page is sent.
func page[P any](d *Decision, render func(P) portner.Reply, data P, name string, status int) (r portner.Reply) {
	if render == nil {
		return d.plainPage(status, name, data)
	}
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			r = d.panicked(fmt.Errorf("logout: panic of type %T in Config.Pages", v))
		}
	}()
	r = render(data)
	maps.Copy(d.Header, r.Header)
	r.Header = d.Header
	if r.Status == 0 {
		r.Status = status
	}
	return r
}

func (d *Decision) panicked(err error) portner.Reply {
	e := d.endpoint
	p := panicPage(httpx.NewCorrelationID(), d.locale, d.LoggedOut == nil)
	e.log.Fault(context.Background(), err, p.CorrelationID, e.cfg.Now())
	httpx.Page(d.Header, false)
	return d.plainPage(p.Status, "error", p)
}

// plainPage renders a template of this package. Writing strings to a buffer does not fail.
func (d *Decision) plainPage(status int, name string, data any) portner.Reply {
	var body bytes.Buffer
	if err := plain.ExecuteTemplate(&body, name, data); err != nil {
		panic(err)
	}
	return portner.Reply{Status: status, Header: d.Header, Body: body.Bytes()}
}

// continueScript continues when the page and its frames have loaded, or after three seconds.
const continueScript template.JS = `(function(){var done=false;` +
	`function go(){var a=document.getElementById("logout-continue");if(a&&!done){done=true;location.replace(a.href)}}` +
	`window.addEventListener("load",go);setTimeout(go,3000)})();`

const repostScript template.JS = `document.getElementById("logout-resubmit").submit();`

// repostPage posts a form again from the provider.
type repostPage struct {
	Action string
	Fields [][2]string
	Nonce  string
	Script template.JS
}

var plain = template.Must(template.New("").Parse(`
{{- define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>{{.}}</title></head>
{{end}}
{{- define "back"}}{{if .BackURL}}<p><a id="back" href="{{.BackURL}}">Back to {{.ClientName}}</a></p>
{{end}}{{end}}
{{- define "confirm"}}{{template "head" "Log out?"}}<body><main>
<h1>Do you want to log out?</h1>
{{if .ClientName}}<p>{{.ClientName}} requests your logout. You will be logged out of every service you use this login for.</p>{{else}}<p>You will be logged out of every service you use this login for.</p>{{end}}
<form method="post" action="{{.Action}}" id="logout-form"><input type="hidden" name="{{.TokenField}}" value="{{.Token}}">
<button type="submit" id="logout-confirm">Log out</button>
<button type="submit" id="logout-cancel" name="{{.CancelField}}" value="1">Stay logged in</button></form>
</main></body></html>
{{end}}
{{- define "logged-out"}}{{template "head" "Logged out"}}<body><main id="logged-out">
<h1>You are logged out</h1>
{{if .NotRegistered}}<p id="error-page" role="alert">invalid_request: the post_logout_redirect_uri is not registered for the service, so you stay here. Reference: {{.CorrelationID}}</p>
{{end}}{{if .ContinueURL}}<p><a id="logout-continue" href="{{.ContinueURL}}">{{if .ClientName}}Back to {{.ClientName}}{{else}}Continue{{end}}</a></p>
{{else}}{{template "back" .}}{{end}}{{range .Frames}}<iframe src="{{.}}" title="" width="0" height="0" hidden></iframe>
{{end}}{{if and .Frames .ContinueURL}}<script nonce="{{.Nonce}}">{{.Script}}</script>
<noscript><meta http-equiv="refresh" content="3; url={{.ContinueURL}}"></noscript>
{{end}}</main></body></html>
{{end}}
{{- define "cancelled"}}{{template "head" "Still logged in"}}<body><main id="logout-cancelled">
<h1>You are still logged in</h1><p>Nothing was changed.</p>
{{template "back" .}}</main></body></html>
{{end}}
{{- define "error"}}{{template "head" "Error"}}<body id="error-page"><main>
<h1>{{if .StillLoggedIn}}You are NOT logged out{{else}}The logout cannot continue{{end}}</h1>
<p>{{.Description}}</p>
<p>Error: <code id="error-code">{{.Code}}</code>{{if .Parameter}}, parameter <code id="error-parameter">{{.Parameter}}</code>{{end}}</p>
<p>Reference: <code id="correlation-id">{{.CorrelationID}}</code></p>
{{template "back" .}}</main></body></html>
{{end}}
{{- define "repost"}}{{template "head" "Log out"}}<body>
<form method="post" action="{{.Action}}" id="logout-resubmit">{{range .Fields}}<input type="hidden" name="{{index . 0}}" value="{{index . 1}}">{{end}}
<button type="submit">Continue</button></form>
<script nonce="{{.Nonce}}">{{.Script}}</script>
</body></html>
{{end}}`))
