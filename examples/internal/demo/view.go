package demo

import (
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

//go:embed service.html
var servicePage string

var serviceTemplate = template.Must(template.New("service").Parse(servicePage))

// page is the data of service.html.
type page struct {
	Config    ServiceConfig
	Notice    string // for users
	Detail    string // for developers
	Error     string
	LoggedOut bool
	Session   *sessionView
}

type sessionView struct {
	Story              Story
	IDClaims           []claim
	AccessClaims       []claim
	Opaque             bool
	Scope, UserInfo    string
	API                string
	APIStatus          int
	Refreshed          int
	CanRefresh         bool
	PseudonymousNotice bool
	Details            string // authorization_details of the token response
}

type claim struct{ Name, Value string }

func (s *Service) home(w http.ResponseWriter, r *http.Request) { s.show(w, r, http.StatusOK, page{}) }

// show renders the page of a session.
func (s *Service) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	if l := s.current(r); l != nil {
		p.Session = view(l)
	}
	s.render(w, status, p)
}

// friendly returns the text of an authorization error for users.
func (s *Service) friendly(code string) string {
	switch code {
	case "access_denied":
		return "Innloggingen ble ikke fullført: du avbrøt, eller sa nei til alt tjenesten ba om."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		return s.cfg.Provider + " måtte ha vist deg en side, men tjenesten ba om innlogging uten sider. Prøv en vanlig innlogging."
	case "temporarily_unavailable", "server_error":
		return s.cfg.Provider + " er ikke tilgjengelig akkurat nå. Prøv igjen om litt."
	}
	return s.cfg.Provider + " avviste forespørselen fra tjenesten."
}

// trouble shows a general error and logs the cause. Error texts of libraries are not shown.
func (s *Service) trouble(w http.ResponseWriter, r *http.Request, notice string, err error) {
	p := page{Notice: notice, Error: "trouble"}
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		p.Detail = refused.ErrorCode + ": " + refused.ErrorDescription
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		p.Detail = "Tjenesten stoler ikke på sertifikatet. Hvis det er selvsignert, start med -insecure-trust-self-signed."
	}
	s.cfg.Log.Warn("demo", "service", s.cfg.ClientID, "notice", notice, "detail", p.Detail, "error", err)
	s.show(w, r, http.StatusBadGateway, p)
}

func view(l *local) *sessionView {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &sessionView{
		Story: l.story, IDClaims: list(claims(l.idToken)), AccessClaims: list(claims(l.token.AccessToken)), Scope: l.scope, UserInfo: l.userinfo,
		API: l.api, APIStatus: l.apiStatus, Refreshed: l.refreshed, CanRefresh: l.token.RefreshToken != "",
	}
	if details := l.token.Extra("authorization_details"); details != nil {
		text, _ := json.MarshalIndent(details, "", "  ") // it was decoded from JSON
		v.Details = string(text)
	}
	v.Opaque = v.AccessClaims == nil
	v.PseudonymousNotice = l.story.Pseudonymous && claims(l.idToken)["pid"] == nil
	return v
}

// instants are the claims that are seconds since 1970.
var instants = []string{"auth_time", "exp", "iat", "nbf"}

func list(m map[string]any) []claim {
	var out []claim
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b, err := json.Marshal(m[k])
		if err != nil {
			continue
		}
		v := strings.Trim(string(b), `"`)
		if f, ok := m[k].(float64); ok {
			v = fmt.Sprintf("%.0f", f)
			if slices.Contains(instants, k) {
				v += " (kl. " + time.Unix(int64(f), 0).Format(time.TimeOnly) + ")"
			}
		}
		out = append(out, claim{k, v})
	}
	return out
}

func (s *Service) render(w http.ResponseWriter, status int, p page) {
	p.Config = s.cfg
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'") // no form-action: a login redirects the browser to other origins
	w.WriteHeader(status)
	_ = serviceTemplate.Execute(w, p)
}
