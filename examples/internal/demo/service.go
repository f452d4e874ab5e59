package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/portner-go/portner/internal/httpx"
)

// Story is an authorization request that a service offers.
type Story struct {
	Name, Title, Text string
	Scopes            []string
	ACR               string // acr_values; may be ""
	Prompt            string
	API               string // path of the API to call; may be ""
	Pseudonymous      bool   // the service receives no identity

	AuthorizationDetails string // RFC 9396; may be ""
}

// ServiceConfig configures a relying party.
type ServiceConfig struct {
	Name, Class, Text string
	Provider          string // name of the provider on pages; the default is ID-porten
	Base              string // base URL without trailing slash
	Issuer            string
	ClientID, Secret  string
	API               string // base URL of the API
	Stories           []Story
	Others            []Link // services with single sign-on
	HTTP              *http.Client
	Log               *slog.Logger
}

// Link is a link on the page.
type Link struct{ Name, URL string }

// Service is a relying party: a web application with local sessions in memory. It uses state, nonce, PKCE, and sid for single logout, as
// ID-porten requires.
type Service struct {
	cfg ServiceConfig

	mu       sync.Mutex // not held during requests
	provider *oidc.Provider
	pending  map[string]pendingLogin // by state
	sessions map[string]*local       // by cookie
}

type pendingLogin struct {
	story           Story
	verifier, nonce string
	browser         string
	at              time.Time
}

// local is a session of the service.
type local struct {
	mu        sync.Mutex // not held during requests
	renewing  bool
	story     Story
	token     *oauth2.Token
	idToken   string
	scope     string
	sid       string
	userinfo  string
	api       string
	apiStatus int
	refreshed int
}

// NewService returns a relying party. It reads the metadata of the provider at the first login.
func NewService(cfg ServiceConfig) *Service {
	if cfg.Provider == "" {
		cfg.Provider = "ID-porten"
	}
	return &Service{cfg: cfg, pending: map[string]pendingLogin{}, sessions: map[string]*local{}}
}

// cookieName returns the name of the session cookie. It contains the name of the service, because cookies are not separated by port.
func (s *Service) cookieName() string { return s.cfg.ClientID + "-session" }

// Handler returns the pages of the service.
func (s *Service) Handler(static http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("POST /api", s.callAPI)
	mux.HandleFunc("POST /refresh", s.refresh)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /loggedout", s.loggedOut)
	mux.HandleFunc("GET /frontchannel", s.frontchannel)
	mux.Handle("GET /static/", static)
	mux.HandleFunc("/{path...}", s.none)
	cross := http.NewCrossOriginProtection()
	return cross.Handler(mux)
}

// none responds to a path or a method that does not exist.
func (s *Service) none(w http.ResponseWriter, r *http.Request) {
	if httpx.AcceptsHTML(r.Header) {
		s.show(w, r, http.StatusNotFound, page{Notice: "Den siden finnes ikke hos " + s.cfg.Name + ". Gå videre herfra."})
		return
	}
	http.NotFound(w, r)
}

// discover returns the metadata of the provider, which it reads once. The lock is not held meanwhile: requests that arrive before the
// first answer read the metadata, too.
func (s *Service) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	s.mu.Lock()
	p := s.provider
	s.mu.Unlock()
	if p == nil {
		var err error
		if p, err = oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.cfg.HTTP), s.cfg.Issuer); err != nil {
			return nil, nil, err
		}
		s.mu.Lock()
		s.provider = p
		s.mu.Unlock()
	}
	return p, &oauth2.Config{
		ClientID: s.cfg.ClientID, ClientSecret: s.cfg.Secret,
		Endpoint: p.Endpoint(), RedirectURL: s.cfg.Base + "/callback",
	}, nil
}

