package authorize_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

const (
	parURL   = issuer + "/par"
	aliasURL = "https://mtls.login.example.no/par"
)

// thumbprint returns the thumbprint of a key (RFC 7638).
func thumbprint(key *ecdsa.PrivateKey) string {
	point := must(key.PublicKey.Bytes())
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`))
	return b64(sum[:])
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// proof returns a DPoP proof for the PAR endpoint with changed claims; nil removes a claim.
func (w *world) proof(key *ecdsa.PrivateKey, change map[string]any) string {
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": parURL, "iat": w.clock().Unix()}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	head := `{"typ":"dpop+jwt","alg":"ES256","jwk":` + string(must(jose.MarshalJWK(jose.PublicKey{Key: key.Public()}))) + `}`
	input := b64([]byte(head)) + "." + b64(must(json.Marshal(claims)))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(w.t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

// with sends DPoP proofs.
func with(proofs ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["Dpop"] = proofs }
}

// dpopWorld is a world with DPoP. The store of replayed proofs is the one it returns.
func dpopWorld(t testing.TB, change ...func(*authorize.Config)) (*world, *memory.Store) {
	replay := memory.New()
	return newWorld(t, append([]func(*authorize.Config){func(c *authorize.Config) {
		c.DPoP, c.PushAliasURL = &dpop.Policy{Replay: replay}, aliasURL
	}}, change...)...), replay
}

// keyOf returns the DPoP key that a code is bound to.
func (w *world) keyOf(code string) string {
	w.t.Helper()
	return must(w.store.Code(w.t.Context(), storage.HashOf(code), w.clock())).DPoPKey
}

// TestDPoPKey: dpop_jkt binds the code to a key (RFC 9449 §10), from every place where the parameters of a request may come from.
func TestDPoPKey(t *testing.T) {
	t.Parallel()
	key, other := thumbprint(signingKey), thumbprint(foreignKey)
	w, _ := dpopWorld(t)
	enter := map[string]func(t *testing.T, jkt string) string{ // returns a code, or an outcome
		"query": func(t *testing.T, jkt string) string {
			return w.ended(t, w.browser(), params("signing", "dpop_jkt", jkt))
		},
		"request object": func(t *testing.T, jkt string) string {
			return w.ended(t, w.browser(), url.Values{"client_id": {"signing"}, "dpop_jkt": {other}, "request": {sign(object("signing", inside(jkt)), "")}})
		},
		"pushed": func(t *testing.T, jkt string) string {
			return w.pushedKey(t, params("signing", "dpop_jkt", jkt), other)
		},
		"pushed request object": func(t *testing.T, jkt string) string {
			return w.pushedKey(t, url.Values{"client_id": {"signing"}, "dpop_jkt": {other}, "request": {sign(object("signing", inside(jkt)), "")}}, other)
		},
	}
	for place, send := range enter {
		require.Equal(t, key, w.keyOf(send(t, key)), place)
		require.Empty(t, w.keyOf(send(t, "")), "%s: a key beside the request object or the request_uri does not count", place)
		for name, jkt := range map[string]string{
			"42 characters": key[:42], "44 characters": key + "A", "padded": key + "=", "base64 without url": strings.Repeat("+", 43),
			"not canonical": strings.Repeat("A", 42) + "B", "space": key[:42] + " ", "hexadecimal": strings.Repeat("0123456789abcdef", 4), "JWK": `{"kty":"EC"}`,
		} {
			require.Equal(t, "error invalid_request", send(t, jkt), "%s: %s", place, name)
			_, reason := w.lastEvent()
			require.Equal(t, "dpop_jkt_malformed", reason)
		}
	}
	twice := params("web", "dpop_jkt", key)
	twice.Add("dpop_jkt", key)
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(twice)))
	require.Equal(t, http.StatusBadRequest, w.push(twice).StatusCode)
}

// inside returns the claim dpop_jkt, which is left out if it is empty.
func inside(jkt string) map[string]any {
	if jkt == "" {
		return nil
	}
	return map[string]any{"dpop_jkt": jkt}
}

// ended returns the code of a request after its login, or the outcome of a request that is rejected.
func (w *world) ended(t *testing.T, b *browser, params url.Values) string {
	t.Helper()
	res := b.authorize(params)
	if got := outcome(t, res); got != "login" {
		return got
	}
	return requireCode(t, b.loginAs(res, "kari"))
}

// pushedKey returns the code of a pushed request after its login, or the outcome of a request that is rejected. Its browser sends another
// dpop_jkt.
func (w *world) pushedKey(t *testing.T, form url.Values, other string) string {
	t.Helper()
	res := w.push(form)
	body := jsonBody(t, res)
	if res.StatusCode != http.StatusCreated {
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		return "error " + body["error"].(string)
	}
	return w.ended(t, w.browser(), use(form.Get("client_id"), body["request_uri"].(string), "dpop_jkt", other))
}

// TestDPoPKeyOfPages: the key is the one of the request, whatever the forms of the pages send, and a form that is posted twice leads to one
// code with it.
func TestDPoPKeyOfPages(t *testing.T) {
	t.Parallel()
	w, _ := dpopWorld(t)
	b := w.browser()
	login := b.open(b.authorize(params("web", "scope", "openid test:shared", "dpop_jkt", thumbprint(signingKey))), "/login")
	login.Set("user", "kari")
	login.Set("dpop_jkt", thumbprint(foreignKey))
	consent := b.open(b.post("/login?dpop_jkt="+thumbprint(foreignKey), login), "/consent")
	consent["scope"] = []string{"test:shared"}
	consent.Set("dpop_jkt", thumbprint(foreignKey))
	code := requireCode(t, b.post("/consent", consent))
	require.Equal(t, thumbprint(signingKey), w.keyOf(code))
	require.Equal(t, code, requireCode(t, b.post("/consent", consent)))
	require.Equal(t, code, requireCode(t, b.post("/login", login)))
	require.Equal(t, thumbprint(signingKey), w.keyOf(code))
}

// TestWithoutDPoP: a provider without DPoP ignores dpop_jkt, like every unrecognized parameter (RFC 6749 §3.1), and the header field. The
// header field means nothing at the authorization endpoint.
func TestWithoutDPoP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Empty(t, w.keyOf(w.ended(t, w.browser(), params("web", "dpop_jkt", "x"))))
	res := w.push(params("web", "dpop_jkt", "x"), with("x", "y"))
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Empty(t, w.keyOf(w.ended(t, w.browser(), use("web", jsonBody(t, res)["request_uri"].(string)))))

	w, _ = dpopWorld(t)
	r := httptest.NewRequest(http.MethodGet, "/authorize?"+params("web").Encode(), nil)
	r.Header.Set("DPoP", w.proof(signingKey, map[string]any{"htu": issuer + "/authorize", "htm": "GET"}))
	b := w.browser()
	require.Empty(t, w.keyOf(requireCode(t, b.loginAs(b.do(r), "kari"))))
}

// TestPushProof: a DPoP proof at the PAR endpoint is checked completely and binds the code like dpop_jkt (RFC 9449 §10.1).
func TestPushProof(t *testing.T) {
	t.Parallel()
	key, other := thumbprint(signingKey), thumbprint(foreignKey)
	ago := func(d time.Duration) map[string]any { return map[string]any{"iat": epoch.Add(-d).Unix()} }
	for _, tc := range []struct {
		name   string
		form   url.Values
		proofs func(*world) []string
		want   string // the key, or the reason of the rejection
	}{
		{"proof", nil, nil, key},
		{"URL of mutual TLS", nil, one(map[string]any{"htu": aliasURL}), key},
		{"the same dpop_jkt", params("web", "dpop_jkt", key), nil, key},
		{"another dpop_jkt", params("web", "dpop_jkt", other), nil, "dpop_jkt_mismatch"},
		{"a malformed dpop_jkt", params("web", "dpop_jkt", key+"="), nil, "dpop_jkt_mismatch"},
		{"dpop_jkt without a proof", params("web", "dpop_jkt", other), func(*world) []string { return nil }, other},
		{"URL of the token endpoint", nil, one(map[string]any{"htu": issuer + "/token"}), "dpop_htu_mismatch"},
		{"URL of the authorization endpoint", nil, one(map[string]any{"htu": issuer + "/authorize"}), "dpop_htu_mismatch"},
		{"issuer", nil, one(map[string]any{"htu": issuer}), "dpop_htu_mismatch"},
		{"GET", nil, one(map[string]any{"htm": "GET"}), "dpop_htm_mismatch"},
		{"10 s ahead", nil, one(ago(-10 * time.Second)), key},
		{"61 s ahead", nil, one(ago(-61 * time.Second)), "dpop_iat_in_future"},
		{"old", nil, one(ago(61 * time.Second)), "dpop_iat_too_old"},
		{"no jti", nil, one(map[string]any{"jti": nil}), "dpop_jti_malformed"},
		{"empty header field", nil, func(*world) []string { return []string{""} }, "dpop_malformed"},
		{"two header fields", nil, func(w *world) []string {
			return []string{w.proof(signingKey, nil), w.proof(signingKey, nil)}
		}, "dpop_repeated"},
		{"signature of another proof", nil, func(w *world) []string {
			a, b := w.proof(signingKey, nil), w.proof(signingKey, nil)
			return []string{a[:strings.LastIndex(a, ".")] + b[strings.LastIndex(b, "."):]}
		}, "dpop_signature_mismatch"},
		{"client assertion", nil, func(*world) []string { return []string{sign(object("signing", nil), "JWT")} }, "dpop_typ"},
		{"request object", url.Values{"client_id": {"signing"}, "request": {sign(object("signing", nil), "")}}, nil, key},
		{"the same key in the request object", url.Values{"client_id": {"signing"}, "request": {sign(object("signing", inside(key)), "")}}, nil, key},
		{"another key in the request object", url.Values{"client_id": {"signing"}, "request": {sign(object("signing", inside(other)), "")}}, nil, "dpop_jkt_mismatch"},
		{"another key beside the request object", url.Values{"client_id": {"signing"}, "dpop_jkt": {other}, "request": {sign(object("signing", nil), "")}}, nil, key},
		{"public client", params("spa"), nil, key},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, _ := dpopWorld(t)
			form, proofs := tc.form, tc.proofs
			if form == nil {
				form = params("web")
			}
			if proofs == nil {
				proofs = one(nil)
			}
			before := w.store.Stats()
			res := w.push(form, with(proofs(w)...))
			if len(tc.want) != 43 {
				require.Equal(t, http.StatusBadRequest, res.StatusCode)
				require.Equal(t, "invalid_dpop_proof", jsonBody(t, res)["error"])
				require.Empty(t, res.Header.Get("DPoP-Nonce"))
				require.Equal(t, before, w.store.Stats())
				event, reason := w.lastEvent()
				require.Equal(t, portner.EventRefused, event)
				require.Equal(t, tc.want, reason)
				return
			}
			require.Equal(t, http.StatusCreated, res.StatusCode)
			uri := jsonBody(t, res)["request_uri"].(string)
			require.Equal(t, tc.want, w.keyOf(w.ended(t, w.browser(), use(form.Get("client_id"), uri, "dpop_jkt", other))))
		})
	}
}

// one returns a function that makes one proof.
func one(change map[string]any) func(*world) []string {
	return func(w *world) []string { return []string{w.proof(signingKey, change)} }
}

// TestPushProofIsUsedOnce: a proof is consumed last, by a valid request. A request with a proof that was used before gets no request_uri.
func TestPushProofIsUsedOnce(t *testing.T) {
	t.Parallel()
	w, replay := dpopWorld(t)
	proof := w.proof(signingKey, nil)
	unauthenticated := func(r *http.Request) { with(proof)(r); r.SetBasicAuth("web", strings.Repeat("x", 40)) }
	require.Equal(t, http.StatusUnauthorized, w.push(params("web"), unauthenticated).StatusCode)
	for _, change := range [][]string{{"scope", "x:y"}, {"redirect_uri", "https://evil.example/"}, {"dpop_jkt", thumbprint(foreignKey)}} {
		require.Equal(t, http.StatusBadRequest, w.push(params("web", change...), with(proof)).StatusCode)
	}
	require.Zero(t, replay.Stats().Replays, "requests that are rejected consume no proof")
	require.Equal(t, http.StatusCreated, w.push(params("web"), with(proof)).StatusCode)
	for _, client := range []string{"web", "silent"} {
		res := w.push(params(client), with(proof))
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		body := jsonBody(t, res)
		require.Equal(t, "invalid_dpop_proof", body["error"])
		require.NotContains(t, body, "request_uri")
		_, reason := w.lastEvent()
		require.Equal(t, "dpop_replay", reason)
	}
	require.Equal(t, 1, replay.Stats().Replays)
}

// TestPushProofRace: of two requests with one proof at the same time, one gets a request_uri. With a replay store that decides in two steps,
// both get one.
func TestPushProofRace(t *testing.T) {
	t.Parallel()
	rounds := slow.Rounds(500)
	run := func(replay dpop.ReplayStore) (twice int) {
		w, _ := dpopWorld(t, func(c *authorize.Config) {
			c.DPoP = &dpop.Policy{Replay: replay}
			c.PushedRequests = memory.New() // with room for all rounds
		})
		for range rounds {
			proof := w.proof(signingKey, nil)
			var got [2]int
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = w.push(params("web"), with(proof)).StatusCode })
			}
			wg.Wait()
			require.Contains(t, got, http.StatusCreated)
			if got[0] == got[1] {
				twice++
			}
		}
		return twice
	}
	require.Zero(t, run(memory.New()))
	require.Equal(t, rounds, run(&looseReplay{seen: map[storage.Hash]bool{}}), "the test notices a store that is not atomic")
}

// looseReplay is a replay store that reads and writes in two steps. Between them, each of two callers waits for the other one.
type looseReplay struct {
	mu   sync.Mutex
	seen map[storage.Hash]bool
	both chan struct{}
}

func (l *looseReplay) ConsumeJTI(_ context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	l.mu.Lock()
	seen, first := l.seen[key], l.both == nil
	if first {
		l.both = make(chan struct{})
	} else {
		close(l.both)
	}
	both := l.both
	if !first {
		l.both = nil
	}
	l.mu.Unlock()
	<-both
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[key] = true
	if seen {
		return storage.ErrConsumed
	}
	return nil
}

// TestPushProofFlood: anyone can push requests of a public client. One address takes no more room in the replay store than it has for pushed
// requests, and leaves room for the proofs of other addresses and clients.
func TestPushProofFlood(t *testing.T) {
	t.Parallel()
	const max = 300
	w, replay := dpopWorld(t, func(c *authorize.Config) {
		c.PushedRequests = must(memory.NewWith(memory.Config{MaxPushedRequests: max}))
	})
	stored := 0
	for n := range 2 * max {
		if w.push(params("spa"), with(w.proof(signingKey, nil)), from(fmt.Sprintf("198.51.100.7:%d", n+1))).StatusCode == http.StatusCreated {
			stored++
		}
	}
	require.Less(t, stored, max, "the flood was not bounded")
	require.Equal(t, stored, replay.Stats().Replays)
	require.Equal(t, http.StatusCreated, w.push(params("spa"), with(w.proof(signingKey, nil)), from("192.0.2.9:1")).StatusCode)
	require.Equal(t, http.StatusCreated, w.push(params("web"), with(w.proof(signingKey, nil)), from("198.51.100.7:1")).StatusCode)
}

// TestPushProofWaitsForAuthentication: an unauthenticated client learns nothing about its proof, except that it needs a nonce: that answer
// comes before the client assertion, which is valid once, is consumed.
func TestPushProofWaitsForAuthentication(t *testing.T) {
	t.Parallel()
	nonces := must(dpop.NewNonces(issuer, secret))
	assertions := memory.New()
	policy := &dpop.Policy{Replay: memory.New(), Nonces: nonces}
	w := newWorld(t, func(c *authorize.Config) {
		c.DPoP = policy
		c.Authenticator = must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: c.Clients, Replay: assertions}))
	})
	form := params("keyed", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", sign(map[string]any{
		"iss": "keyed", "sub": "keyed", "aud": issuer, "iat": epoch.Unix(), "exp": epoch.Add(time.Minute).Unix(), "jti": "once",
	}, "client-authentication+jwt"))
	send := func(form url.Values, proof string) *http.Response {
		return w.push(form, with(proof), func(r *http.Request) { r.Header.Del("Authorization") })
	}
	wrong := cloneForm(form)
	wrong.Set("client_assertion", "x.y.z")
	for name, proof := range map[string]string{
		"no nonce": w.proof(signingKey, nil), "empty": w.proof(signingKey, map[string]any{"nonce": ""}), "of another server": w.proof(signingKey, map[string]any{
			"nonce": must(dpop.NewNonces("https://api.example.no", secret)).Current(epoch),
		}),
	} {
		for _, form := range []url.Values{form, wrong} {
			res := send(form, proof)
			require.Equal(t, http.StatusBadRequest, res.StatusCode, name)
			require.Equal(t, "use_dpop_nonce", jsonBody(t, res)["error"], name)
			require.Equal(t, []string{nonces.Current(epoch)}, res.Header.Values("DPoP-Nonce"), name)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		}
	}
	require.Zero(t, assertions.Stats().Replays, "the assertion is not consumed")
	fresh := map[string]any{"nonce": nonces.Current(epoch), "iat": epoch.Add(-time.Hour).Unix()}
	bad := maps.Clone(fresh)
	bad["htm"] = "GET"
	res := send(wrong, w.proof(signingKey, bad))
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	require.Equal(t, "invalid_client", jsonBody(t, res)["error"])
	res = send(form, w.proof(signingKey, fresh))
	require.Equal(t, http.StatusCreated, res.StatusCode, "the assertion is still valid, and the nonce replaces iat")
	require.Equal(t, thumbprint(signingKey), w.keyOf(w.ended(t, w.browser(), use("keyed", jsonBody(t, res)["request_uri"].(string)))))
}

// brokenReplay is a replay store that fails.
type brokenReplay struct{ err error }

func (b brokenReplay) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	return b.err
}

// TestPushProofFaults: without a working replay store no request_uri is sent.
func TestPushProofFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{errSigner, storage.ErrFull} {
		w, _ := dpopWorld(t, func(c *authorize.Config) { c.DPoP = &dpop.Policy{Replay: brokenReplay{err: fault}} })
		res := w.push(params("web"), with(w.proof(signingKey, nil)))
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		body := jsonBody(t, res)
		require.Equal(t, "temporarily_unavailable", body["error"])
		require.NotContains(t, body, "request_uri")
		event, _ := w.lastEvent()
		require.Equal(t, portner.EventFault, event)
	}
}
