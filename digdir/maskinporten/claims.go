package maskinporten

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// Limits of an assertion (docs/spec/maskinporten.md §1.4).
const (
	maxLifetime  = 120 // seconds from iat to exp, 120 included
	skew         = 10 * time.Second
	maxJTI       = 128
	maxResources = 10
)

// claims are the claims of an assertion whose signature was verified.
type claims struct {
	jti         string // "" if absent
	exp         time.Time
	scope       string
	resources   []string
	pid         norway.PID
	consumerOrg string // "" if the client acts for its own organisation
	details     string // JSON of authorization_details, "" if absent
}

// readClaims reads the claims of an assertion. It is steps 8 and 9 of docs/spec/maskinporten.md §1.5.
func (x *exchange) readClaims(ctx context.Context, payload []byte) (*claims, error) {
	o, err := jose.ParseObject(payload)
	if err != nil {
		return nil, reject(mp011, "claims_malformed")
	}
	if err := x.checkAudience(ctx, o); err != nil {
		return nil, err
	}
	c := &claims{}
	if c.exp, err = x.checkTimes(o); err != nil {
		return nil, err
	}
	for _, read := range []func(jose.Object) error{c.readJTI, c.readScope, c.readResource, c.readPID, c.readConsumer} {
		if err := read(o); err != nil {
			return nil, err
		}
	}
	if err := x.checkResources(ctx, c.resources); err != nil {
		return nil, err
	}
	c.details, _ = o.Raw("authorization_details")
	return c, x.checkOptions(c)
}

// checkOptions checks the claims that the configuration requires.
func (x *exchange) checkOptions(c *claims) error {
	switch {
	case x.cfg.RequireJTI && c.jti == "":
		return reject(mp011, "jti_missing")
	case x.cfg.Skyporten && len(c.resources) == 0:
		return reject(mp011, "resource_missing")
	}
	return nil
}

// checkAudience checks that aud is the issuer, as a string or in an array of one. An array with another audience is rejected: the
// assertion could be used at another server too (docs/threat-model.md E8).
func (x *exchange) checkAudience(ctx context.Context, o jose.Object) error {
	aud, err := o.OneString("aud")
	if err != nil {
		return x.audienceRejection()
	}
	tokenEndpoint := x.cfg.AllowTokenEndpointAudience || x.client.AllowTokenEndpointAudience
	switch {
	case aud == x.cfg.Issuer:
		return nil
	case x.cfg.AllowSlashMismatch && strings.TrimSuffix(aud, "/") == strings.TrimSuffix(x.cfg.Issuer, "/"):
		x.report(ctx, portner.EventLegacyAudience, "audience_slash_mismatch")
		return nil
	case tokenEndpoint && aud == x.cfg.endpoint("token"):
		x.report(ctx, portner.EventLegacyAudience, "audience_token_endpoint")
		return nil
	}
	return x.audienceRejection()
}

func (x *exchange) audienceRejection() error {
	r := rejectClient(mp110, portner.EventAssertionAudience, "assertion_audience_mismatch")
	if x.cfg.Skyporten {
		r.entry.number = "" // docs/spec/maskinporten.md §1.12: Skyporten has the text without the number
	}
	return r
}

// checkTimes checks iat, exp, nbf and the lifetime. It returns exp.
func (x *exchange) checkTimes(o jose.Object) (time.Time, error) {
	iat, err1 := o.NumericDate("iat")
	exp, err2 := o.NumericDate("exp")
	nbf, err3 := o.NumericDate("nbf")
	if errors.Is(err3, jose.ErrAbsent) {
		nbf, err3 = 0, nil
	}
	now, issued, expires := x.Now, time.Unix(iat, 0), time.Unix(exp, 0)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return expires, reject(mp011, "times_malformed")
	case issued.After(now.Add(skew)), x.cfg.StrictIssuedAt && !issued.Before(now.Add(skew)):
		return expires, reject(afterNow, "iat_in_future")
	case !now.Before(expires.Add(skew)):
		return expires, reject(mp130, "assertion_expired")
	case exp <= iat || exp-iat > maxLifetime:
		return expires, reject(tooLong, "assertion_lifetime_too_long")
	case time.Unix(nbf, 0).After(now.Add(skew)):
		return expires, reject(notYet, "nbf_in_future")
	case x.cfg.StrictIssuedAt && !now.Before(issued.Add(skew)):
		return expires, reject(tooOld, "iat_too_old")
	}
	return expires, nil
}

func (c *claims) readJTI(o jose.Object) error {
	var err error
	c.jti, err = o.OptionalString("jti")
	if err != nil || o.Has("jti") && (c.jti == "" || len(c.jti) > maxJTI) {
		return reject(mp011, "jti_malformed")
	}
	return nil
}

func (c *claims) readScope(o jose.Object) error {
	var err error
	if c.scope, err = o.String("scope"); err != nil || c.scope == "" {
		return reject(mp011, "scope_missing")
	}
	return nil
}

// readResource reads resource: an absolute URI or an array of them. It becomes the audience of the token.
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
	if err != nil || len(c.resources) == 0 || len(c.resources) > maxResources {
		return reject(mp011, "resource_malformed")
	}
	return nil
}

// checkResources checks that resource names APIs. A token for a client, with the pid that the assertion names, would look like an
// id_token to that client.
func (x *exchange) checkResources(ctx context.Context, resources []string) error {
	for _, resource := range resources {
		if !client.IsResource(x.cfg.Issuer, resource) {
			return reject(mp011, "resource_malformed")
		}
		ok, err := client.IsAPI(ctx, x.cfg.Clients, x.cfg.Issuer, resource)
		if err != nil {
			return err
		}
		if !ok {
			return reject(mp011, "resource_not_api")
		}
	}
	return nil
}

// readPID reads the national identity number of the person the token is about. Its check digits are not verified: published
// samples have wrong ones (docs/spec/maskinporten.md §6.2).
func (c *claims) readPID(o jose.Object) error {
	if !o.Has("pid") {
		return nil
	}
	text, err := o.String("pid")
	if err == nil {
		c.pid, err = norway.UncheckedPID(text)
	}
	if err != nil {
		return reject(mp011, "pid_malformed")
	}
	return nil
}

// readConsumer reads consumer_org: nine digits without prefix. The older claim iss_onbehalfof is rejected beside it and ignored
// otherwise.
func (c *claims) readConsumer(o jose.Object) error {
	if !o.Has("consumer_org") {
		return nil
	}
	var err error
	c.consumerOrg, err = o.String("consumer_org")
	if err != nil || !nineDigits(c.consumerOrg) || o.Has("iss_onbehalfof") {
		return reject(mp011, "consumer_org_malformed")
	}
	return nil
}

// nineDigits reports whether s has the form of an organisation number. The check digit is not verified: test environments have
// synthetic organisations.
func nineDigits(s string) bool {
	return len(s) == 9 && strings.Trim(s, "0123456789") == ""
}
