package portnertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin"
	altinnserver "github.com/portner-go/portner/internal/standin/altinn"
	ansattportenserver "github.com/portner-go/portner/internal/standin/ansattporten"
	helseidserver "github.com/portner-go/portner/internal/standin/helseid"
	idportenserver "github.com/portner-go/portner/internal/standin/idporten"
	maskinportenserver "github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// server is a stand-in without a listener.
type server interface {
	Handler() http.Handler
	Configure(ctx context.Context, text []byte) error
}

// opened is a stand-in, and what this package uses of it.
type opened struct {
	server

	state *standin.State
	keys  *standin.Keys
}

// opener opens the stand-in of a service. It sets the issuer and the system of p, and may change the configuration before.
type opener func(p *Provider, doc document, f *standin.Flags) (func(*slog.Logger) (opened, error), error)

// as opens a server of a stand-in. parts returns what this package uses of it.
func as[S server](open func(*slog.Logger) (S, error), parts func(S) (*standin.State, *standin.Keys)) func(*slog.Logger) (opened, error) {
	return func(log *slog.Logger) (opened, error) {
		s, err := open(log)
		if err != nil {
			return opened{}, err
		}
		state, keys := parts(s)
		return opened{s, state, keys}, nil
	}
}

func openIDPorten(p *Provider, _ document, f *standin.Flags) (func(*slog.Logger) (opened, error), error) {
	p.system = system{login: true, metadata: openIDMetadata, levels: acr.IDPortenWithOldNames, mint: p.mintLogin}
	return as(func(log *slog.Logger) (*idportenserver.Server, error) {
		return idportenserver.Open(context.Background(), idportenserver.Options{Flags: *f}, log)
	}, func(s *idportenserver.Server) (*standin.State, *standin.Keys) { return s.State, s.Keys }), nil
}

func openAnsattporten(p *Provider, _ document, f *standin.Flags) (func(*slog.Logger) (opened, error), error) {
	p.system = system{login: true, metadata: openIDMetadata, levels: acr.Ansattporten, mint: p.mintLogin}
	return as(func(log *slog.Logger) (*ansattportenserver.Server, error) {
		return ansattportenserver.Open(context.Background(), ansattportenserver.Options{Flags: *f}, log)
	}, func(s *ansattportenserver.Server) (*standin.State, *standin.Keys) { return s.State, s.Keys }), nil
}

func openHelseID(p *Provider, _ document, f *standin.Flags) (func(*slog.Logger) (opened, error), error) {
	p.system = system{login: true, bound: true, metadata: openIDMetadata, levels: helseid.Levels, mint: p.mintLogin}
	return as(func(log *slog.Logger) (*helseidserver.Server, error) {
		return helseidserver.Open(context.Background(), helseidserver.Options{Flags: *f}, log)
	}, func(s *helseidserver.Server) (*standin.State, *standin.Keys) { return s.State, s.Keys }), nil
}

func openMaskinporten(p *Provider, doc document, f *standin.Flags) (func(*slog.Logger) (opened, error), error) {
	p.system = system{metadata: "/.well-known/oauth-authorization-server", levels: &acr.Levels{}, mint: p.mintMachine}
	if doc["skyporten"] != true { // whose issuers have no slash
		p.Issuer += "/"
		p.system.metadata = ".well-known/oauth-authorization-server"
	}
	return as(func(log *slog.Logger) (*maskinportenserver.Server, error) {
		return maskinportenserver.Open(context.Background(), maskinportenserver.Options{Flags: *f}, log)
	}, func(s *maskinportenserver.Server) (*standin.State, *standin.Keys) { return s.State, s.Keys }), nil
}

// openAltinn returns an opener that adds trusted providers to those of the file.
func openAltinn(trusted []*Provider) opener {
	return func(p *Provider, doc document, f *standin.Flags) (func(*slog.Logger) (opened, error), error) {
		p.Issuer += altinnPath
		p.system = system{
			metadata: ".well-known/openid-configuration", levels: &acr.Levels{}, exchanges: true,
			mint: func(tok Token) (minted, error) { return p.mintAltinn(tok, trusted) },
		}
		for _, o := range trusted {
			member := map[bool]string{true: "idporten", false: "maskinporten"}[o.system.login]
			of, _ := doc[member].(map[string]any)
			if of == nil {
				of = map[string]any{}
			}
			issuers, _ := of["issuers"].([]any)
			of["issuers"] = append(issuers, map[string]any{"issuer": o.Issuer, "jwks_uri": o.endpointURL("jwks_uri")})
			doc[member] = of
		}
		return as(func(log *slog.Logger) (*altinnserver.Server, error) {
			return altinnserver.Open(context.Background(), altinnserver.Options{Flags: *f}, log)
		}, func(s *altinnserver.Server) (*standin.State, *standin.Keys) { return s.State, s.Keys }), nil
	}
}

const (
	openIDMetadata = "/.well-known/openid-configuration"
	altinnPath     = "/authentication/api/v1/openid/"
)

// document is a configuration.
type document map[string]any

