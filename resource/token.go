package resource

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// Token is what a verified access token says. What it lacks is the zero value. Treat it as read-only: a
// verifier that remembers answers of introspection hands out the same one again.
//
// Printed, logged or marshalled it shows who called and what was granted, never the person, the jti or the
// authorization_details, which may hold national identity numbers.
type Token struct {
	Issuer    string   // iss, equal to the configured one
	Subject   string   // sub: the person, as this issuer calls her towards this client
	ClientID  string   // client_id; not for access control
	ClientAMR string   // client_amr: how the client authenticated, e.g. private_key_jwt
	Scopes    []string // scope: what was granted

	// Consumer is the organisation that legally consumes the API: decide on it. For a system user it is
	// the vendor, and the customer is in [Token.SystemUser].
	Consumer Organisation
	// Supplier is the organisation that technically calls for the consumer: log it.
	Supplier Organisation
	// DelegationSource is who vouches that the consumer let the supplier do so.
	DelegationSource string

	PID      norway.PID // pid: whom the call is about; see [Token.Person] for whether she logged in
	ACR      string     // acr: the level of assurance of the login
	AMR      []string   // amr: how the person logged in
	AuthTime time.Time  // auth_time: when

	Audience  []string  // aud, without ID-porten's former "unspecified" (maskinporten-altinn Q1)
	ID        string    // jti
	IssuedAt  time.Time // iat; zero only if introspection left it out
	ExpiresAt time.Time // exp, without leeway

	AuthorizationDetails []Detail // authorization_details (RFC 9396)
	// Introspected reports whether the issuer was asked: the token is opaque or pseudonymous.
	Introspected bool

	atJWT  bool // typ at+jwt: an RFC 9068 token
	claims jose.Object
}

// Detail is one object of authorization_details.
type Detail struct {
	Type string          // the member "type"
	JSON json.RawMessage // the whole object; it may hold national identity numbers
}

// Claim returns the JSON text of any claim, such as act or may_act of an exchanged token, and whether the
// token has it. The text may hold national identity numbers.
func (t *Token) Claim(name string) (json.RawMessage, bool) {
	raw, ok := t.claims.Raw(name)
	return json.RawMessage(raw), ok
}

// Claims returns the names of all claims, as the token has them.
func (t *Token) Claims() []string { return t.claims.Names() }

// HasScope reports whether a scope was granted: an exact element, never a part of one.
func (t *Token) HasScope(name string) bool { return slices.Contains(t.Scopes, name) }

// Machine reports whether no person stands behind the token: it has neither sub nor acr. Skyporten and RFC
// 9068 put the client itself into sub (maskinporten-altinn section 1.16; RFC 9068 section 2.2).
func (t *Token) Machine() bool {
	if t.ACR != "" {
		return false
	}
	return t.Subject == "" || t.Subject == t.ClientID ||
		t.Consumer.ID != "" && strings.HasPrefix(t.Subject, t.Consumer.ID+";")
}

// Person reports whether a person logged in: the token has sub and acr. For RFC 9068 tokens, whose acr is
// optional, a sub that is not the client's is enough.
func (t *Token) Person() bool {
	return t.Subject != "" && (t.ACR != "" || t.atJWT && !t.Machine())
}

// Organisation is the consumer or supplier of a token.
type Organisation struct {
	Authority string // the coding: norway.Authority, or one that Config.Authorities opts in to
	ID        string // as sent, e.g. "0192:991825827"; "" if the token names no organisation
	// Orgno is the organisation number, nine digits. It is "" unless coding and register are trusted, so
	// that it may be decided on as it is.
	Orgno string
	// SubEntity is the rest of the ID, e.g. "ER//987464291:1" (pilot). A sub-entity is less than its
	// organisation: Rules refuse it unless AllowSubEntities.
	SubEntity string

	optedIn bool // Authority is one of Config.Authorities
}

// trusted reports whether the coding of the organisation is trusted.
func (o Organisation) trusted() bool { return o.Orgno != "" || o.optedIn }

const redacted = "REDACTED"

// view is the printable part of a token.
type view struct {
	Issuer    string    `json:"iss"`
	ClientID  string    `json:"client_id,omitempty"`
	ClientAMR string    `json:"client_amr,omitempty"`
	Scope     string    `json:"scope"`
	Consumer  string    `json:"consumer,omitempty"`
	Supplier  string    `json:"supplier,omitempty"`
	ACR       string    `json:"acr,omitempty"`
	Person    string    `json:"person,omitempty"`
	ExpiresAt time.Time `json:"exp"`
}

func (t Token) view() view {
	v := view{
		Issuer: t.Issuer, ClientID: t.ClientID, ClientAMR: t.ClientAMR, Scope: strings.Join(t.Scopes, " "),
		Consumer: t.Consumer.ID, Supplier: t.Supplier.ID, ACR: t.ACR, ExpiresAt: t.ExpiresAt,
	}
	if t.Subject != "" || !t.PID.IsZero() {
		v.Person = redacted
	}
	return v
}

// Format writes the token without the person, for every verb.
func (t Token) Format(f fmt.State, _ rune) {
	b, err := t.MarshalJSON()
	if err != nil {
		b = []byte(redacted)
	}
	_, _ = f.Write(b)
}

// String describes the token without the person.
func (t Token) String() string { return fmt.Sprint(t) }

// MarshalJSON writes the token without the person. It is no way to pass a token on.
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(t.view()) }

// LogValue describes the token without the person.
func (t Token) LogValue() slog.Value {
	v := t.view()
	return slog.GroupValue(
		slog.String("iss", v.Issuer), slog.String("client_id", v.ClientID), slog.String("client_amr", v.ClientAMR),
		slog.String("scope", v.Scope), slog.String("consumer", v.Consumer), slog.String("supplier", v.Supplier),
		slog.String("acr", v.ACR), slog.String("person", v.Person), slog.Time("exp", v.ExpiresAt),
	)
}
