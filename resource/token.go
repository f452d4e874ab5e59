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
	"github.com/portner-go/portner/storage"
)

// Token is a verified access token. A field whose claim is absent has the zero value. Do not modify a Token: a verifier that
// caches introspection responses returns the same one again.
//
// A Token that is printed, logged or marshalled shows client, organisations and scopes. It does not show the user, the jti or
// authorization_details, which may hold national identity numbers.
type Token struct {
	Issuer    string   // iss, equal to the configured one
	Subject   string   // sub
	ClientID  string   // client_id; not for access control
	ClientAMR string   // client_amr: the method of client authentication, such as private_key_jwt
	Scopes    []string // scope: the granted scopes

	// Consumer is the organisation that legally uses the API. Base access decisions on it, except for a system user: then it
	// is the vendor, and the customer is in [Token.SystemUser].
	Consumer Organisation
	// Supplier is the organisation that sends requests on behalf of the consumer. It is for logs.
	Supplier Organisation
	// DelegationSource is the register that holds the delegation from the consumer to the supplier.
	DelegationSource string

	PID      norway.PID // pid: the person the request is about; [Token.HasUser] reports whether a user logged in
	ACR      string     // acr: the level of assurance of the login
	AMR      []string   // amr: the authentication methods of the login
	AuthTime time.Time  // auth_time: the time of the login

	Audience  []string  // aud, without the value "unspecified" of older ID-porten tokens
	ID        string    // jti
	IssuedAt  time.Time // iat; zero only if the introspection response has none
	ExpiresAt time.Time // exp, without leeway

	// Confirmation is what the token is bound to (cnf), zero for a bearer token. [Verifier.Verify] has checked that the sender of the
	// request has it.
	Confirmation storage.Confirmation
	// DPoPNonce is the value of the header field DPoP-Nonce of the response to this request, "" for none (RFC 9449 §9). [Verifier.Protect]
	// sends it.
	DPoPNonce string

	AuthorizationDetails []Detail // authorization_details (RFC 9396)
	// Introspected reports whether claims came from the introspection endpoint: the token is opaque or pseudonymous.
	Introspected bool

	atJWT      bool // typ is at+jwt: an RFC 9068 token
	clientOnly bool // client_id alone identifies the sender: Config.AllowNoSubject
	claims     jose.Object
}

// Detail is one object of authorization_details.
type Detail struct {
	Type string          // the member "type"
	JSON json.RawMessage // the whole object; it may hold national identity numbers
}

// Claim returns the JSON text of a claim, and whether the token has it. The text may hold national identity numbers.
func (t *Token) Claim(name string) (json.RawMessage, bool) {
	raw, ok := t.claims.Raw(name)
	return json.RawMessage(raw), ok
}

// Claims returns the names of all claims, in the order of the token.
func (t *Token) Claims() []string { return t.claims.Names() }

// HasScope reports whether a scope was granted. It compares whole names.
func (t *Token) HasScope(name string) bool { return slices.Contains(t.Scopes, name) }

// IsMachine reports whether the token was issued without a user: it has no claim of a login (acr, amr, auth_time), and its sub is
// absent or names the client (RFC 9068 §2.2) or the consumer (docs.digdir.no: Skyporten). An introspection response can leave out the sub
// of a user whom the API may not identify (RFC 7662 §2.2): without a sub, it is that of a machine only if it names a consumer.
func (t *Token) IsMachine() bool {
	switch {
	case t.ACR != "", len(t.AMR) > 0, !t.AuthTime.IsZero(), t.Introspected && t.Subject == "" && t.Consumer.ID == "":
		return false
	}
	return t.Subject == "" || t.Subject == t.ClientID ||
		t.Consumer.ID != "" && strings.HasPrefix(t.Subject, t.Consumer.ID+";")
}

// HasUser reports whether a user logged in: the token has sub and acr. RFC 9068 tokens may omit acr: there a sub that does
// not name the client suffices.
func (t *Token) HasUser() bool {
	return t.Subject != "" && (t.ACR != "" || t.atJWT && !t.IsMachine())
}

// Organisation is the consumer or supplier of a token.
type Organisation struct {
	Authority string // the coding of ID: norway.Authority or one of Config.Authorities, otherwise it is not trusted
	ID        string // as in the token, such as "0192:991825827"; "" if the token names no organisation
	// Orgno is the organisation number, nine digits. It is "" unless coding and register are trusted.
	Orgno string
	// SubEntity is the rest of the ID, such as "ER//987464291:1". A sub-entity has fewer rights than its organisation:
	// Rules rejects it unless AllowSubEntities is set.
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
	User      string    `json:"user,omitempty"`
	ExpiresAt time.Time `json:"exp"`
}

func (t Token) view() view {
	v := view{
		Issuer: t.Issuer, ClientID: t.ClientID, ClientAMR: t.ClientAMR, Scope: strings.Join(t.Scopes, " "),
		Consumer: t.Consumer.ID, Supplier: t.Supplier.ID, ACR: t.ACR, ExpiresAt: t.ExpiresAt,
	}
	if t.Subject != "" || !t.PID.IsZero() {
		v.User = redacted
	}
	return v
}

// Format writes the token without the user, for every verb.
func (t Token) Format(f fmt.State, _ rune) {
	b, err := t.MarshalJSON()
	if err != nil {
		b = []byte(redacted)
	}
	_, _ = f.Write(b)
}

// String describes the token without the user.
func (t Token) String() string { return fmt.Sprint(t) }

// MarshalJSON writes the token without the user. The result is for logs: it cannot be unmarshalled.
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(t.view()) }

// LogValue describes the token without the user.
func (t Token) LogValue() slog.Value {
	v := t.view()
	return slog.GroupValue(
		slog.String("iss", v.Issuer), slog.String("client_id", v.ClientID), slog.String("client_amr", v.ClientAMR),
		slog.String("scope", v.Scope), slog.String("consumer", v.Consumer), slog.String("supplier", v.Supplier),
		slog.String("acr", v.ACR), slog.String("user", v.User), slog.Time("exp", v.ExpiresAt),
	)
}
