package client

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/portner-go/portner/storage"
)

// maxResource is the largest length of a resource.
const maxResource = 2000

// IsResource reports whether resource may name an API in a request to issuer (RFC 8707 §2): an absolute URI with a host, or the
// identifier of a scheme without hosts, such as a URN, without fragment and user information. The scheme http is allowed only if issuer
// has it too.
func IsResource(issuer, resource string) bool {
	u, err := url.Parse(resource)
	if err != nil || len(resource) > maxResource || !isPrintable(resource) || strings.ContainsAny(resource, " #") || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "https", "file", "javascript", "data", "mailto":
		return u.Scheme == "https" && u.Host != "" // the others name no API
	case "http":
		return u.Host != "" && strings.HasPrefix(issuer, "http://")
	}
	return u.Scheme != "" && (u.Host != "" || u.Opaque != "")
}

// IsAPI reports whether an access token of issuer may have this audience. It may not be the issuer or a client, enabled or disabled:
// that client would accept the token as an id_token.
func IsAPI(ctx context.Context, s Source, issuer, audience string) (bool, error) {
	if strings.EqualFold(strings.TrimRight(audience, "/"), strings.TrimRight(issuer, "/")) {
		return false, nil
	}
	switch _, err := Lookup(ctx, s, audience); {
	case err == nil, errors.Is(err, ErrDisabled):
		return false, nil
	case errors.Is(err, storage.ErrNotFound):
		return true, nil
	default:
		return false, err
	}
}
