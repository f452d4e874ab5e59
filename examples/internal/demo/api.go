// Package demo is what stands around the provider in the ID-porten example: relying parties and an API.
package demo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// API is a data provider that accepts access tokens. It verifies a JWT by itself and asks the provider
// about every token that does not tell who the person is (opaque or pseudonymous).
type API struct {
	issuer        string
	introspection string
	clientID      string
	clientSecret  string
	http          *http.Client
	keys          oidc.KeySet
}

// Resources are the paths of the API, each with the scope it demands and what it gives.
var Resources = map[string]struct{ Scope, Data string }{
	"/inntekt":   {"demo:inntekt.read", "Lønn 2025: 612 000 kr"},
	"/kontakt":   {"demo:kontakt.read", "post@example.no, +47 00 00 00 00"},
	"/helse":     {"demo:helse.read", "Siste time: 3. mars"},
	"/meldinger": {"demo:meldinger.read", "Du har 2 nye meldinger"},
}

// NewAPI makes the API of an issuer. clientID is its own client, on the organisation that owns the scopes.
func NewAPI(issuer, introspection, jwks, clientID, clientSecret string, hc *http.Client) *API {
	ctx := oidc.ClientContext(context.Background(), hc)
	return &API{
		issuer: issuer, introspection: introspection, clientID: clientID, clientSecret: clientSecret, http: hc,
		keys: oidc.NewRemoteKeySet(ctx, jwks),
	}
}

// access is what the API learned about a token.
type access struct {
	Active bool   `json:"active"`
	Issuer string `json:"iss"`
	Sub    string `json:"sub"`
	PID    string `json:"pid"`
	Scope  string `json:"scope"`
	ACR    string `json:"acr"`
	Expiry int64  `json:"exp"`
	how    string
}

// ServeHTTP answers GET /api/<resource>.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	res, ok := Resources[strings.TrimPrefix(r.URL.Path, "/api")]
	if !ok || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		refuse(w, http.StatusUnauthorized, `Bearer realm="demo"`)
		return
	}
	acc, err := a.check(r.Context(), token)
	switch {
	case err != nil:
		http.Error(w, "the token cannot be checked now", http.StatusServiceUnavailable)
	case !acc.Active:
		refuse(w, http.StatusUnauthorized, `Bearer error="invalid_token"`)
	case !slices.Contains(strings.Fields(acc.Scope), res.Scope):
		refuse(w, http.StatusForbidden, `Bearer error="insufficient_scope", scope="`+res.Scope+`"`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"data": res.Data, "person": acc.PID, "sub": acc.Sub, "acr": acc.ACR, "checked_by": acc.how,
		})
	}
}

func refuse(w http.ResponseWriter, status int, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, http.StatusText(status), status)
}

func (a *API) check(ctx context.Context, token string) (access, error) {
	if strings.Count(token, ".") == 2 {
		acc := a.verify(ctx, token)
		if !acc.Active || acc.PID != "" {
			return acc, nil
		}
	}
	return a.introspect(ctx, token)
}

// verify checks a JWT access token locally: signature, issuer, expiry.
func (a *API) verify(ctx context.Context, token string) access {
	payload, err := a.keys.VerifySignature(ctx, token)
	if err != nil {
		return access{}
	}
	acc := access{how: "signature"}
	if json.Unmarshal(payload, &acc) != nil {
		return access{}
	}
	acc.Active = acc.Issuer == a.issuer && time.Now().Unix() < acc.Expiry
	return acc
}

// introspect asks the provider (RFC 7662), as a client on the organisation that owns the scopes.
func (a *API) introspect(ctx context.Context, token string) (access, error) {
	form := url.Values{"token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.introspection, strings.NewReader(form.Encode()))
	if err != nil {
		return access{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(a.clientID), url.QueryEscape(a.clientSecret))
	resp, err := a.http.Do(req)
	if err != nil {
		return access{}, fmt.Errorf("introspection: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		return access{}, fmt.Errorf("introspection: %s", resp.Status)
	}
	acc := access{how: "introspection"}
	if err := json.Unmarshal(body, &acc); err != nil {
		return access{}, fmt.Errorf("introspection: %w", err)
	}
	return acc, nil
}

// claims decodes the payload of a JWT for display, unverified.
func claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}
