package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/requested"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Kind is the kind of a document.
type Kind int

// The documents that hold claims about a user or a grant.
const (
	IDToken       Kind = iota + 1 // id_token (OIDC Core §2)
	AccessToken                   // self-contained access token (RFC 9068)
	Introspection                 // introspection response for an access token (RFC 7662 §2.2)
	UserInfo                      // userinfo response (OIDC Core §5.3.2)
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case IDToken:
		return "id_token"
	case AccessToken:
		return "access token"
	case Introspection:
		return "introspection response"
	case UserInfo:
		return "userinfo response"
	}
	return "unknown document"
}

// ClaimsFunc adds claims to a document. It runs whenever a document is made: at issue for tokens, at each request for
// introspection and userinfo. An error is a fault: the response is 503, and no code or token is consumed.
type ClaimsFunc func(ctx context.Context, d *Document) error

// Document is a set of claims that is being made. A ClaimsFunc adds claims to it and does not keep it: the value is used
// again for other documents.
type Document struct {
	// Kind is the kind of the document.
	Kind Kind
	// Client is the client of the grant.
	Client *client.Client
	// Grant is the grant of the token. It is never nil.
	Grant *storage.Grant
	// Scopes are those of the token.
	Scopes []string
	// ClientAMR is how the client authenticated when it received the token.
	ClientAMR string
	// Confirmation is what the token is bound to. It is zero for a bearer token.
	Confirmation storage.Confirmation
	// Identity is the user of the grant. It is never nil, and zero for machine grants and in a pseudonymous document.
	Identity *session.Identity
	// User is what Config.Users returned in this request. In a pseudonymous document identifying claims are removed, and those of
	// Config.ScopeClaims.
	User User
	// AuthorizationDetails are the authorization_details of the token, which the document may contain; nil for userinfo.
	AuthorizationDetails json.RawMessage
	// Pseudonymous reports whether the document must not contain identifying claims.
	Pseudonymous bool
	// Now is the instant of the request.
	Now time.Time

	source    scope.Source
	requested *requested.Claims // of the grant, once decoded
	out       *buffer
	names     []string // of the claims that were set
	err       error    // the first one
	grant     storage.Grant
	identity  session.Identity
}

// Format writes "REDACTED" for every verb.
func (Document) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Document) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Set adds a claim with any value that encodes to JSON. It leaves out a value that encodes to null. A name that the protocol
// registers, a name that was set before, or a value that does not encode makes the whole document fail with an error that
// names the claim. In a pseudonymous document identifying claims are left out, also inside objects and arrays.
func (d *Document) Set(name string, value any) {
	if value == nil || !d.accepts(name) {
		return
	}
	end := len(d.out.buf)
	d.out.openMember(name)
	start := len(d.out.buf)
	err := d.out.add(value)
	if err == nil && d.Pseudonymous {
		err = d.out.stripValue(start)
	}
	if err != nil {
		d.fail(name, err)
		return
	}
	if bytes.Equal(d.out.bytes()[start:], null) {
		d.out.buf = d.out.buf[:end-1]
	}
	d.out.closeObject()
}

var null = []byte("null")

// SetString is Set for a string. It leaves out an empty value and does not allocate.
func (d *Document) SetString(name, value string) {
	if value == "" || !d.accepts(name) {
		return
	}
	d.out.openMember(name)
	d.out.string(value)
	d.out.closeObject()
}

// HasScope reports whether the token has the scope.
func (d *Document) HasScope(name string) bool { return slices.Contains(d.Scopes, name) }

// MayHave reports whether the client may have the claims of a scope: the token has the scope, or the scope is not part of the grant
// and the client can be granted it without an answer or a new login of the user. It is false for a scope that the user declined, and
// for one that the token request left out. A ClaimsFunc that adds requested claims calls it for the scope of each claim.
func (d *Document) MayHave(name string) bool {
	if d.HasScope(name) || slices.Contains(d.Grant.Scopes, name) {
		return d.HasScope(name)
	}
	plan, err := scope.Evaluate(scope.Request{Requested: []string{name}, Client: d.Client.ScopeClient(), Scopes: d.source})
	return err == nil && len(plan.NeedsConsent) == 0 && !plan.NeedsFreshLogin
}

// Requested reports whether the claims parameter of the authorization request names a claim for this kind of document (OIDC
// Core §5.5). It returns false in profiles that ignore the parameter. It does not tell whether the client may have the claim: see
// MayHave.
func (d *Document) Requested(name string) bool {
	if len(d.Grant.Claims) == 0 {
		return false
	}
	if d.requested == nil {
		c, err := requested.Decode(d.Grant.Claims)
		if err != nil && d.err == nil {
			d.err = err
		}
		d.requested = &c
	}
	switch d.Kind {
	case IDToken:
		return slices.Contains(d.requested.IDToken, name)
	case UserInfo:
		return slices.Contains(d.requested.UserInfo, name)
	}
	return false
}

// accepts reports whether a claim may be written, and records its name.
func (d *Document) accepts(name string) bool {
	switch {
	case d.err != nil:
		return false
	case reserved(d.Kind, name):
		d.fail(name, errReserved)
		return false
	case d.Has(name):
		d.fail(name, errRepeated)
		return false
	}
	d.names = append(d.names, name)
	return !d.Pseudonymous || !pseudonym.Identifying(name)
}

// Has reports whether a claim was added, also if it was withheld because the token is pseudonymous. Adding it again is an error. Names are
// compared without regard to case.
func (d *Document) Has(name string) bool { return hasName(d.names, name) }

func (d *Document) fail(name string, err error) { d.err = fmt.Errorf("claim %q: %w", name, err) }

var (
	errReserved = errors.New("the name is reserved for the protocol")
	errRepeated = errors.New("the claim is set twice")
)

