package authorize

import (
	"context"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/requested"
)

// Limits of the claims parameter.
const (
	maxClaims      = 4096 // bytes
	maxClaimNames  = 64   // in each of id_token and userinfo
	maxClaimValues = 16   // of one claim
)

// checkClaims validates the claims parameter (OIDC Core §5.5). It is ignored unless Config.ClaimsParameter is set. Unknown
// members are ignored.
func (e *Endpoint) checkClaims(_ context.Context, q *request, _ time.Time) *refusal {
	text := q.form.Get("claims")
	if text == "" || !e.cfg.ClaimsParameter {
		return nil
	}
	if len(text) > maxClaims {
		return q.to.invalid("claims_too_long", "The parameter claims must be at most 4096 bytes.")
	}
	idToken, userInfo, ok := parseClaims(text)
	if !ok {
		return q.to.invalid("claims_malformed", "The parameter claims must be a JSON object whose members id_token and userinfo hold claim requests.")
	}
	q.requested = requested.Claims{IDToken: names(idToken), UserInfo: names(userInfo)}
	for _, c := range idToken {
		var refused *refusal
		switch c.name {
		case "acr":
			refused = e.requestACR(q, c)
		case "sub":
			refused = e.requestSubject(q, c)
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}

// requestACR applies a request for the claim acr. With values that are essential, the login must have one of them, and a request
// with values that the provider does not support fails (OIDC Core §5.5.1.1). Voluntary values are added to acr_values.
func (e *Endpoint) requestACR(q *request, c claimRequest) *refusal {
	known := e.cfg.Levels.Known(c.values)
	switch {
	case len(c.values) == 0 || len(known) == 0 && !c.essential:
		return nil
	case len(known) == 0:
		return q.to.refuse(portner.UnmetAuthenticationRequirements, "acr_unsupported", "No value of acr in the parameter claims is supported.")
	case c.essential:
		q.acrValues, q.acrEssential = known, true
		return nil
	}
	if len(e.requestedLevels(q.form)) == 0 {
		q.acrValues = nil // the values of the client replace the default of the provider
	}
	for _, v := range known {
		if !slices.Contains(q.acrValues, v) {
			q.acrValues = append(slices.Clip(q.acrValues), v)
		}
	}
	return nil
}

// requestSubject applies a request for the claim sub: the user must have that sub (OIDC Core §3.1.2.2). A client that may not
// learn the identity of the user could test whether it is one that it knows from elsewhere, so its request is rejected. It can
// send an id_token_hint, whose sub it has received.
func (e *Endpoint) requestSubject(q *request, c claimRequest) *refusal {
	switch {
	case len(c.values) == 0:
		return nil
	case len(c.values) > 1 || e.cfg.Subject == nil:
		return q.to.invalid("claims_sub_unsupported", "The parameter claims must request sub with one value, and the provider must support it.")
	}
	if e.withheld(q) {
		return q.to.invalid("claims_sub_pseudonymous", "The parameter claims cannot request sub with scopes that require a pseudonym.")
	}
	q.hintSub = c.values[0]
	return nil
}

// claimRequest is a member of id_token or userinfo in the claims parameter.
type claimRequest struct {
	name      string
	essential bool
	values    []string // value or values, if they are strings
}

func names(requests []claimRequest) []string {
	var all []string
	for _, c := range requests {
		all = append(all, c.name)
	}
	return all
}

// parseClaims parses the claims parameter. ok is false if it is not a JSON object without repeated members, or a claim is
// requested by something other than null or an object.
func parseClaims(text string) (idToken, userInfo []claimRequest, ok bool) {
	doc, err := jose.ParseObject([]byte(text))
	if err != nil {
		return nil, nil, false
	}
	idToken, okID := claimRequests(doc, "id_token")
	userInfo, okUser := claimRequests(doc, "userinfo")
	return idToken, userInfo, okID && okUser
}

func claimRequests(doc jose.Object, member string) (requests []claimRequest, ok bool) {
	switch doc.Kind(member) {
	case jose.Absent, jose.KindNull:
		return nil, true
	}
	target, err := doc.Object(member)
	if err != nil || target.Len() > maxClaimNames {
		return nil, false
	}
	for _, name := range target.Names() {
		c := claimRequest{name: name}
		if target.Kind(name) != jose.KindNull {
			details, err := target.Object(name)
			if err != nil || !c.read(details) {
				return nil, false
			}
		}
		requests = append(requests, c)
	}
	return requests, true
}

// read reads essential, value and values. It reports whether they are well-formed.
func (c *claimRequest) read(details jose.Object) bool {
	if details.Has("essential") {
		var err error
		if c.essential, err = details.Bool("essential"); err != nil {
			return false
		}
	}
	switch {
	case details.Has("value") && details.Has("values"):
		return false
	case details.Kind("value") == jose.KindString:
		value, err := details.String("value")
		c.values = []string{value}
		return err == nil
	case details.Kind("values") == jose.KindArray:
		values, err := details.Strings("values")
		c.values = values
		return (err == nil || c.name != "acr" && c.name != "sub") && len(values) <= maxClaimValues
	}
	return !details.Has("values")
}