// readDocument reads a configuration as the programs do: it may have comments, and no member twice. The stand-in checks the rest, but sees
// the members only that are left here.
func readDocument(text []byte) (document, error) {
	text = standin.Plain(text)
	doc := document{}
	if err := strictjson.Decode(text, &doc); err != nil {
		return nil, err
	}
	doc = document{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // numbers stay as they are written
	err := d.Decode(&doc)
	return doc, err
}

// list returns the objects of a member.
func (d document) list(member string) (all []map[string]any) {
	entries, _ := d[member].([]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			all = append(all, entry)
		}
	}
	return all
}

// openFile runs the stand-in of Config.File. Its configuration changes as the test goes.
func (p *Provider) openFile(service string, open opener) error {
	text, err := os.ReadFile(p.cfg.File)
	if err != nil {
		return invalid("File", "%w", err)
	}
	doc, err := readDocument(text)
	if err != nil {
		return invalid("File", "%s: %w", p.cfg.File, err)
	}
	if err := standin.CheckSchema(service, doc["$schema"]); err != nil {
		return invalid("File", "%s: $schema: %w", p.cfg.File, err)
	}
	delete(doc, "issuer")
	delete(doc, "test_issuer")
	absolute(doc["business_certificates"], filepath.Dir(p.cfg.File))
	if doc["mtls"] != nil {
		return invalid("File", "%s: mtls: needs a listener of its own, which a test does not have", p.cfg.File)
	}
	f := &file{p: p, doc: doc}
	if err := f.prepare(); err != nil {
		return invalid("File", "%s: %w", p.cfg.File, err)
	}
	flags := &standin.Flags{Now: p.Now, NewKey: p.newKey, HTTP: &http.Client{Transport: outgoing{p}}}
	run, err := open(p, doc, flags)
	if err != nil {
		return invalid("File", "%s: %w", p.cfg.File, err)
	}
	flags.Issuer, flags.TestIssuer = p.Issuer, p.Issuer
	if flags.Text, err = json.Marshal(doc); err != nil {
		return err
	}
	s, err := run(logger(p.t))
	if err != nil {
		return invalid("File", "%s: %w", p.cfg.File, err)
	}
	p.t.Cleanup(func() { _ = s.state.Store.Close() })
	f.server, p.clients, p.store, p.keys, p.system.handler = s, f, s.state.Store, s.keys.Set(), s.Handler()
	return nil
}

// outgoing sends the requests of a stand-in: for keys of other servers, and the back-channel calls of a logout.
type outgoing struct{ p *Provider }

// RoundTrip implements http.RoundTripper.
func (o outgoing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return o.p.transport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := o.p.transport.RoundTrip(sent)
	o.p.delivered(form.Get("logout_token"), resp, err)
	return resp, err
}

// absolute makes the relative paths of a member absolute, because the stand-in has the text of the file only.
func absolute(v any, dir string) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			if path, ok := one.(string); ok && !filepath.IsAbs(path) {
				v[name] = filepath.Join(dir, path)
			}
			absolute(one, dir)
		}
	case []any:
		for i, one := range v {
			if path, ok := one.(string); ok && !filepath.IsAbs(path) {
				v[i] = filepath.Join(dir, path)
			}
		}
	}
}

// file holds the registrations of a configuration file.
type file struct {
	p      *Provider
	server server

	mu  sync.Mutex
	doc document
}

// prepare adds the credentials of this package, and reads the users.
func (f *file) prepare() error {
	for _, entry := range f.doc.list("clients") {
		if err := addCredential(entry); err != nil {
			return err
		}
	}
	f.p.cfg.Users = map[string]User{}
	for _, entry := range f.doc.list("users") {
		text := func(name string) string { s, _ := entry[name].(string); return s }
		f.p.cfg.Users[text("username")] = User{PID: text("pid"), ACR: text("acr"), password: text("password")}
	}
	return nil
}

// addCredential adds the key of ClientKey to the keys of a client that has some, or else ClientSecret to a client that needs a secret.
func addCredential(entry map[string]any) error {
	method, _ := entry["token_endpoint_auth_method"].(string)
	kind, _ := entry["application_type"].(string)
	if set, ok := entry["jwks"].(map[string]any); ok && (method == client.PrivateKeyJWT || method == "") {
		key, err := clientJWK()
		if err != nil {
			return err
		}
		keys, _ := set["keys"].([]any)
		set["keys"] = append(keys, key)
		return nil
	}
	secret := method == client.ClientSecretBasic || method == client.ClientSecretPost || method == "" && (kind == "" || kind == client.Web)
	if _, has := entry["client_secret"]; secret && !has && entry["redirect_uris"] != nil {
		entry["client_secret"] = ClientSecret
	}
	return nil
}

// find returns the entry of a client, or nil.
func (f *file) find(clientID string) map[string]any {
	for _, entry := range f.doc.list("clients") {
		if entry["client_id"] == clientID {
			return entry
		}
	}
	return nil
}

