package altinn

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
)

// Claims of Altinn (docs/spec/altinn.md §3.4 and §3.5).
const (
	claimOrg       = "urn:altinn:org"
	claimOrgNumber = "urn:altinn:orgNumber"
	claimMethod    = "urn:altinn:authenticatemethod"
	claimLevel     = "urn:altinn:authlevel"
	claimUserID    = "urn:altinn:userid"
	claimUsername  = "urn:altinn:username"
	claimPartyID   = "urn:altinn:partyid"
	claimPartyUUID = "urn:altinn:party:uuid"
	claimNameID    = "nameid"
)

// claims are the claims of a new token, as JSON.
type claims map[string]json.RawMessage

// notCopied are the claims that have a meaning in Altinn's tokens, today or earlier. They are not copied from other issuers.
var notCopied = []string{claimNameID, "org", "orgNumber", "AuthenticateMethod", "exp", "iat", "nbf", "iss", "aud", "sid"}

const altinnPrefix = "urn:altinn:"

// copyClaims returns the claims of a token except notCopied and without. Names are compared without regard to case, because some
// readers do.
func copyClaims(t *resource.Token, without ...string) claims {
	c := claims{}
	for _, name := range t.Claims() {
		same := func(other string) bool { return strings.EqualFold(name, other) }
		if slices.ContainsFunc(notCopied, same) || slices.ContainsFunc(without, same) ||
			len(name) >= len(altinnPrefix) && strings.EqualFold(name[:len(altinnPrefix)], altinnPrefix) {
			continue
		}
		c[name], _ = t.Claim(name)
	}
	return c
}

func (c claims) text(name, value string) {
	quoted, err := json.Marshal(value)
	if err != nil { // a string always has a JSON text
		panic(err)
	}
	c.set(name, quoted)
}

func (c claims) number(name string, value int64) { c.set(name, strconv.AppendInt(nil, value, 10)) }

// set sets a claim, and removes one whose name differs by case only: some readers take the last of both.
func (c claims) set(name string, value json.RawMessage) {
	maps.DeleteFunc(c, func(other string, _ json.RawMessage) bool { return strings.EqualFold(other, name) })
	c[name] = value
}

// setCommon sets the claims of every token of the platform.
func (x *exchange) setCommon(c claims) {
	c.text("iss", x.cfg.Issuer)
	c.text("sid", seal.NewUUID())
	if !x.cfg.KeepJTI {
		c.text("jti", seal.NewUUID())
	}
}

// setTimes sets iat, nbf and exp. It rejects an exchanged token that has expired within the leeway of the verifier, if the new token
// would end with it: its exp would be before its iat.
func (c claims) setTimes(l Lifetime, end, now time.Time) error {
	length := l.Length
	if length == 0 {
		length = DefaultLength
	}
	own := now.Add(length)
	switch l.Rule {
	case Fixed:
		end = own
	case Minimum:
		if own.Before(end) {
			end = own
		}
	}
	if end.Unix() <= now.Unix() {
		return unauthorized("token_expired")
	}
	c.number("iat", now.Unix())
	c.number("nbf", now.Unix())
	c.number("exp", end.Unix())
	return nil
}

// maskinportenLevel is the level of every machine token.
const maskinportenLevel = 3

// serviceOwner is the scope of service owners. Their other scopes begin with it and a slash.
const serviceOwner = "altinn:serviceowner"

// maskinportenClaims returns the claims for a Maskinporten token (docs/spec/altinn.md §3.4).
func (x *exchange) maskinportenClaims(t *resource.Token) (claims, error) {
	orgno := t.Consumer.Orgno
	if orgno == "" || t.Consumer.SubEntity != "" { // a sub-entity must not get the rights of its organisation
		return nil, unauthorized("consumer_not_accepted")
	}
	if !t.IsMachine() { // the login of a user at a client of the organisation is not a token of the organisation
		return nil, unauthorized("user_not_allowed")
	}
	if x.r.Header.Get("X-Altinn-EnterpriseUser-Authentication") != "" {
		return nil, errEnterpriseUser
	}
	c := copyClaims(t, "client_amr")
	x.setCommon(c)
	c.text(claimOrgNumber, orgno)
	c.text(claimMethod, "maskinporten")
	c.number(claimLevel, maskinportenLevel)
	code, err := x.serviceOwnerCode(t)
	if err != nil {
		return nil, err
	}
	if code != "" {
		c.text(claimOrg, code)
	}
	return c, nil
}

