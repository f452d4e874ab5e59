package compat

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/keyset"
)

// file is the JSON_CONFIG. Its last members are of this program: mock-oauth2-server has none for clients, because it accepts every one.
type file struct {
	InteractiveLogin   *bool           `json:"interactiveLogin"`
	LoginPagePath      string          `json:"loginPagePath"`
	StaticAssetsPath   string          `json:"staticAssetsPath"`
	RotateRefreshToken bool            `json:"rotateRefreshToken"`
	TokenProvider      tokenProvider   `json:"tokenProvider"`
	TokenCallbacks     []tokenCallback `json:"tokenCallbacks"`
	HTTPServer         httpServer      `json:"httpServer"`

	Issuers   []string              `json:"issuers"`
	Clients   []standin.ClientEntry `json:"clients"`
	Audiences []string              `json:"audiences"`
	Lenient   []string              `json:"lenient"`
}

type tokenProvider struct {
	KeyProvider keyProvider `json:"keyProvider"`
	SystemTime  string      `json:"systemTime"`
}

type keyProvider struct {
	InitialKeys string `json:"initialKeys"`
	Algorithm   string `json:"algorithm"`
}

type tokenCallback struct {
	IssuerID        string           `json:"issuerId"`
	TokenExpiry     *int             `json:"tokenExpiry"`
	RequestMappings []requestMapping `json:"requestMappings"`
}

type requestMapping struct {
	RequestParam string         `json:"requestParam"`
	Match        string         `json:"match"`
	Claims       map[string]any `json:"claims"`
	TypeHeader   string         `json:"typeHeader"`
}

// httpServer is a name, or an object with one and the members of TLS.
type httpServer struct {
	Type string
	SSL  bool // an object, perhaps empty
	file bool // the object names a file
}

// UnmarshalJSON decodes either form.
func (h *httpServer) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &h.Type); err == nil {
		return nil
	}
	var object struct {
		Type string `json:"type"`
		SSL  *struct {
			KeyPassword      string `json:"keyPassword"`
			KeystoreFile     string `json:"keystoreFile"`
			KeystoreType     string `json:"keystoreType"`
			KeystorePassword string `json:"keystorePassword"`
		} `json:"ssl"`
	}
	if err := strictjson.Decode(text, &object); err != nil {
		return err
	}
	h.Type, h.SSL = object.Type, object.SSL != nil
	h.file = h.SSL && object.SSL.KeystoreFile != ""
	return nil
}

// Plan is what a JSON_CONFIG says, in the terms of this module.
type Plan struct {
	// Interactive shows a login page. If false, every login succeeds without one.
	Interactive bool
	// Lenient are the switches of the member lenient.
	Lenient []string
	// TLS reports that httpServer has the member ssl: the server needs a certificate.
	TLS bool
	// Warnings name the members that have no effect, with the reason.
	Warnings []string

	rotate    bool
	time      time.Time // of every token; zero for the clock
	algorithm string
	key       *keyset.Key
	issuers   []issuerPlan
	clients   []client.Client
	audiences []string // for which tokens may be exchanged, beside those of mappings
}

// issuerPlan describes one issuer.
type issuerPlan struct {
	id       string
	callback bool // it has request mappings, perhaps none
	mappings []mapping
	expiry   time.Duration
	typed    bool // access tokens have the typ at+jwt
	levels   *acr.Levels
}

// DefaultIssuer is the issuer of a configuration that names none.
const DefaultIssuer = "default"

// defaultExpiry is the lifetime of tokens without tokenExpiry.
const defaultExpiry = time.Hour

