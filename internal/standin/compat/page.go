package compat

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/session"
)

// The fields username and claims are those of the page of mock-oauth2-server, so that tests that fill it in need no change.
var loginPage = template.Must(template.New("login").Parse(`<!doctype html><html lang="en">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{{if .Problem}}Error – {{end}}Log in to {{.Client}}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}input,textarea{font:inherit;width:100%;box-sizing:border-box}
textarea{font-family:monospace}</style>
<main><h1>Log in to {{.Client}}</h1><p>This is a test server: no password is needed.</p>
{{if .Problem}}<p id="problem" role="alert">{{.Problem}}</p>{{end}}
<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">
<p><label>User name <input name="username" value="{{.Username}}" required autofocus autocomplete="off"></label></p>
<p><label>More claims, as a JSON object <textarea name="claims" rows="8">{{.Claims}}</textarea></label></p>
<p><button type="submit">Log in</button> <button name="cancel" value="1" formnovalidate>Cancel</button></p></form></main></html>`))

// loginForm is the data of the page.
type loginForm struct{ Client, CSRF, Username, Claims, Problem string }

// page is provider.Config.Page.
func (is *issuer) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	asks := slices.ContainsFunc(p.Prompt, func(v string) bool { return v != "none" })
	switch {
	case r.PostForm.Has("cancel"):
		return p.Cancel(r.Context())
	case r.Method == http.MethodPost:
	case !is.server.plan.Interactive && !asks:
		a := is.login(p, "", "", nil)
		if is.tooLow(p, a.ACR) {
			return p.Cancel(r.Context()) // the same login again would have the same level
		}
		return p.LogIn(r.Context(), a)
	}
	form := loginForm{Client: cmp.Or(p.Client.Name, p.Client.ID), CSRF: p.CSRF()}
	if r.Method == http.MethodPost {
		form.Username, form.Claims = r.PostForm.Get("username"), r.PostForm.Get("claims")
		claims, problem := is.pageClaims(form.Claims)
		switch {
		case !validUsername(form.Username, p.Client.ID):
			form.Problem = "The user name must be 1 to 255 printable ASCII characters, and not the client_id."
		case problem != "":
			form.Problem = problem
		default:
			a := is.login(p, form.Username, form.Claims, claims)
			if !is.tooLow(p, a.ACR) {
				return p.LogIn(r.Context(), a)
			}
			form.Problem = fmt.Sprintf("The request needs the level %s, and the configuration gives this user %s.", strings.Join(p.RequestedACR, " or "), a.ACR)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = loginPage.Execute(w, form)
	return nil
}

// tooLow reports whether a level does not suffice for the request.
func (is *issuer) tooLow(p *authorize.Pending, level string) bool {
	return is.levels != nil && len(p.RequestedACR) > 0 && !is.levels.Satisfies(level, p.RequestedACR)
}

// validUsername reports whether a user name can be a sub (OIDC Core §2).
func validUsername(name, clientID string) bool {
	return name != "" && len(name) <= 255 && name != clientID && !slices.ContainsFunc([]byte(name), func(b byte) bool { return b < 0x20 || b > 0x7e })
}

// maxPageClaims bounds the claims of the page, in bytes: they are kept with the session.
const maxPageClaims = 8 << 10

// pageClaims reads the claims of the page. problem is a text for the user, "" for valid claims.
func (is *issuer) pageClaims(text string) (claims map[string]any, problem string) {
	if text == "" {
		return nil, ""
	}
	if len(text) > maxPageClaims {
		return nil, "The claims must have at most 8,192 bytes."
	}
	if strictjson.Decode([]byte(text), &claims) != nil || claims == nil {
		return nil, "The claims must be a JSON object whose members have different names."
	}
	for name, value := range claims {
		why, refused := refusedClaims[name]
		switch level, _ := value.(string); {
		case refused:
			return nil, fmt.Sprintf("The claim %s may not be set: %s.", name, why)
		case name == "sub" || name == "aud" || name == "client_id" || name == "azp" || name == "amr" || name == "":
			return nil, fmt.Sprintf("The claim %q may not be set here: use the user name, or requestMappings of the configuration.", name)
		case name == "acr" && (is.levels == nil || !slices.Contains(is.levels.Values(), level)):
			return nil, "The claim acr must be one that requestMappings of the configuration name for the issuer."
		}
	}
	return claims, ""
}

// login returns the login of a user name, "" for a user without one. The request mapping of the code's token request decides sub and acr, as far as
// that request is known: grant_type, a code, client_id and the user name.
func (is *issuer) login(p *authorize.Pending, username, text string, claims map[string]any) session.Authentication {
	id := session.Identity{Attributes: map[string]string{}}
	if username != "" {
		id.Attributes[attrUsername] = username
	}
	form := url.Values{"grant_type": {client.AuthorizationCode}, "code": {"code"}, "client_id": {p.Client.ID}}
	add := is.resolve(form, p.Client.ID, &id)
	id.Subject = cmp.Or(add.subject, username)
	if id.Subject == "" {
		id.Subject = newSubject()
	}
	a := session.Authentication{ACR: add.acr, AMR: add.amr}
	if level, ok := claims["acr"].(string); ok && a.ACR == "" {
		a.ACR = level
	}
	if delete(claims, "acr"); len(claims) > 0 {
		if without, err := json.Marshal(claims); err == nil {
			text = string(without)
		}
		id.Attributes[attrClaims] = text
	}
	if a.ACR == "" && is.levels != nil {
		a.ACR = is.levels.Values()[0]
		if known := is.levels.Known(p.RequestedACR); len(known) > 0 {
			a.ACR = known[0]
		}
	}
	a.Identity = id
	return a
}
