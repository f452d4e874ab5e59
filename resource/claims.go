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

// unspecified is the value of aud in older tokens of ID-porten and Maskinporten without a requested audience. It is treated as
// absent.
const unspecified = "unspecified"

// origin is the source of claims.
type origin struct {
	atJWT        bool // an RFC 9068 token
	introspected bool // an introspection response, not a token
}

// accept reads authenticated claims of the issuer and checks that they are those of a valid access token for this API.
func (i *issuer) accept(claims jose.Object, from origin, now time.Time) (*Token, error) {
	if from.introspected && jose.AccessToken.CheckForbidden(claims) != nil { // jose.Verify has checked those of a JWT
		return nil, errNotAccessToken()
	}
	if !from.atJWT && !from.introspected && !i.noScope && !claims.Has("scope") { // an id_token without a nonce
		return nil, errNotAccessToken()
	}
	r := reader{Object: claims}
	t, notBefore, tokenType := i.read(&r), r.time("nbf"), r.text("token_type")
	bound, supported := r.confirmation()
	if r.err != nil {
		return nil, invalid("claim_invalid", "A claim of the access token has the wrong type.", r.err)
	}
	if !supported {
		return nil, errBound()
	}
	t.Confirmation, t.atJWT, t.Introspected = bound, from.atJWT, from.introspected
	t.clientOnly = i.noSubject && from.atJWT
	if t.Issuer != i.name && (t.Issuer != "" || !from.introspected) {
		return nil, errIssuer()
	}
	t.Issuer = i.name
	for _, rejection := range []*Error{
		checkTokenType(tokenType, bound, from), i.checkRequired(t), i.checkTimes(t, notBefore, now), i.checkAudience(t),
	} {
		if rejection != nil {
			return nil, rejection
		}
	}
	return t, nil
}

func errNotAccessToken() *Error {
	return invalid("token_type_mismatch", "This is not an access token.", nil)
}

func (i *issuer) read(r *reader) *Token {
	return &Token{
		Issuer: r.text("iss"), Subject: r.text("sub"), ClientID: r.text("client_id"), ClientAMR: r.text("client_amr"),
		Scopes:   r.scopes(),
		Consumer: i.organisation(r, "consumer"), Supplier: i.organisation(r, "supplier"), DelegationSource: r.text("delegation_source"),
		PID: r.pid(), ACR: r.text("acr"), AMR: r.texts("amr"), AuthTime: r.time("auth_time"),
		Audience: slices.DeleteFunc(r.texts("aud"), func(aud string) bool { return aud == unspecified }),
		ID:       r.text("jti"), IssuedAt: r.time("iat"), ExpiresAt: r.time("exp"),
		AuthorizationDetails: r.details(), claims: r.Object,
	}
}

// elements splits a scope at spaces only (RFC 6749 §3.3).
func elements(scope string) []string {
	return slices.DeleteFunc(strings.Split(scope, " "), func(s string) bool { return s == "" })
}

// checkRequired checks that the claims every token of its kind has are present.
func (i *issuer) checkRequired(t *Token) *Error {
	switch {
	case t.ExpiresAt.IsZero():
		return missing("exp")
	case t.IssuedAt.IsZero() && !t.Introspected:
		return missing("iat")
	case !t.atJWT: // RFC 9068 §2.2 requires the others
	case t.Subject == "" && !i.noSubject:
		return missing("sub")
	case t.ClientID == "":
		return missing("client_id")
	case t.ID == "":
		return missing("jti")
	}
	return nil
}

func missing(claim string) *Error {
	return invalid("claim_missing", "The access token has no "+claim+".", nil)
}

// checkTimes checks exp, iat and nbf, with leeway.
func (i *issuer) checkTimes(t *Token, notBefore, now time.Time) *Error {
	switch {
	case !t.IssuedAt.IsZero() && !t.IssuedAt.Before(t.ExpiresAt):
		return invalid("token_expired", "The access token expires before it was issued.", nil)
	case !now.Before(t.ExpiresAt.Add(i.leeway)):
		return invalid("token_expired", "The access token has expired.", nil)
	case t.IssuedAt.After(now.Add(i.leeway)), notBefore.After(now.Add(i.leeway)):
		return invalid("token_not_yet_valid", "The access token is not valid yet.", nil)
	}
	return nil
}

// checkAudience rejects a foreign audience even if none is required: the client requested the token for another API.
func (i *issuer) checkAudience(t *Token) *Error {
	if len(t.Audience) == 0 {
		if i.requireAudience || t.atJWT {
			return invalid("audience_missing", "The access token names no audience.", nil)
		}
		return nil
	}
	for _, aud := range t.Audience {
		if slices.Contains(i.audience, aud) {
			return nil
		}
	}
	return invalid("audience_mismatch", "The access token is for another audience.", nil)
}

// organisation reads consumer or supplier. The names of its members are matched without regard to case: issuers write both
// "authority" and "Authority".
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

// Prefixes of Norwegian organisation numbers that are accepted only if Config says so.
const (
	legacyRegister = "9908:"  // the former code of the Norwegian register
	etsiRegister   = "NTRNO-" // ETSI EN 319 412-1 §5.1.4: organizationIdentifier of a certificate
)

// trust returns the organisation of an identifier. Its Orgno is set if coding and register are trusted.
func (i *issuer) trust(id norway.Identifier) Organisation {
	o := Organisation{Authority: id.Authority, ID: id.ID}
	if rest, ok := strings.CutPrefix(id.ID, legacyRegister); ok && i.legacyRegister {
		id.ID = norway.OrgIdentifier(rest).ID
	}
	if slices.Contains(i.authorities, id.Authority) && id.Authority != norway.Authority {
		o.optedIn = true
		if number, ok := strings.CutPrefix(id.ID, etsiRegister); ok {
			o.Orgno, _ = norway.OrgIdentifier(number).Number()
		}
		return o
	}
	var ok bool
	if o.Orgno, ok = id.Number(); !ok {
		o.Orgno = ""
		return o
	}
	if parts := strings.SplitN(id.ID, ":", 3); len(parts) == 3 {
		o.SubEntity = parts[2]
	}
	return o
}

// reader reads claims and keeps the first error. An absent claim is the zero value.
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

// texts reads an array of strings or a single string: aud, and amr of older ID-porten tokens.
func (r *reader) texts(name string) []string {
	if r.Kind(name) == jose.KindString {
		return []string{r.text(name)}
	}
	list, err := r.Strings(name)
	r.fail(err)
	return list
}

// time reads a NumericDate.
func (r *reader) time(name string) time.Time {
	n, err := r.NumericDate(name)
	r.fail(err)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// scopes reads scope: names with spaces between them (RFC 9068 §2.2.3), or an array of names as in tokens of HelseID.
func (r *reader) scopes() []string {
	if r.Kind("scope") != jose.KindArray {
		return elements(r.text("scope"))
	}
	names := r.texts("scope")
	for _, name := range names {
		if name == "" || strings.Contains(name, " ") {
			r.fail(jose.ErrType)
		}
	}
	return names
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

// details reads authorization_details: an array (RFC 9396 §2), or a single object as in Altinn's documentation.
func (r *reader) details() []Detail {
	raw, ok := r.Raw("authorization_details")
	if !ok {
		return nil
	}
	list := []json.RawMessage{json.RawMessage(raw)}
	if r.Kind("authorization_details") != jose.KindObject {
		if err := json.Unmarshal([]byte(raw), &list); err != nil { // the claims were parsed strictly before
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
		if err != nil { // RFC 9396 §2: type is required
			r.fail(jose.ErrType)
		}
		details = append(details, d)
	}
	return details
}