func (s *Service) login(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(s.cfg.Stories, func(st Story) bool { return st.Name == r.PostFormValue("story") })
	if i < 0 {
		s.show(w, r, http.StatusBadRequest, page{Notice: "Den innloggingen finnes ikke. Velg en av dem under."})
		return
	}
	_, conf, err := s.discover(r.Context())
	if err != nil {
		s.trouble(w, r, "Tjenesten får ikke kontakt med "+s.cfg.Provider+". Se i terminalen om den kjører, og prøv igjen.", err)
		return
	}
	st := s.cfg.Stories[i]
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	browser := rand.Text()
	if !s.remember(state, pendingLogin{st, verifier, nonce, browser, time.Now()}) {
		s.cfg.Log.WarnContext(r.Context(), "too many pending logins", "service", s.cfg.ClientID, "limit", maxPending)
		s.show(w, r, http.StatusServiceUnavailable, page{Notice: "For mange innlogginger er startet uten å bli fullført. Prøv igjen om litt."})
		return
	}
	http.SetCookie(w, s.cookie(s.cookieName()+"-login", browser, int(pendingLife.Seconds())))
	opts := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce),
	}
	if st.ACR != "" {
		opts = append(opts, oauth2.SetAuthURLParam("acr_values", st.ACR))
	}
	if st.Prompt != "" {
		opts = append(opts, oauth2.SetAuthURLParam("prompt", st.Prompt))
	}
	if st.AuthorizationDetails != "" {
		opts = append(opts, oauth2.SetAuthURLParam("authorization_details", st.AuthorizationDetails))
	}
	conf.Scopes = st.Scopes
	http.Redirect(w, r, conf.AuthCodeURL(state, opts...), http.StatusSeeOther)
}

// A service remembers at most maxPending logins that were started, each for pendingLife.
const (
	maxPending  = 10_000
	pendingLife = 15 * time.Minute
)

// remember stores a pending login. It reports false if there are too many: those of others are not deleted for it.
func (s *Service) remember(state string, p pendingLogin) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= maxPending {
		maps.DeleteFunc(s.pending, func(_ string, old pendingLogin) bool { return p.at.Sub(old.at) > pendingLife })
	}
	if len(s.pending) >= maxPending {
		return false
	}
	s.pending[state] = p
	return true
}

func (s *Service) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: maxAge, Secure: strings.HasPrefix(s.cfg.Base, "https:")}
}

func (s *Service) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	p, ok := s.pending[q.Get("state")]
	delete(s.pending, q.Get("state"))
	s.mu.Unlock()
	c, err := r.Cookie(s.cookieName() + "-login")
	if !ok || time.Since(p.at) > pendingLife || err != nil || c.Value != p.browser || q.Get("iss") != s.cfg.Issuer {
		s.show(w, r, http.StatusBadRequest, page{Notice: "Svaret fra " + s.cfg.Provider + " hører ikke til noe denne nettleseren startet. Start på nytt under."})
		return
	}
	http.SetCookie(w, s.cookie(s.cookieName()+"-login", "", -1))
	if code := q.Get("error"); code != "" {
		s.show(w, r, http.StatusOK, page{Notice: s.friendly(code), Detail: code + ": " + q.Get("error_description"), Error: code})
		return
	}
	l, err := s.exchange(r.Context(), p, q.Get("code"))
	if err != nil {
		s.trouble(w, r, "Innloggingen kunne ikke fullføres. Prøv igjen.", err)
		return
	}
	id := rand.Text()
	s.mu.Lock()
	if old, err := r.Cookie(s.cookieName()); err == nil {
		delete(s.sessions, old.Value)
	}
	s.sessions[id] = l
	s.mu.Unlock()
	http.SetCookie(w, s.cookie(s.cookieName(), id, 0))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// exchange redeems the code and verifies the id_token (OIDC Core §3.1.3.7) and its level, as ID-porten requires.
func (s *Service) exchange(ctx context.Context, p pendingLogin, code string) (*local, error) {
	ctx = oidc.ClientContext(ctx, s.cfg.HTTP)
	provider, conf, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	tok, err := conf.Exchange(ctx, code, oauth2.VerifierOption(p.verifier))
	if err != nil {
		return nil, err
	}
	l := &local{story: p.story, token: tok}
	l.scope, _ = tok.Extra("scope").(string)
	if !slices.Contains(p.story.Scopes, "openid") {
		return l, nil
	}
	l.idToken, _ = tok.Extra("id_token").(string)
	it, err := provider.Verifier(&oidc.Config{ClientID: s.cfg.ClientID}).Verify(ctx, l.idToken)
	if err != nil {
		return nil, err
	}
	var c struct{ Nonce, SID, ACR string }
	if err := it.Claims(&c); err != nil {
		return nil, err
	}
	if c.Nonce != p.nonce {
		return nil, errors.New("nonce does not match")
	}
	if p.story.ACR != "" && c.ACR != p.story.ACR && !strings.HasSuffix(c.ACR, "-high") {
		return nil, fmt.Errorf("level %q is below the requested one", c.ACR)
	}
	l.sid = c.SID
	if slices.Contains(strings.Fields(l.scope), "profile") {
		l.userinfo = s.fetch(ctx, provider.UserInfoEndpoint(), tok.AccessToken)
	}
	return l, nil
}

