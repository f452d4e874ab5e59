package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
)

// Limits of a request object. FAPI 2.0 Message Signing §5.3.1 allows an hour since nbf.
const (
	maxObjectLife = 60 * time.Minute
	objectSkew    = 10 * time.Second
)

var errObject = errors.New("authorize: a parameter of the request object has an unsupported type")

// requestObject returns the parameters of a signed request object (RFC 9101). Parameters beside it are ignored, except client_id,
// which must match (RFC 9101 §6.3). A partial object may leave out parameters that are beside it.
func (e *Endpoint) requestObject(ctx context.Context, c *client.Client, form httpx.Form, now time.Time, partial bool) (source, *refusal) {
	if repeated(form, "request") {
		return source{}, e.unresolved(c, form, portner.InvalidRequest, "parameter_repeated", "The parameter request is repeated.").
			as(portner.EventDuplicateParam)
	}
	if len(c.JWKS) == 0 || e.cfg.Authenticator == nil {
		return source{}, e.unresolved(c, form, portner.RequestNotSupported, "request_object_keys_missing",
			"The parameter request is not supported for a client without registered keys.")
	}
	purpose := client.ForRequest
	if partial {
		purpose = client.ForPartialRequest
	}
	inner, reason, err := e.openObject(ctx, c, form.Get("request"), purpose, now)
	if err != nil {
		return source{}, faulty(nil, err)
	}
	if reason != "" {
		refused := e.unresolved(c, form, portner.InvalidRequestObject, reason, "The parameter request is not a valid request object.")
		refused.explanation.Parameter = "request"
		return source{}, refused
	}
	return source{form: inner, signed: true}, nil
}

// openObject verifies a request object. It returns the parameters as a form, or the reason for the log if the object is invalid.
func (e *Endpoint) openObject(ctx context.Context, c *client.Client, object string, purpose client.Purpose, now time.Time) (httpx.Form, string, error) {
	signed, err := e.cfg.Authenticator.VerifyAssertion(ctx, c, object, client.AssertionRules{Purpose: purpose}, now)
	if refused, ok := errors.AsType[*client.AssertionError](err); ok {
		return httpx.Form{}, "request_object_" + refused.Reason, nil
	}
	if err != nil {
		return httpx.Form{}, "", fmt.Errorf("%w: verifying a request object: %w", portner.ErrUnavailable, err)
	}
	claims, err := jose.ParseObject(signed.Payload)
	if err != nil {
		return httpx.Form{}, "request_object_json", nil
	}
	if reason := e.checkObject(claims, c, now); reason != "" {
		return httpx.Form{}, reason, nil
	}
	form, err := formOf(claims)
	if err != nil {
		return httpx.Form{}, "request_object_parameter", nil
	}
	return form, "", nil
}

// checkObject validates the claims of a request object: iss and client_id are the client, aud contains the issuer, and the times
// are plausible. It returns "", or the reason for the log.
func (e *Endpoint) checkObject(claims jose.Object, c *client.Client, now time.Time) string {
	if iss, err := claims.String("iss"); err != nil || iss != c.ClientID {
		return "request_object_iss"
	}
	if id, err := claims.String("client_id"); err != nil || id != c.ClientID {
		return "request_object_client_id"
	}
	if !holdsAudience(claims, e.cfg.Issuer) {
		return "request_object_aud"
	}
	exp, err := claims.NumericDate("exp")
	if err != nil || !now.Before(time.Unix(exp, 0).Add(objectSkew)) || time.Unix(exp, 0).After(now.Add(maxObjectLife)) {
		return "request_object_exp"
	}
	for _, name := range []string{"iat", "nbf"} {
		if !claims.Has(name) {
			continue
		}
		t, err := claims.NumericDate(name)
		if err != nil || time.Unix(t, 0).After(now.Add(objectSkew)) || time.Unix(t, 0).Before(now.Add(-maxObjectLife)) {
			return "request_object_" + name
		}
	}
	if !e.cfg.RequireNBF {
		return ""
	}
	nbf, err := claims.NumericDate("nbf")
	switch {
	case err != nil:
		return "request_object_nbf"
	case time.Duration(exp-nbf)*time.Second > maxObjectLife:
		return "request_object_exp"
	}
	return ""
}

// formOf returns the claims as parameters: strings as they are, numbers in digits, arrays and objects as JSON text, except that
// resource is repeated for each element.
func formOf(claims jose.Object) (httpx.Form, error) {
	var b strings.Builder
	for _, name := range claims.Names() {
		switch name {
		case "iss", "aud", "exp", "iat", "nbf", "jti":
			continue
		}
		values, err := parameterOf(claims, name)
		if err != nil {
			return httpx.Form{}, err
		}
		for _, v := range values {
			b.WriteString("&" + url.QueryEscape(name) + "=" + url.QueryEscape(v))
		}
	}
	return httpx.Parse(b.String())
}

func parameterOf(claims jose.Object, name string) ([]string, error) {
	switch claims.Kind(name) {
	case jose.KindString:
		s, err := claims.String(name)
		return []string{s}, err
	case jose.KindNumber:
		n, err := claims.Int(name)
		return []string{strconv.FormatInt(n, 10)}, err
	case jose.KindArray:
		if name == "resource" {
			return claims.Strings(name)
		}
		fallthrough
	case jose.KindObject:
		raw, _ := claims.Raw(name)
		return []string{raw}, nil
	}
	return nil, errObject
}
