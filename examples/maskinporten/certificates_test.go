package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/stretchr/testify/require"
)

// TestCertificateAlone: a client may send its own certificate without the chain if the server has the issuing authority, by
// -testca or by the configuration. Other incomplete chains are rejected, and the log names the reason.
func TestCertificateAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, stranger := filepath.Join(dir, "ca"), filepath.Join(dir, "stranger")
	for _, d := range []string{ca, stranger} {
		require.NoError(t, maskinporten.MakeTestCA(d, time.Now()))
	}
	with := func(intermediates string) string {
		return write(t, fmt.Sprintf(`{"business_certificates": {"roots": [%q], "crls": [%q]%s}}`, filepath.Join(ca, "root.pem"), filepath.Join(ca, "crl.pem"), intermediates))
	}
	own := fmt.Sprintf(`, "intermediates": [%q]`, filepath.Join(ca, "issuing.pem"))
	leaf := func(chain []string) claims { return claims{"x5c": chain[:1]} }
	whole := func(chain []string) claims { return claims{"x5c": chain} }
	reversed := func(chain []string) claims {
		slices.Reverse(chain)
		return claims{"x5c": chain}
	}
	named := func(chain []string) claims { return claims{"x5c": chain[:1], "kid": "unknown"} }
	for name, args := range map[string][]string{
		"-testca": {"-testca", ca}, "intermediates": {"-config", with(own)}, "roots alone": {"-config", with("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known := name != "roots alone"
			s := stand{Server: start(t, args...), ca: ca, stranger: stranger}
			for _, tc := range []struct {
				name, dir, certificate string
				header                 func([]string) claims
				says                   string // "" is accepted
			}{
				{"SEID 1 alone", ca, "seid1", leaf, map[bool]string{false: "MP-120"}[known]},
				{"SEID 2 alone", ca, "seid2", leaf, map[bool]string{false: "MP-120"}[known]},
				{"whole chain", ca, "seid2", whole, ""},
				{"reversed", ca, "seid2", reversed, "MP-120"},
				{"foreign", stranger, "seid2", leaf, "MP-120"},
				{"foreign with its authority", stranger, "seid2", whole, "MP-120"},
				{"revoked", ca, "revoked", leaf, "MP-120"},
				{"expired", ca, "expired", leaf, "MP-120"},
				{"another organisation", ca, "other", leaf, map[bool]string{false: "MP-120", true: "MP-122"}[known]},
				{"an unknown kid", ca, "seid2", named, "Invalid assertion. Client authentication failed. Unknown key identifier (kid) for client."},
			} {
				status, body := s.send(t, byChain(t, tc.dir, tc.certificate, tc.header, s.grant(t, claims{"iss": maskinporten.DemoCertificate})))
				if tc.says == "" {
					require.Equal(t, http.StatusOK, status, "%s: %v", tc.name, body)
					continue
				}
				require.Equal(t, http.StatusBadRequest, status, tc.name)
				require.Contains(t, fmt.Sprint(body["error_uri"], body["error_description"]), tc.says, tc.name)
			}
		})
	}
}

// reasons is a log handler that collects the attribute reason.
type reasons struct {
	slog.Handler
	mu  *sync.Mutex
	all *[]string
}

// Enabled implements slog.Handler.
func (reasons) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (r reasons) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			*r.all = append(*r.all, a.Value.String())
		}
		return true
	})
	return nil
}

// TestIncompleteChainIsExplained: the log names the reason, and the page of the error says what to do.
func TestIncompleteChainIsExplained(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca")
	require.NoError(t, maskinporten.MakeTestCA(ca, time.Now()))
	log := reasons{Handler: slog.DiscardHandler, mu: &sync.Mutex{}, all: &[]string{}}
	s := stand{Server: startWith(t, log, "-config", write(t, fmt.Sprintf(`{"business_certificates": {"roots": [%q]}}`, filepath.Join(ca, "root.pem")))), ca: ca}
	_, body := s.send(t, byChain(t, ca, "seid2", func(chain []string) claims { return claims{"x5c": chain[:1]} }, s.grant(t, claims{"iss": maskinporten.DemoCertificate})))
	log.mu.Lock()
	require.Contains(t, *log.all, "cert_chain_incomplete")
	log.mu.Unlock()
	require.Equal(t, s.Issuer+"errors/MP-120", body["error_uri"])
	resp, err := http.Get(s.Issuer + "errors/MP-120")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "business_certificates.intermediates")
}

// TestCertificatesWithoutRoot: authorities without a root would be ignored.
func TestCertificatesWithoutRoot(t *testing.T) {
	t.Parallel()
	_, err := standintest.Prepare(t, programs.Maskinporten().Command(), slog.DiscardHandler, "-addr", "localhost:0", "-config", write(t, `{"business_certificates": {"intermediates": ["x.pem"]}}`))
	require.ErrorContains(t, err, "business_certificates.roots")
}

// TestUnusableKeys: a key that no assertion can be signed with is rejected at the start, with the reason.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(maskinporten.DemoJWKS(), &set))
	nameless := maps.Clone(set.Keys[0])
	delete(nameless, "kid")
	ps256 := maps.Clone(set.Keys[0])
	ps256["alg"] = "PS256"
	// The key of RFC 7515 appendix A.3.
	ec := map[string]any{"kty": "EC", "crv": "P-256", "kid": "ec", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
	for _, tc := range []struct {
		key  map[string]any
		says []string
	}{
		{set.Keys[0], nil},
		{nameless, []string{"jwks.keys[0].kid", "is required"}},
		{ps256, []string{"jwks.keys[0]", "RS256, RS384 or RS512"}},
		{ec, []string{"jwks.keys[0]", "RS256, RS384 or RS512", "integration_type maskinporten"}},
	} {
		jwks, err := json.Marshal(map[string]any{"keys": []any{tc.key}})
		require.NoError(t, err)
		_, err = maskinporten.ReadConfig(write(t, `{"clients": [{"client_id": "c", "client_orgno": "991825827", "scopes": ["a:b"], "jwks": `+string(jwks)+`}]}`))
		if tc.says == nil {
			require.NoError(t, err)
			continue
		}
		for _, text := range tc.says {
			require.ErrorContains(t, err, text)
		}
	}
}
