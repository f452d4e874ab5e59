package altinn

import (
	"encoding/json"
	"errors"
	"fmt"
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

// The claims of Altinn's own (maskinporten-altinn sections 3.4 and 3.5).
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

// claims are those of a new token, as JSON.
type claims map[string]json.RawMessage

// notCopied are claims that mean something here, whatever an issuer may mean by them: Altinn's of today and,
// where its older tokens are read, of before (section 3.7).
var notCopied = []string{claimNameID, "org", "orgNumber", "AuthenticateMethod", "exp", "iat", "nbf", "iss", "aud", "sid"}

const altinnPrefix = "urn:altinn:"

// copied takes over the claims of a token but those named, in whatever case: readers differ in what they take
// for the same name.
func copied(t *resource.Token, without ...string) claims {
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
	c[name] = quoted
}

func (c claims) number(name string, value int64) { c[name] = strconv.AppendInt(nil, value, 10) }

// own adds what every token of the platform has.
func (x *exchange) own(c claims) {
	c.text("iss", x.cfg.Issuer)
	c.text("sid", seal.NewUUID())
	if !x.cfg.KeepJTI {
		c.text("jti", seal.NewUUID())
	}
}

// setTimes sets iat, nbf and exp.
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
		if end.Unix() <= now.Unix() { // expired within the clocks' leeway: nothing is left
			return unauthorized("expired")
		}
	}
	c.number("iat", now.Unix())
	c.number("nbf", now.Unix())
	c.number("exp", end.Unix())
	return nil
}

// maskinportenLevel is the level of every machine (seed 002).
const maskinportenLevel = 3

// serviceOwner is the scope of service owners; others begin with it and a slash.
const serviceOwner = "altinn:serviceowner"

// ofMaskinporten is section 3.4.
func (x *exchange) ofMaskinporten(t *resource.Token) (claims, error) {
	orgno := t.Consumer.Orgno
	if orgno == "" || t.Consumer.SubEntity != "" { // a part of an organisation must not become all of it
		return nil, unauthorized("consumer")
	}
	if !t.IsMachine() { // a login at a client of the organisation does not speak for it
		return nil, unauthorized("person")
	}
	if x.r.Header.Get("X-Altinn-EnterpriseUser-Authentication") != "" {
		return nil, errEnterpriseUser
	}
	c := copied(t, "client_amr")
	x.own(c)
	c.text(claimOrgNumber, orgno)
	c.text(claimMethod, "maskinporten")
	c.number(claimLevel, maskinportenLevel)
	code, err := x.code(t)
	if err != nil {
		return nil, err
	}
	if code != "" {
		c.text(claimOrg, code)
	}
	return c, nil
}

var errEnterpriseUser = &refusal{
	status: http.StatusGone, reason: "enterprise_user", kind: "application/problem+json",
	body: `{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.11","title":"Virksomhetsbruker is no longer available","status":410}`,
}

// The code of Digdir, and of the test organisation it may be in tests (vector X4).
const digdir, testOrg = "digdir", "ttd"

// code is the code of the service owner a token is for, "" if it is for none.
func (x *exchange) code(t *resource.Token) (string, error) {
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
		return "", fmt.Errorf("altinn: looking up an organisation: %w", err)
	case code == digdir && strings.EqualFold(x.r.URL.Query().Get("test"), "true"):
		return testOrg, nil
	}
	return code, nil
}

// levels are the levels of acr. Altinn takes the last character of any other; that would make "l" of
// selfregistered-email.
var levels = map[string]int64{acr.Low: 0, acr.Substantial: 3, acr.High: 4, "Level3": 3, "Level4": 4}

// ofIDPorten is section 3.5: scope before person and level, so that a token for somebody else's API is
// answered 403 whatever it holds.
func (x *exchange) ofIDPorten(t *resource.Token) (claims, error) {
	if !slices.ContainsFunc(t.Scopes, x.accepted) {
		return nil, &refusal{status: http.StatusForbidden, reason: "scope"}
	}
	level, known := levels[t.ACR]
	if t.PID.IsZero() || !known {
		return nil, unauthorized("pid_or_acr")
	}
	u, err := x.cfg.Users.User(x.r.Context(), t.PID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && (u.ID <= 0 || u.PartyID <= 0 || u.PartyUUID == "") {
		return nil, unauthorized("user_unknown")
	} else if err != nil {
		return nil, fmt.Errorf("altinn: looking up a person: %w", err)
	}
	c := copied(t, "at_hash", "sub")
	x.own(c)
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

func (x *exchange) accepted(scope string) bool {
	return strings.HasPrefix(scope, "altinn:") || slices.Contains(x.cfg.PartnerScopes, scope)
}

// ofStudio is section 3.6: everything stays, iss and aud too; only the times are new.
func (x *exchange) ofStudio(t *resource.Token) (claims, error) {
	c := claims{}
	for _, name := range t.Claims() {
		c[name], _ = t.Claim(name)
	}
	return c, nil
}