// Parse converts a JSON_CONFIG. It rejects unknown members, and those that it cannot serve, and reports every problem at once, with the path of
// the member. Empty text is the configuration of a server without a file.
func Parse(text []byte) (*Plan, error) {
	interactive := true
	f := file{InteractiveLogin: &interactive}
	if len(text) > 0 {
		f.InteractiveLogin = new(bool)
		err := strictjson.Decode(text, &f, strictjson.Also{Type: reflect.TypeFor[standin.ClientEntry](), Members: standin.ClientMembers})
		if err != nil {
			return nil, err
		}
	}
	c := converter{file: &f, plan: &Plan{Lenient: f.Lenient, rotate: f.RotateRefreshToken, audiences: f.Audiences}}
	c.plan.Interactive = f.InteractiveLogin != nil && *f.InteractiveLogin
	c.server()
	c.tokens()
	c.issuers()
	c.clients()
	if _, err := ParseSwitches(f.Lenient...); err != nil {
		c.Add("lenient", err)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return c.plan, nil
}

// converter fills a Plan.
type converter struct {
	fields.Checker
	file *file
	plan *Plan
}

func (c *converter) warn(member, why string) {
	c.plan.Warnings = append(c.plan.Warnings, member+": "+why)
}

// server converts the members about pages and the listener.
func (c *converter) server() {
	if c.file.LoginPagePath != "" {
		c.warn("loginPagePath", "has no effect: the login page of this program has the same fields, username and claims")
	}
	if c.file.StaticAssetsPath != "" {
		c.warn("staticAssetsPath", "has no effect: this program serves no files")
	}
	h := c.file.HTTPServer
	c.Want(h.Type == "" || h.Type == "NettyWrapper" || h.Type == "MockWebServerWrapper", "httpServer", "must be NettyWrapper or MockWebServerWrapper")
	c.Want(!h.file, "httpServer.ssl.keystoreFile",
		"is not supported: convert the keystore with openssl pkcs12 -nodes, and name the certificate and the key with -tls-cert and -tls-key")
	c.plan.TLS = h.SSL
}

// algorithms are those of tokenProvider that this module signs with.
var algorithms = []string{keyset.RS256, keyset.PS256, keyset.ES256}

// tokens converts tokenProvider.
func (c *converter) tokens() {
	p := c.file.TokenProvider
	c.plan.algorithm = cmp.Or(p.KeyProvider.Algorithm, keyset.RS256)
	if !slices.Contains(algorithms, c.plan.algorithm) {
		c.Add("tokenProvider.keyProvider.algorithm", errors.New("must be "+strings.Join(algorithms, ", ")))
		return
	}
	if p.SystemTime != "" {
		at, err := time.Parse(time.RFC3339Nano, p.SystemTime)
		c.Want(err == nil && at.Unix() > 0, "tokenProvider.systemTime", "must be an instant such as 2020-01-21T00:00:00Z")
		c.plan.time = at
		c.warn("tokenProvider.systemTime", "the clock of this program does not move: nothing that it issues expires here")
	}
	if p.KeyProvider.InitialKeys == "" {
		return
	}
	key, err := parseJWK([]byte(p.KeyProvider.InitialKeys), c.plan.algorithm)
	if c.Add("tokenProvider.keyProvider.initialKeys", err); err == nil {
		c.plan.key = &key
	}
}

var issuerID = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)

// endpoints are the paths below an issuer.
var endpoints = []string{
	"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/authorize", "/token", "/jwks", "/endsession", "/revoke",
	"/introspect", "/userinfo", "/login", "/step-up", "/consent", "/representation",
}

// checkIssuerID returns an error for a name that cannot be the path of an issuer.
func checkIssuerID(id string) error {
	if !issuerID.MatchString(id) || len(id) > 200 {
		return errors.New("must be a path of letters, digits and . _ ~ -")
	}
	return nil
}

// issuers converts tokenCallbacks and issuers.
func (c *converter) issuers() {
	known := map[string]bool{}
	add := func(field string, p issuerPlan) {
		c.Add(field, checkIssuerID(p.id))
		c.Want(!known[p.id], field, "is named twice")
		known[p.id] = true
		c.plan.issuers = append(c.plan.issuers, p)
	}
	for i, cb := range c.file.TokenCallbacks {
		at := fmt.Sprintf("tokenCallbacks[%d]", i)
		c.Want(cb.RequestMappings != nil, at+".requestMappings", "is required")
		add(at+".issuerId", c.callback(at, &cb))
	}
	for i, id := range c.file.Issuers {
		add(fmt.Sprintf("issuers[%d]", i), issuerPlan{id: id, expiry: defaultExpiry})
	}
	if len(known) == 0 {
		add("issuers", issuerPlan{id: DefaultIssuer, expiry: defaultExpiry})
	}
}

// callback converts one element of tokenCallbacks.
func (c *converter) callback(at string, cb *tokenCallback) issuerPlan {
	p := issuerPlan{id: cb.IssuerID, callback: true, expiry: defaultExpiry}
	if cb.TokenExpiry != nil {
		c.Want(*cb.TokenExpiry > 0 && *cb.TokenExpiry <= maxExpiry, at+".tokenExpiry", "must be 1 to 31536000 seconds")
		p.expiry = time.Duration(*cb.TokenExpiry) * time.Second
	}
	var levels []string
	for i := range cb.RequestMappings {
		m := &cb.RequestMappings[i]
		at := fmt.Sprintf("%s.requestMappings[%d]", at, i)
		p.mappings = append(p.mappings, c.mapping(at, m))
		typed := strings.EqualFold(m.TypeHeader, "at+jwt")
		c.Want(typed || m.TypeHeader == "" || m.TypeHeader == "JWT", at+".typeHeader",
			"must be JWT, for access tokens without typ, or at+jwt: other kinds of JWT are not issued here")
		c.Want(i == 0 || typed == p.typed, at+".typeHeader", "must be the same in all mappings of an issuer")
		p.typed = typed
		if level, ok := m.Claims["acr"].(string); ok && level != "" {
			levels = append(levels, level)
		}
	}
	var err error
	p.levels, err = levelsOf(levels)
	c.Add(at+".requestMappings", err)
	return p
}

// maxExpiry is a year in seconds.
const maxExpiry = 365 * 24 * 60 * 60

