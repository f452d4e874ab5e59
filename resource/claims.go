package resource

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// unspecified is what ID-porten and Maskinporten once wrote into aud when nobody had asked for an audience.
// It counts as absent and is nobody's name (maskinporten-altinn Q1).
const unspecified = "unspecified"

// origin is where claims come from.
type origin struct {
	atJWT        bool // an RFC 9068 token
	introspected bool // an answer of the introspection endpoint, not a token
}

// accept reads claims that are known to come from the issuer and checks those that decide whether the token
// is good at all.
func (i *issuer) accept(claims jose.Object, from origin, now time.Time) (*Token, error) {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if claims.Has(name) { // an id_token, a logout or security event token
			return nil, errNotAccessToken()
		}
	}
	if !from.atJWT && !from.introspected && !i.noScope && !claims.Has("scope") { // an id_token without a nonce
		return nil, errNotAccessToken()
	}
	r := reader{Object: claims}
	t, notBefore, tokenType := i.read(&r), r.time("nbf"), r.text("token_type")
	if r.err != nil {
		return nil, invalid("claims", "A claim of the access token has the wrong type.", r.err)
	}
	t.atJWT, t.Introspected = from.atJWT, from.introspected
	if t.Issuer != i.name && (t.Issuer != "" || !from.introspected) {
		return nil, errIssuer()
	}
	t.Issuer = i.name
	if refusal := bearer(tokenType, claims, from); refusal != nil {
		return nil, refusal
	}
	if refusal := complete(t); refusal != nil {
		return nil, refusal
	}
	if refusal := i.timely(t, notBefore, now); refusal != nil {
		return nil, refusal
	}
	if refusal := i.forUs(t); refusal != nil {
		return nil, refusal
	}
	return t, nil
}

func errNotAccessToken() *RefusalError {
	return invalid("not_access_token", "This is not an access token.", nil)
}

// read takes the claims of maskinporten-altinn section 1.7 and idporten section 7.2.
func (i *issuer) read(r *reader) *Token {
	return &Token{
		Issuer: r.text("iss"), Subject: r.text("sub"), ClientID: r.text("client_id"), ClientAMR: r.text("client_amr"),
		Scopes:   elements(r.text("scope")),
		Consumer: i.organisation(r, "consumer"), Supplier: i.organisation(r, "supplier"), DelegationSource: r.text("delegation_source"),
		PID: r.pid(), ACR: r.text("acr"), AMR: r.texts("amr"), AuthTime: r.time("auth_time"),
		Audience: slices.DeleteFunc(r.texts("aud"), func(aud string) bool { return aud == unspecified }),
		ID:       r.text("jti"), IssuedAt: r.time("iat"), ExpiresAt: r.time("exp"),
		AuthorizationDetails: r.details(), claims: r.Object,
	}
}

// elements splits a scope on spaces, and on nothing else (RFC 6749 section 3.3).
func elements(scope string) []string {
	return slices.DeleteFunc(strings.Split(scope, " "), func(s string) bool { return s == "" })
}

// bearer refuses tokens that are bound to a key of their holder (RFC 9449 section 6, RFC 8705 section 3.1):
// as a bearer token such a token is stolen until the opposite is proved, and no proof is read here. An
// answer of introspection must say Bearer: a refresh token, which its own client may introspect, does not.
func bearer(tokenType string, claims jose.Object, from origin) *RefusalError {
	unsaid := tokenType == "" && !from.introspected
	if claims.Has("cnf") || !unsaid && !strings.EqualFold(tokenType, "Bearer") {
		return invalid("not_bearer", "The access token is not a bearer token.", nil)
	}
	return nil
}

// complete asks for the claims a token of its kind always has.
func complete(t *Token) *RefusalError {
	missing := t.ExpiresAt.IsZero() || t.IssuedAt.IsZero() && !t.Introspected
	if t.atJWT { // RFC 9068 section 2.2
		missing = missing || t.Subject == "" || t.ClientID == "" || t.ID == ""
	}
	if missing {
		return invalid("claims", "A claim of the access token is missing.", nil)
	}
	return nil
}

// timely checks exp, iat and nbf, with leeway for the clocks.
func (i *issuer) timely(t *Token, notBefore, now time.Time) *RefusalError {
	switch {
	case !t.IssuedAt.IsZero() && !t.IssuedAt.Before(t.ExpiresAt): // vector T6
		return invalid("expired", "The access token expires before it was issued.", nil)
	case !now.Before(t.ExpiresAt.Add(i.leeway)):
		return invalid("expired", "The access token has expired.", nil)
	case t.IssuedAt.After(now.Add(i.leeway)), notBefore.After(now.Add(i.leeway)):
		return invalid("not_yet", "The access token is not valid yet.", nil)
	}
	return nil
}

