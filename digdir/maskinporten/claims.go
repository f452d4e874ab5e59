package maskinporten

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// The limits of an assertion (maskinporten-altinn section 1.4; security section 0.6).
const (
	maxLifetime = 120 // seconds from iat to exp, exactly 120 included
	skew        = 10 * time.Second
	maxJTI      = 128
	maxResource = 2048
	maxAudience = 10 // resources of one token
)

// claims are the payload of an assertion whose signature was verified.
type claims struct {
	jti         string // "" if it has none
	exp         time.Time
	scope       string
	resources   []string
	pid         norway.PID
	consumerOrg string // "" if the client speaks for its own organisation
	details     string // JSON, "" if it has none
}

// readClaims reads the claims of a client's assertion and takes steps 8 and 9 of section 1.5.
func (g *grant) readClaims(ctx context.Context, x *request, payload []byte) (*claims, error) {
	o, err := jose.ParseObject(payload)
	if err != nil {
		return nil, refuse(mp011, "claims")
	}
	if err := g.checkAudience(ctx, x, o); err != nil {
		return nil, err
	}
	c := &claims{}
	if c.exp, err = g.checkTimes(o, x.now); err != nil {
		return nil, err
	}
	for _, step := range []func(jose.Object) error{c.readIdentity(x.client), c.readScope, c.readResource, c.readPID, c.readConsumer} {
		if err := step(o); err != nil {
			return nil, err
		}
	}
	c.details, _ = o.Raw("authorization_details")
	return c, g.checkProfile(c)
}

// checkProfile makes demands that are options.
func (g *grant) checkProfile(c *claims) error {
	switch {
	case g.cfg.RequireJTI && c.jti == "":
		return refuse(mp011, "jti_missing")
	case g.cfg.Skyporten && len(c.resources) == 0:
		return refuse(mp011, "resource_missing")
	}
	return nil
}

// checkAudience: a JSON string equal to the issuer. An array would let an assertion for us be one for
// somebody else too (security decision K4, row E8; Q3).
func (g *grant) checkAudience(ctx context.Context, x *request, o jose.Object) error {
	aud, err := o.String("aud")
	if err != nil {
		return g.badAudience()
	}
	tokenEndpoint := g.cfg.AllowTokenEndpointAudience || x.client.AllowTokenEndpointAudience
	switch {
	case aud == g.cfg.Issuer:
		return nil
	case g.cfg.AllowSlashMismatch && strings.TrimSuffix(aud, "/") == strings.TrimSuffix(g.cfg.Issuer, "/"):
		g.report(ctx, x, portner.EventLegacyAudience, "slash")
		return nil
	case tokenEndpoint && aud == g.cfg.endpoint("token"):
		g.report(ctx, x, portner.EventLegacyAudience, "token_endpoint")
		return nil
	}
	return g.badAudience()
}

func (g *grant) badAudience() error {
	r := failed(mp110, portner.EventAssertionAudience, "assertion_aud")
	if g.cfg.Skyporten {
		r.row.number = "" // section 1.12: Skyporten prints the text without the number
	}
	return r
}

// checkTimes checks iat, exp, nbf and the lifetime. It returns when the assertion stops being accepted,
// but for the tolerance. Times are whole seconds (security row E11).
func (g *grant) checkTimes(o jose.Object, now time.Time) (time.Time, error) {
	iat, err1 := o.Int("iat")
	exp, err2 := o.Int("exp")
	nbf, err3 := o.Int("nbf")
	if errors.Is(err3, jose.ErrAbsent) {
		nbf, err3 = 0, nil
	}
	issued, expires := time.Unix(iat, 0), time.Unix(exp, 0)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return expires, refuse(mp011, "times")
	case issued.After(now.Add(skew)), g.cfg.StrictIssuedAt && !issued.Before(now.Add(skew)):
		return expires, refuse(afterNow, "iat_future")
	case !now.Before(expires.Add(skew)):
		return expires, refuse(mp130, "expired")
	case exp <= iat || exp-iat > maxLifetime:
		return expires, refuse(tooLong, "lifetime")
	case time.Unix(nbf, 0).After(now.Add(skew)):
		return expires, refuse(notYet, "nbf_future")
	case g.cfg.StrictIssuedAt && !now.Before(issued.Add(skew)):
		return expires, refuse(tooOld, "iat_past")
	}
	return expires, nil
}

// readIdentity reads sub, which may only repeat iss, and jti.
func (c *claims) readIdentity(registered *client.Client) func(jose.Object) error {
	return func(o jose.Object) error {
		sub, err := o.OptionalString("sub")
		if err != nil || o.Has("sub") && sub != registered.ClientID {
			return refuse(mp011, "sub")
		}
		c.jti, err = o.OptionalString("jti")
		if err != nil || o.Has("jti") && (c.jti == "" || len(c.jti) > maxJTI) {
			return refuse(mp011, "jti")
		}
		return nil
	}
}

func (c *claims) readScope(o jose.Object) error {
	var err error
	if c.scope, err = o.String("scope"); err != nil || c.scope == "" {
		return refuse(mp011, "scope_missing")
	}
	return nil
}

// readResource reads the audience of the token: a string or an array of strings, absolute URIs, otherwise
// unvalidated (section 1.4, Q2).
func (c *claims) readResource(o jose.Object) error {
	var err error
	switch o.Kind("resource") {
	case jose.Absent:
		return nil
	case jose.KindString:
		var one string
		one, err = o.String("resource")
		c.resources = []string{one}
	default:
		c.resources, err = o.Strings("resource")
	}
	if err != nil || len(c.resources) == 0 || len(c.resources) > maxAudience || slices.ContainsFunc(c.resources, notURI) {
		return refuse(mp011, "resource")
	}
	return nil
}

// notURI: RFC 8707 section 2 wants an absolute URI without fragment.
func notURI(s string) bool {
	other := func(r rune) bool { return r <= ' ' || r > '~' }
	u, err := url.Parse(s)
	return err != nil || !u.IsAbs() || u.Opaque == "" && u.Host == "" && u.Path == "" ||
		len(s) > maxResource || strings.IndexFunc(s, other) >= 0 || strings.Contains(s, "#")
}

// readPID reads the number of the person whom the token is about. Only its form is checked: there is no
// login here, and the service's own samples have wrong check digits (section 6.2, V7).
func (c *claims) readPID(o jose.Object) error {
	if !o.Has("pid") {
		return nil
	}
	text, err := o.String("pid")
	if err == nil {
		c.pid, err = norway.UncheckedPID(text)
	}
	if err != nil {
		return refuse(mp011, "pid")
	}
	return nil
}

// readConsumer reads consumer_org: nine digits without prefix. The proprietary iss_onbehalfof cannot go with
// it and means nothing by itself (Q9).
func (c *claims) readConsumer(o jose.Object) error {
	if !o.Has("consumer_org") {
		return nil
	}
	var err error
	c.consumerOrg, err = o.String("consumer_org")
	if err != nil || !nineDigits(c.consumerOrg) || o.Has("iss_onbehalfof") {
		return refuse(mp011, "consumer_org")
	}
	return nil
}

// nineDigits: the check digit is not looked at, for test environments have made-up organisations; only an
// organisation with access gets anywhere.
func nineDigits(s string) bool {
	return len(s) == 9 && strings.Trim(s, "0123456789") == ""
}