var errEnterpriseUser = &rejection{
	status: http.StatusGone, reason: "enterprise_user_not_supported", contentType: "application/problem+json",
	body: `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.11","title":"Virksomhetsbruker is no longer available","status":410}`,
}

// The code of Digdir, and that of the test organisation which replaces it with test=true.
const digdir, testOrg = "digdir", "ttd"

// serviceOwnerCode returns the code of the consumer if the token has a scope of service owners, "" otherwise.
func (x *exchange) serviceOwnerCode(t *resource.Token) (string, error) {
	owner := slices.ContainsFunc(t.Scopes, func(s string) bool {
		return s == serviceOwner || strings.HasPrefix(s, serviceOwner+"/")
	})
	if !owner || x.cfg.Organisations == nil {
		return "", nil
	}
	code, err := x.cfg.Organisations.Code(x.r.Context(), t.Consumer.Orgno)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("altinn: finding the code of an organisation: %w", err)
	case code == digdir && strings.EqualFold(x.r.URL.Query().Get("test"), "true"):
		return testOrg, nil
	}
	return code, nil
}

// levels maps acr to the level of Altinn. Other values are rejected.
var levels = map[string]int64{acr.Low: 0, acr.Substantial: 3, acr.High: 4, "Level3": 3, "Level4": 4}

// idPortenClaims returns the claims for an ID-porten token (docs/spec/altinn.md §3.5). The scope is checked first: a token for
// another API is answered with 403 whatever its other claims are.
func (x *exchange) idPortenClaims(t *resource.Token) (claims, error) {
	if !slices.ContainsFunc(t.Scopes, x.acceptsScope) {
		return nil, &rejection{status: http.StatusForbidden, reason: "scope_missing"}
	}
	level, known := levels[t.ACR]
	if t.PID.IsZero() || !known {
		return nil, unauthorized("pid_or_acr_not_accepted")
	}
	u, err := x.cfg.Users.User(x.r.Context(), t.PID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (u.ID <= 0 || u.PartyID <= 0 || u.PartyUUID == "") {
		return nil, unauthorized("user_unknown")
	} else if err != nil {
		return nil, fmt.Errorf("altinn: finding the user: %w", err)
	}
	c := copyClaims(t, "at_hash", "sub")
	x.setCommon(c)
	id, method := strconv.FormatInt(u.ID, 10), "NotDefined"
	if len(t.AMR) > 0 {
		method = t.AMR[0]
	}
	c.text(claimNameID, id)
	c.text(claimUserID, id)
	c.text(claimUsername, u.Username)
	c.number(claimPartyID, u.PartyID)
	c.text(claimPartyUUID, u.PartyUUID)
	c.text(claimMethod, method)
	c.number(claimLevel, level)
	return c, nil
}

func (x *exchange) acceptsScope(scope string) bool {
	return strings.HasPrefix(scope, "altinn:") || slices.Contains(x.cfg.PartnerScopes, scope)
}

// claimApp is the application that a token of Altinn's platform was issued to.
const claimApp = "urn:altinn:app"

// studioClaims returns the claims for a token of Altinn Studio (docs/spec/altinn.md §3.6): all of them, except for the times. Without
// scope and client_id, the claim of the application tells the token from an id_token.
func (x *exchange) studioClaims(t *resource.Token) (claims, error) {
	if _, ok := t.Claim(claimApp); !ok {
		return nil, unauthorized("app_missing")
	}
	c := claims{}
	for _, name := range t.Claims() {
		c[name], _ = t.Claim(name)
	}
	return c, nil
}