// levelsOf returns the values of acr in the order of their strength at ID-porten, and others in the order of the file. It returns nil for none.
func levelsOf(values []string) (*acr.Levels, error) {
	if len(values) == 0 {
		return nil, nil
	}
	norwegian := acr.IDPortenWithOldNames.Values()
	var all []acr.Level
	for _, v := range values {
		if !slices.ContainsFunc(all, func(l acr.Level) bool { return l.Value == v }) {
			all = append(all, acr.Level{Value: v, Rank: 1 + slices.Index(norwegian, v)})
		}
	}
	return acr.New(all...)
}

// mapping converts one element of requestMappings.
func (c *converter) mapping(at string, m *requestMapping) mapping {
	c.Require(m.RequestParam != "", at+".requestParam")
	c.Require(m.Match != "", at+".match")
	out := mapping{param: m.RequestParam, any: m.Match == "*", exact: m.Match, claims: m.Claims}
	if !out.any {
		var err error
		if out.pattern, err = regexp.Compile(`^(?:` + m.Match + `)$`); err != nil {
			c.Add(at+".match", errors.New("must be \"*\", a text, or a regular expression of the syntax RE2"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Claims)) {
		c.claim(at+".claims."+name, name, m.Claims[name])
	}
	return out
}

// refusedClaims are the claims of the protocol that a mapping may not replace, and where their values come from.
var refusedClaims = map[string]string{
	"iss": "it is the address of the issuer", "exp": "tokenExpiry sets it", "iat": "it is the time of issue", "nbf": "it is the time of issue",
	"jti": "it identifies the token", "auth_time": "it is the time of the login", "nonce": "it is that of the authorization request",
	"sid": "it is that of the session", "scope": "it has the scopes that the client requests and may have",
	"at_hash": "it belongs to the id_token", "c_hash": "it belongs to the id_token", "s_hash": "it belongs to the id_token",
	"cnf": "it binds the token to a key", "act": "it names the actor of an exchange", "may_act": "it names the actor of an exchange",
	"authorization_details": "they are granted by the user", "events": "it belongs to logout tokens",
	"active": "it belongs to introspection", "token_type": "it belongs to introspection", "expires_in": "it belongs to introspection",
	"response_type": "it belongs to authorization requests", "token_introspection": "it belongs to introspection",
}

// claim checks one claim of a mapping.
func (c *converter) claim(at, name string, value any) {
	if why, ok := refusedClaims[name]; ok {
		c.Add(at, errors.New("may not be set: "+why))
		return
	}
	if credential := leaks(value); credential != "" {
		c.Add(at, errors.New("must not contain ${"+credential+"}: it is a credential"))
	}
	text, isText := value.(string)
	switch name {
	case "":
		c.Add(at, errors.New("must have a name"))
	case "sub":
		c.Want(isText && text != "", at, "must be a text")
	case "acr":
		c.Want(isText && text != "" && !placeholder.MatchString(text), at, "must be a text without ${…}: the levels of an issuer are fixed")
	case "aud", "amr":
		list, isList := value.([]any)
		c.Want(isText && text != "" || isList && len(texts(value)) == len(list) && len(list) > 0, at, "must be a text or a list of texts")
	case "client_id", "azp":
		c.Want(text == "${clientId}" || text == "${client_id}", at, "must be ${clientId}: tokens name the client that they are issued to as client_id")
		c.warn(at, "the token has client_id, and no azp")
	}
}

// testEnvironment are the rules for the registrations.
var testEnvironment = client.Environment{Test: true}

// clients converts clients.
func (c *converter) clients() {
	seen := map[string]bool{}
	for i := range c.file.Clients {
		e := &c.file.Clients[i]
		at := fmt.Sprintf("clients[%d]", i)
		c.Want(!seen[e.ClientID], at+".client_id", "occurs twice")
		seen[e.ClientID] = true
		registered, err := c.registration(e)
		if err != nil {
			c.Add(at+".client_secret", errors.New("must be 1 to 512 printable ASCII characters"))
		}
		for _, f := range portner.FieldErrors(registered.Validate(testEnvironment)) {
			c.Add(at+"."+strings.Replace(f.Field, "client_secrets", "client_secret", 1), f.Err)
		}
		c.plan.clients = append(c.plan.clients, registered)
	}
}

// registration returns the client of an entry. A short secret is accepted: it is one of a test, and compared as every other one.
func (c *converter) registration(e *standin.ClientEntry) (client.Client, error) {
	out := e.Client
	if len(out.JWKS) > 0 {
		out.KeysUploadedAt = cmp.Or(c.plan.time, time.Now())
	}
	if out.RefreshTokenUsage == "" && !c.plan.rotate && !out.Public() {
		out.RefreshTokenUsage = client.Reuse
	}
	if e.ClientSecret == "" {
		return out, nil
	}
	secret, err := client.InsecureSecret(e.ClientSecret, time.Time{})
	out.Secrets = []client.Secret{secret}
	return out, err
}