// Client implements registrations.
func (f *file) Client(_ context.Context, clientID string) (*client.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := f.find(clientID)
	if entry == nil {
		return nil, fmt.Errorf("client %q: %w", clientID, storage.ErrNotFound)
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	var c standin.ClientEntry
	if err := c.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if len(c.JWKS) > 0 && c.TokenEndpointAuthMethod == "" && len(c.RedirectURIs) == 0 {
		c.TokenEndpointAuthMethod = client.PrivateKeyJWT // the default of a machine
	}
	return &c.Client, nil
}

// change changes the configuration, and the server takes it over.
func (f *file) change(change func() bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !change() {
		return nil
	}
	text, err := json.Marshal(f.doc)
	if err != nil {
		return err
	}
	return f.server.Configure(context.Background(), text)
}

// addClient implements registrations.
func (f *file) addClient(c client.Client, _ time.Time) error {
	text, err := json.Marshal(standin.ClientEntry{Client: c}.Client)
	if err != nil {
		return err
	}
	entry := map[string]any{}
	if err := json.Unmarshal(text, &entry); err != nil {
		return err
	}
	for _, name := range standin.StoreMembers {
		delete(entry, name)
	}
	entry["scopes"] = f.find(f.first())["scopes"]
	if c.TokenEndpointAuthMethod == client.PrivateKeyJWT {
		entry["jwks"] = map[string]any{"keys": []any{}}
	} else {
		entry["redirect_uris"] = []any{ownRedirect}
	}
	if err := addCredential(entry); err != nil {
		return err
	}
	return f.change(func() bool {
		clients, _ := f.doc["clients"].([]any)
		f.doc["clients"] = append(clients, entry)
		return true
	})
}

// addScope implements registrations: a file names the scopes that exist.
func (*file) addScope(scope.Scope) {}

// secretOf implements registrations.
func (f *file) secretOf(clientID string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	secret, _ := f.find(clientID)["client_secret"].(string)
	return secret
}

// first implements registrations: the client "app", or the first one.
func (f *file) first() string {
	if clients := f.doc.list("clients"); f.find(ClientID) == nil && len(clients) > 0 {
		id, _ := clients[0]["client_id"].(string)
		return id
	}
	return ClientID
}

// learnRedirect implements registrations: a redirect URI on loopback is accepted at every port, and the logout URIs of its origin follow.
func (f *file) learnRedirect(clientID, uri string) {
	f.learn(clientID, "redirect_uris", uri, func(entry map[string]any, old, now *url.URL) {
		for _, member := range []string{"frontchannel_logout_uri", "backchannel_logout_uri"} {
			text, _ := entry[member].(string)
			if u, err := url.Parse(text); err == nil && u.Host == old.Host {
				u.Scheme, u.Host = now.Scheme, now.Host
				entry[member] = u.String()
			}
		}
	})
}

// learnLogout implements registrations.
func (f *file) learnLogout(clientID, uri string) {
	f.learn(clientID, "post_logout_redirect_uris", uri, func(map[string]any, *url.URL, *url.URL) {})
}

// learn adds a URI to a list of a client that has the same URI with another port.
func (f *file) learn(clientID, member, uri string, also func(entry map[string]any, old, now *url.URL)) {
	now, err := url.Parse(uri)
	if err != nil || !fields.IsLoopback(now.Hostname()) {
		return
	}
	err = f.change(func() bool {
		entry := f.find(clientID)
		uris, _ := entry[member].([]any)
		if slices.Contains(uris, any(uri)) {
			return false
		}
		for _, one := range uris {
			text, _ := one.(string)
			old, err := url.Parse(text)
			if err == nil && fields.IsLoopback(old.Hostname()) && old.Path == now.Path && old.RawQuery == now.RawQuery {
				entry[member] = append(uris, uri)
				also(entry, old, now)
				return true
			}
		}
		return false
	})
	if err != nil {
		f.p.t.Errorf("portnertest: the redirect URI %s: %v", uri, err)
	}
}

// Patterns of the pages of the stand-ins.
var (
	formPattern     = regexp.MustCompile(`<form id="(login|consent|representation|logout)-form" method="post" action="([^"]*)">\s*<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	choicePattern   = regexp.MustCompile(`<input type="(?:radio|checkbox|hidden)" name="(?:choice|scope)" value="([^"]+)"`)
	framePattern    = regexp.MustCompile(`<iframe src="([^"]*)"`)
	continuePattern = regexp.MustCompile(`id="logout-continue" href="([^"]*)"`)
)

// readPage repeats a page of a stand-in in the header of the response, as the pages of this package do.
func readPage(resp *http.Response) error {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	text := string(body)
	if m := formPattern.FindStringSubmatch(text); m != nil {
		s := shownPage{Step: m[1], Action: html.UnescapeString(m[2]), Field: html.UnescapeString(m[3]), CSRF: html.UnescapeString(m[4])}
		for _, c := range choicePattern.FindAllStringSubmatch(text, -1) {
			s.Choices = append(s.Choices, html.UnescapeString(c[1]))
		}
		s.mark(resp.Header)
	}
	for _, m := range framePattern.FindAllStringSubmatch(text, -1) {
		resp.Header.Add(headerFrame, html.UnescapeString(m[1]))
	}
	if m := continuePattern.FindStringSubmatch(text); m != nil {
		resp.Header.Set(headerNext, html.UnescapeString(m[1]))
	}
	return nil
}