// forUs checks the audience. A foreign one is refused whether or not an audience is required: the client
// asked for a token that opens another API.
func (i *issuer) forUs(t *Token) *RefusalError {
	if len(t.Audience) == 0 {
		if i.requireAudience || t.atJWT {
			return invalid("aud_missing", "The access token names no audience.", nil)
		}
		return nil
	}
	for _, aud := range t.Audience {
		if slices.Contains(i.audience, aud) {
			return nil
		}
	}
	return invalid("aud_foreign", "The access token is for another audience.", nil)
}

// organisation reads consumer or supplier. The names of the members are read in any case (Q17); which
// codings are trusted is the Config's.
func (i *issuer) organisation(r *reader, claim string) Organisation {
	o, ok := r.object(claim)
	if !ok {
		return Organisation{}
	}
	id, err := identifier(o)
	if err != nil {
		r.fail(err)
		return Organisation{}
	}
	return i.trust(id)
}

// identifier reads {"authority": …, "ID": …}.
func identifier(o jose.Object) (norway.Identifier, error) {
	var id norway.Identifier
	for _, name := range o.Names() {
		var err error
		switch {
		case strings.EqualFold(name, "authority"):
			id.Authority, err = o.String(name)
		case strings.EqualFold(name, "id"):
			id.ID, err = o.String(name)
		}
		if err != nil {
			return id, err
		}
	}
	if id.ID == "" {
		return id, errors.New("organisation without an ID")
	}
	return id, nil
}

// Registers of organisation numbers that need an opt-in: a legacy code of the Norwegian one (Q18), and
// its name in a certificate's organizationIdentifier (ETSI EN 319 412-1 section 5.1.4).
const (
	legacyRegister = "9908:"
	etsiRegister   = "NTRNO-"
)

// trust finds the organisation number of an identifier, if there is one to trust.
func (i *issuer) trust(id norway.Identifier) Organisation {
	o := Organisation{Authority: id.Authority, ID: id.ID}
	if rest, ok := strings.CutPrefix(id.ID, legacyRegister); ok && i.legacyRegister {
		id.ID = norway.OrgIdentifier(rest).ID
	}
	if slices.Contains(i.authorities, id.Authority) && id.Authority != norway.Authority {
		o.optedIn = true
		if number, ok := strings.CutPrefix(id.ID, etsiRegister); ok {
			o.Orgno, _ = norway.OrgIdentifier(number).Orgno()
		}
		return o
	}
	var ok bool
	if o.Orgno, ok = id.Orgno(); !ok {
		o.Orgno = ""
		return o
	}
	if parts := strings.SplitN(id.ID, ":", 3); len(parts) == 3 {
		o.SubEntity = parts[2]
	}
	return o
}

// reader reads claims of the right type and remembers the first that is not. An absent claim is zero.
type reader struct {
	jose.Object
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil && err != nil && !errors.Is(err, jose.ErrAbsent) {
		r.err = err
	}
}

func (r *reader) text(name string) string {
	s, err := r.OptionalString(name)
	r.fail(err)
	return s
}

// texts reads an array of strings or a single one (aud; amr of the old platform).
func (r *reader) texts(name string) []string {
	if r.Kind(name) == jose.KindString {
		return []string{r.text(name)}
	}
	list, err := r.Strings(name)
	r.fail(err)
	return list
}

// time reads a NumericDate in whole seconds.
func (r *reader) time(name string) time.Time {
	n, err := r.Int(name)
	r.fail(err)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

func (r *reader) pid() norway.PID {
	digits := r.text("pid")
	if digits == "" {
		return norway.PID{}
	}
	pid, err := norway.ParsePID(digits)
	r.fail(err)
	return pid
}

func (r *reader) object(name string) (jose.Object, bool) {
	o, err := r.Object.Object(name)
	r.fail(err)
	return o, err == nil
}

// details reads authorization_details: an array, or the bare object that Altinn's documents show (Q12).
func (r *reader) details() []Detail {
	raw, ok := r.Raw("authorization_details")
	if !ok {
		return nil
	}
	list := []json.RawMessage{json.RawMessage(raw)}
	if r.Kind("authorization_details") != jose.KindObject {
		if err := json.Unmarshal([]byte(raw), &list); err != nil { // strictly parsed before, so this only cuts it
			r.fail(jose.ErrType)
			return nil
		}
	}
	details := make([]Detail, 0, len(list))
	for _, element := range list {
		o, err := jose.ParseObject(element)
		r.fail(err)
		d := Detail{JSON: element}
		d.Type, err = o.String("type")
		if err != nil { // RFC 9396 section 2: type is required
			r.fail(jose.ErrType)
		}
		details = append(details, d)
	}
	return details
}
