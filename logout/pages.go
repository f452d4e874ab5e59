package logout

import (
	"html/template"
	"net/http"

	"github.com/portner-go/portner"
)

// Pages are the host's logout pages. Headers are set already, the Content-Security-Policy among them:
// own style sheets and images from the provider's origin work, scripts need the page's nonce. Each
// method writes the status and the body.
type Pages interface {
	// Confirm asks whether the person wants to log out (200).
	Confirm(w http.ResponseWriter, r *http.Request, p ConfirmPage)
	// LoggedOut says that the person is logged out, tells the clients in frames, and goes on (200).
	LoggedOut(w http.ResponseWriter, r *http.Request, p LoggedOutPage)
	// Cancelled says that the person is still logged in, having answered no (200).
	Cancelled(w http.ResponseWriter, r *http.Request, p CancelledPage)
	// Error says what went wrong (p.Status).
	Error(w http.ResponseWriter, r *http.Request, p ErrorPage)
}

// ConfirmPage asks. It holds a form with method post and the address Action, with one hidden field
// named TokenField and the value Token, a button to log out, and a button with the name CancelField
// and any value.
type ConfirmPage struct {
	Action      string // where the form posts to
	TokenField  string // the name of the hidden field
	Token       string // its value
	CancelField string // the name of the button that says no
	ClientName  string // who asks for the logout, if it said so; not proven
	Locale      string // the language to show
}

// LoggedOutPage tells the outcome. The host's page holds one hidden iframe for each of Frames, a link
// with the id logout-continue to ContinueURL unless that is empty, and, if both are there, the script:
//
//	<script nonce="{{.Nonce}}">{{.Script}}</script>
//
// The script goes on when the frames have loaded. Without it the browser goes on after three seconds.
type LoggedOutPage struct {
	Frames      []string     // the clients' frontchannel_logout_uri, with iss and sid if they take them
	ContinueURL template.URL // "" to stay; registered, and possibly of a native app's own scheme
	Nonce       string       // what the Content-Security-Policy allows scripts by
	Script      template.JS  // goes on when the frames have loaded
	ClientName  string       // where ContinueURL leads
	Locale      string       // the language to show
	// NotRegistered says that the client asked for a return to an address that is not registered for
	// it: the page stays, and says so, with the id error-page and the word invalid_request.
	NotRegistered bool
	CorrelationID string
}

// CancelledPage tells that nothing was done.
type CancelledPage struct {
	ClientName string // who asked for the logout, if it said so
	Locale     string // the language to show
}

// ErrorPage tells what went wrong. Nothing of the request is in it.
type ErrorPage struct {
	Status        int               // the HTTP status to answer with
	Code          portner.ErrorCode // what to show as error
	Description   string            // one fixed sentence, in English, which names the parameter
	CorrelationID string            // what the log has
	Locale        string            // the language to show
	// StillLoggedIn says that the logout failed and the session lives (security row G16).
	StillLoggedIn bool
}

// continueScript goes on when everything has loaded, the frames included, and after three seconds.
const continueScript template.JS = `(function(){var done=false;` +
	`function go(){var a=document.getElementById("logout-continue");if(a&&!done){done=true;location.replace(a.href)}}` +
	`window.addEventListener("load",go);setTimeout(go,3000)})();`

const resubmitScript template.JS = `document.getElementById("logout-resubmit").submit();`

// plainPages are the built-in pages, in English.
type plainPages struct{}

func render(w http.ResponseWriter, status int, name string, data any) {
	w.WriteHeader(status)
	// A failing write is the browser gone; the templates themselves are fixed and tested.
	_ = plain.ExecuteTemplate(w, name, data)
}

func (plainPages) Confirm(w http.ResponseWriter, _ *http.Request, p ConfirmPage) {
	render(w, http.StatusOK, "confirm", p)
}

func (plainPages) LoggedOut(w http.ResponseWriter, _ *http.Request, p LoggedOutPage) {
	render(w, http.StatusOK, "logged-out", p)
}

func (plainPages) Cancelled(w http.ResponseWriter, _ *http.Request, p CancelledPage) {
	render(w, http.StatusOK, "cancelled", p)
}

func (plainPages) Error(w http.ResponseWriter, _ *http.Request, p ErrorPage) {
	render(w, p.Status, "error", p)
}

// resubmitPage is the page of C19; it is the library's own, for no person reads it.
type resubmitPage struct {
	Action string
	Fields [][2]string
	Nonce  string
	Script template.JS
}

var plain = template.Must(template.New("").Parse(`
{{- define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.}}</title></head>
{{end}}
{{- define "confirm"}}{{template "head" "Log out?"}}<body><main>
<h1>Do you want to log out?</h1>
{{if .ClientName}}<p>{{.ClientName}} asks to log you out. You will be logged out of every service you use this login for.</p>{{else}}<p>You will be logged out of every service you use this login for.</p>{{end}}
<form method="post" action="{{.Action}}" id="logout-form"><input type="hidden" name="{{.TokenField}}" value="{{.Token}}">
<button type="submit" id="logout-confirm">Log out</button>
<button type="submit" id="logout-cancel" name="{{.CancelField}}" value="1">Stay logged in</button></form>
</main></body></html>
{{end}}
{{- define "logged-out"}}{{template "head" "Logged out"}}<body><main id="logged-out">
<h1>You are logged out</h1>
{{if .NotRegistered}}<p id="error-page" role="alert">invalid_request: the post_logout_redirect_uri is not registered for the service, so you stay here. Reference: {{.CorrelationID}}</p>
{{end}}{{if .ContinueURL}}<p><a id="logout-continue" href="{{.ContinueURL}}">{{if .ClientName}}Back to {{.ClientName}}{{else}}Continue{{end}}</a></p>
{{end}}{{range .Frames}}<iframe src="{{.}}" title="" width="0" height="0" hidden></iframe>
{{end}}{{if and .Frames .ContinueURL}}<script nonce="{{.Nonce}}">{{.Script}}</script>
{{end}}</main></body></html>
{{end}}
{{- define "cancelled"}}{{template "head" "Still logged in"}}<body><main id="logout-cancelled">
<h1>You are still logged in</h1><p>Nothing was changed.</p>
</main></body></html>
{{end}}
{{- define "error"}}{{template "head" "Error"}}<body id="error-page"><main>
<h1>{{if .StillLoggedIn}}You are NOT logged out{{else}}Something is wrong{{end}}</h1>
<p><code>{{.Code}}</code>: {{.Description}}</p><p>Reference: {{.CorrelationID}}</p>
</main></body></html>
{{end}}
{{- define "resubmit"}}{{template "head" "Log out"}}<body>
<form method="post" action="{{.Action}}" id="logout-resubmit">{{range .Fields}}<input type="hidden" name="{{index . 0}}" value="{{index . 1}}">{{end}}
<button type="submit">Continue</button></form>
<script nonce="{{.Nonce}}">{{.Script}}</script>
</body></html>
{{end}}`))