func (s *Service) fetch(ctx context.Context, uri, token string) string {
	body, _ := s.get(ctx, uri, token)
	return body
}

func (s *Service) get(ctx context.Context, uri, token string) (string, int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return err.Error(), 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.cfg.HTTP.Do(req)
	if err != nil {
		return err.Error(), 0
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return strings.TrimSpace(string(body)), resp.StatusCode
}

func (s *Service) current(r *http.Request) *local {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[c.Value]
}

func (s *Service) callAPI(w http.ResponseWriter, r *http.Request) {
	if l := s.current(r); l != nil {
		l.mu.Lock()
		token := l.token.AccessToken
		l.mu.Unlock()
		answer, status := s.get(r.Context(), s.cfg.API+"/api"+l.story.API, token)
		l.mu.Lock()
		l.api, l.apiStatus = answer, status
		l.mu.Unlock()
	}
	http.Redirect(w, r, "/#api", http.StatusSeeOther)
}

func (s *Service) refresh(w http.ResponseWriter, r *http.Request) {
	l := s.current(r)
	if l == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	ctx := oidc.ClientContext(r.Context(), s.cfg.HTTP)
	_, conf, err := s.discover(ctx)
	if err == nil {
		err = l.renew(ctx, conf)
	}
	if err != nil {
		s.trouble(w, r, "Tilgangen kunne ikke fornyes. Logg inn på nytt.", err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// renew uses the refresh token and stores its successor. A request that arrives meanwhile changes nothing: a refresh token is used once.
func (l *local) renew(ctx context.Context, conf *oauth2.Config) error {
	l.mu.Lock()
	busy, refresh := l.renewing, l.token.RefreshToken
	l.renewing = true
	l.mu.Unlock()
	if busy {
		return nil
	}
	tok, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh, Expiry: time.Unix(1, 0)}).Token()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewing = false
	if err != nil {
		return err
	}
	l.token = tok
	l.refreshed++
	l.scope, _ = tok.Extra("scope").(string)
	return nil
}

// logout ends the local session and redirects the browser to the logout endpoint of the provider.
func (s *Service) logout(w http.ResponseWriter, r *http.Request) {
	l := s.current(r)
	s.drop(w, r)
	provider, _, err := s.discover(r.Context())
	if err != nil {
		http.Redirect(w, r, "/loggedout", http.StatusSeeOther)
		return
	}
	var meta struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&meta); err != nil || meta.EndSession == "" {
		http.Redirect(w, r, "/loggedout", http.StatusSeeOther)
		return
	}
	q := url.Values{"client_id": {s.cfg.ClientID}, "post_logout_redirect_uri": {s.cfg.Base + "/loggedout"}, "state": {"fra-" + s.cfg.Class}}
	if l != nil && l.idToken != "" {
		q.Set("id_token_hint", l.idToken)
	}
	http.Redirect(w, r, meta.EndSession+"?"+q.Encode(), http.StatusSeeOther)
}

func (s *Service) drop(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(s.cookieName()); err == nil {
		s.mu.Lock()
		delete(s.sessions, c.Value)
		s.mu.Unlock()
	}
	http.SetCookie(w, s.cookie(s.cookieName(), "", -1))
}

// frontchannel ends the session with the sid of the request. A browser sends no cookies in a frame of another site, so sid finds the
// session (OIDC Front-Channel Logout §2).
func (s *Service) frontchannel(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("iss") == s.cfg.Issuer && q.Get("sid") != "" {
		s.mu.Lock()
		maps.DeleteFunc(s.sessions, func(_ string, l *local) bool { return l.sid == q.Get("sid") })
		s.mu.Unlock()
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+s.cfg.Issuer)
	w.WriteHeader(http.StatusOK)
}

func (s *Service) loggedOut(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, page{Notice: "Du er logget ut.", LoggedOut: true})
}