// reservedNames are the claims of the protocol. Those of introspectionNames are reserved in introspection responses only (RFC 7662 §2.2).
var (
	reservedNames = []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "acr", "amr", "auth_time", "nonce", "sid", "azp", "at_hash", "c_hash",
		"s_hash", "cnf", "act", "may_act", "authorization_details", "events", "response_type", "token_introspection",
	}
	introspectionNames = []string{"active", "token_type", "expires_in"}
)

// reserved reports whether the name of a claim belongs to the protocol, in documents of this kind, also in another case.
func reserved(k Kind, name string) bool {
	return name == "" || hasName(reservedNames, name) || k == Introspection && hasName(introspectionNames, name)
}

// hasName reports whether a list has a name. Names are compared without regard to case, because encoding/json and other readers do.
func hasName(list []string, name string) bool {
	for _, one := range list {
		if mayFold(one, name) && strings.EqualFold(one, name) {
			return true
		}
	}
	return false
}

// mayFold is false for most names that strings.EqualFold tells apart: it compares the first bytes, if both are ASCII.
func mayFold(a, b string) bool {
	return a == "" || b == "" || a[0]|0x20 == b[0]|0x20 || a[0] >= utf8.RuneSelf || b[0] >= utf8.RuneSelf
}

// stripValue removes identifying members from the JSON value that starts at start.
func (b *buffer) stripValue(start int) error {
	text := b.bytes()[start:]
	if text[0] != '{' && text[0] != '[' {
		return nil
	}
	value, err := withoutIdentifying(text)
	if err != nil {
		return err
	}
	clear(text) // what is left out does not stay behind the end of the text
	b.buf = b.buf[:start]
	return b.add(value)
}

// withoutIdentifying returns a JSON value without identifying members.
func withoutIdentifying(text []byte) (any, error) {
	claims := map[string]any{"value": json.RawMessage(text)}
	err := pseudonym.Strip(claims)
	return claims["value"], err
}

var documents = sync.Pool{New: func() any { return &Document{} }}

// addClaims adds the claims of the functions to the JSON object at the end of out and checks the final bytes.
func (m *Minter) addClaims(ctx context.Context, out *buffer, k Kind, s *facts, scopes []string) error {
	if len(m.cfg.Claims) > 0 || k == UserInfo && len(m.cfg.ScopeClaims) > 0 {
		d := documents.Get().(*Document)
		d.begin(out, k, s, scopes, m.cfg.ScopeClaims)
		d.source = m.cfg.Scopes
		err := d.run(ctx, m.cfg)
		d.end()
		if err != nil {
			return fmt.Errorf("token: claims of the %s: %w: %v", k, portner.ErrUnavailable, err)
		}
	}
	return s.checkLeak(out.bytes())
}

// begin sets the fields from copies, so that s does not escape to the heap.
func (d *Document) begin(out *buffer, k Kind, s *facts, scopes []string, scopeClaims map[string][]string) {
	*d = Document{
		Kind: k, Client: s.client, Scopes: scopes, ClientAMR: s.clientAMR, Confirmation: s.confirmation, User: s.user, Pseudonymous: s.pseudonymous, Now: s.now,
		AuthorizationDetails: s.disclosedDetails(), out: out, names: d.names[:0], grant: s.grant,
	}
	d.Grant, d.Identity = &d.grant, &d.identity
	if s.pseudonymous {
		d.User.Claims = pseudonymousClaims(s.user.Claims, scopeClaims)
		return
	}
	d.identity = s.identity
}

// run adds the claims of the scopes, then those of the functions. A panic of a function becomes an error.
func (d *Document) run(ctx context.Context, cfg *Config) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a claims function panicked with a %T", v) // the value may hold anything
		}
	}()
	if d.Kind == UserInfo && !d.Pseudonymous {
		d.setScopeClaims(cfg.ScopeClaims)
	}
	for _, f := range cfg.Claims {
		if err := f(ctx, d); err != nil {
			return err
		}
	}
	return d.err
}

// setScopeClaims adds the claims of the user that Config.ScopeClaims maps the scopes of the token to (OIDC Core §5.4).
func (d *Document) setScopeClaims(claims map[string][]string) {
	for _, s := range d.Scopes {
		for _, name := range claims[s] {
			if value, ok := d.User.Claims[name]; ok && value != "" && !d.Has(name) {
				d.Set(name, value)
			}
		}
	}
}

// end removes the identity from the document and returns it to the pool.
func (d *Document) end() {
	clear(d.names)
	*d = Document{names: d.names[:0]}
	documents.Put(d)
}

// pseudonymousClaims returns claims without those that identify the user, and without those of a scope: userinfo has them in open
// documents, where a client would find the user by them. A value that cannot be inspected is replaced by its JSON, decoded; one that
// does not encode is left out.
func pseudonymousClaims(claims map[string]any, scopeClaims map[string][]string) map[string]any {
	if len(claims) == 0 {
		return nil
	}
	kept := make(map[string]any, len(claims))
	for name, value := range claims {
		if isScopeClaim(name, scopeClaims) {
			continue
		}
		one := map[string]any{name: value}
		if pseudonym.Strip(one) != nil {
			text, err := json.Marshal(value)
			if err != nil {
				continue
			}
			if one[name], err = withoutIdentifying(text); err != nil {
				continue
			}
		}
		maps.Copy(kept, one) // empty if the name identifies the user
	}
	return kept
}

func isScopeClaim(name string, scopeClaims map[string][]string) bool {
	for _, names := range scopeClaims {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// errLeak reports that the final bytes of a pseudonymous document contained an identifier of the user.
var errLeak = fmt.Errorf("token: a pseudonymous document contains an identifier: %w", portner.ServerError)
