package token_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

var errOutage = errors.New("dial tcp 10.0.0.5:5432: connection refused")

// brokenStore is a store whose method verb fails, before or after the call of the real store. It counts writes.
type brokenStore struct {
	token.Store
	verb  string
	err   error
	after bool
	panic bool
	hook  func(verb string)
}

func (s *brokenStore) do(verb string, real func() error) error {
	if s.hook != nil {
		s.hook(verb)
	}
	if verb != s.verb {
		return real()
	}
	if s.panic {
		panic(pid)
	}
	if s.after {
		if err := real(); err != nil {
			return err
		}
	}
	return fmt.Errorf("wrapped: %w", s.err)
}

func (s *brokenStore) Code(ctx context.Context, h storage.Hash, now time.Time) (c storage.AuthorizationCode, err error) {
	err = s.do("Code", func() error { var e error; c, e = s.Store.Code(ctx, h, now); return e })
	return
}

func (s *brokenStore) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	verb := "RedeemCode"
	if i == nil {
		verb = "RedeemCode(nil)"
	}
	return s.do(verb, func() error { return s.Store.RedeemCode(ctx, h, i, now) })
}

func (s *brokenStore) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (r storage.RefreshToken, g storage.Grant, err error) {
	err = s.do("RefreshToken", func() error { var e error; r, g, e = s.Store.RefreshToken(ctx, h, now); return e })
	return
}

func (s *brokenStore) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return s.do("RotateRefreshToken", func() error { return s.Store.RotateRefreshToken(ctx, h, i, grace, now) })
}

func (s *brokenStore) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (a storage.AccessToken, g storage.Grant, err error) {
	err = s.do("AccessToken", func() error { var e error; a, g, e = s.Store.AccessToken(ctx, h, now); return e })
	return
}

func (s *brokenStore) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	return s.do("Revoke", func() error { return s.Store.Revoke(ctx, r, now) })
}

// scenario is one request and the methods of the store that it calls.
type scenario struct {
	name  string
	verbs []string
	run   func(f *fixture, code string, issued answer) answer
}

var scenarios = []scenario{
	{"code", []string{"Code", "RedeemCode"}, func(f *fixture, code string, _ answer) answer { return f.redeem("web", code) }},
	{"code, wrong verifier", []string{"Code", "RedeemCode(nil)"}, func(f *fixture, code string, _ answer) answer {
		form := codeForm(code)
		form.Set("code_verifier", verifier[1:]+"A")
		return f.send(f.ep, "web", form)
	}},
	{"refresh", []string{"RefreshToken", "RotateRefreshToken"}, func(f *fixture, _ string, issued answer) answer {
		return f.refresh("web", issued.str("refresh_token"))
	}},
	{"refresh in place", []string{"RefreshToken", "RotateRefreshToken"}, func(f *fixture, _ string, _ answer) answer {
		return f.refresh("reuse", f.login("reuse").str("refresh_token"))
	}},
	{"userinfo", []string{"AccessToken"}, func(f *fixture, _ string, issued answer) answer { return f.userInfo(issued.str("access_token")) }},
	{"introspection", []string{"AccessToken"}, func(f *fixture, _ string, issued answer) answer {
		return f.send(f.ep.Introspection(), "web", url.Values{"token": {issued.str("access_token")}})
	}},
	{"introspection of a refresh token", []string{"AccessToken", "RefreshToken"}, func(f *fixture, _ string, issued answer) answer {
		return f.send(f.ep.Introspection(), "web", url.Values{"token": {issued.str("refresh_token")}})
	}},
	{"revocation", []string{"AccessToken", "Revoke"}, func(f *fixture, _ string, issued answer) answer {
		return f.send(f.ep.Revocation(), "web", url.Values{"token": {issued.str("access_token")}})
	}},
	{"revocation of a refresh token", []string{"AccessToken", "RefreshToken", "Revoke"}, func(f *fixture, _ string, issued answer) answer {
		return f.send(f.ep.Revocation(), "web", url.Values{"token": {issued.str("refresh_token")}})
	}},
	{"replay", []string{"Code", "Revoke"}, func(f *fixture, code string, _ answer) answer {
		f.redeem("web", code)
		return f.redeem("web", code)
	}},
	{"refresh reuse", []string{"RefreshToken", "Revoke"}, func(f *fixture, _ string, issued answer) answer {
		f.refresh("web", issued.str("refresh_token"))
		return f.refresh("web", issued.str("refresh_token"))
	}},
}

// TestOutages fails every method of the store at every endpoint. The response is never invalid_grant, invalid_token or 200, and does
// not contain the cause.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		for _, verb := range sc.verbs {
			for _, fault := range []error{errOutage, storage.ErrFull, context.DeadlineExceeded} {
				t.Run(fmt.Sprintf("%s/%s/%v", sc.name, verb, fault), func(t *testing.T) {
					t.Parallel()
					broken := &brokenStore{}
					f := newFixture(t, func(c *token.Config) { broken.Store, c.Store = c.Store, broken })
					code, issued := f.code(), f.login("web")
					broken.verb, broken.err = verb, fault
					a := sc.run(f, code, issued)
					f.requireError(a, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
					require.NotEmpty(t, a.Header().Get("Retry-After"))
					require.NotEmpty(t, a.Header().Get("X-Correlation-Id"))
					require.NotContains(t, a.Body.String(), "dial")
					require.Contains(t, f.eventNames(), portner.EventFault)
				})
			}
		}
	}
}

// An outage leaves code and refresh token usable.
func TestRetryAfterOutage(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Code", "RedeemCode", "RefreshToken", "RotateRefreshToken"} {
		broken := &brokenStore{}
		f := newFixture(t, func(c *token.Config) { broken.Store, c.Store = c.Store, broken })
		code, rt := f.code(), f.login("web").str("refresh_token")
		broken.verb, broken.err = verb, errOutage
		codes := []int{f.redeem("web", code).Code, f.refresh("web", rt).Code}
		require.Contains(t, codes, http.StatusServiceUnavailable)
		broken.verb = ""
		for i, again := range []answer{f.redeem("web", code), f.refresh("web", rt)} {
			if codes[i] == http.StatusServiceUnavailable {
				require.Equal(t, http.StatusOK, again.Code, verb)
			}
		}
	}
}

// TestLateVerdicts: a verdict that only a race leads to, because the record changed after it was loaded.
func TestLateVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verb    string
		verdict error
		status  int
		revokes bool
	}{
		{"RedeemCode", storage.ErrConsumed, 400, true},
		{"RedeemCode", storage.ErrNotFound, 400, false},
		{"RotateRefreshToken", storage.ErrConsumed, 400, true},
		{"RotateRefreshToken", storage.ErrRevoked, 400, false},
		{"RotateRefreshToken", storage.ErrNotFound, 400, false},
		{"RedeemCode", storage.ErrConflict, 503, false},
		{"RotateRefreshToken", storage.ErrConflict, 503, false},
	} {
		t.Run(fmt.Sprint(tt.verb, tt.verdict), func(t *testing.T) {
			t.Parallel()
			calls := map[string]int{}
			broken := &brokenStore{}
			f := newFixture(t, func(c *token.Config) { broken.Store, c.Store = c.Store, broken })
			code, rt := f.code(), f.login("web").str("refresh_token")
			broken.verb, broken.err, broken.hook = tt.verb, tt.verdict, func(v string) { calls[v]++ }
			f.eventNames()
			var a answer
			if tt.verb == "RedeemCode" {
				a = f.redeem("web", code)
			} else {
				a = f.refresh("web", rt)
			}
			require.Equal(t, tt.status, a.Code)
			require.Equal(t, tt.revokes, calls["Revoke"] == 1)
			if tt.status == 503 { // three attempts with new values
				require.Equal(t, 3, calls[tt.verb])
				require.Contains(t, f.eventNames(), portner.EventIDCollision)
				return
			}
			f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
			require.Equal(t, 1, calls[tt.verb])
		})
	}
}

// A collision of one random identifier does not change the response.
func TestCollisionIsRetried(t *testing.T) {
	t.Parallel()
	broken := &brokenStore{verb: "RedeemCode", err: storage.ErrConflict}
	tries := 0
	broken.hook = func(verb string) {
		if verb == "RedeemCode" {
			if tries++; tries > 1 {
				broken.verb = ""
			}
		}
	}
	f := newFixture(t, func(c *token.Config) { broken.Store, c.Store = c.Store, broken })
	a := f.redeem("web", f.code())
	require.Equal(t, http.StatusOK, a.Code)
	require.Equal(t, 2, tries)
	require.True(t, f.active(a.str("access_token")))
}

// If a signature fails, the code and the refresh token stay valid.
func TestSignerFailure(t *testing.T) {
	t.Parallel()
	mode := ""
	keys := signingKeys(func(key ed25519.PrivateKey, message []byte) ([]byte, error) {
		switch mode {
		case "fail":
			return nil, errors.New("hsm: session closed")
		case "panic":
			panic(string(message))
		}
		return ed25519.Sign(key, message), nil
	})
	f := newFixture(t, func(c *token.Config) { c.Keys = keys })
	code, rt := f.code(), f.login("web").str("refresh_token")
	for _, mode = range []string{"fail", "panic"} {
		for _, a := range []answer{f.redeem("web", code), f.refresh("web", rt)} {
			require.GreaterOrEqual(t, a.Code, 500)
			require.NotContains(t, a.Body.String(), "hsm")
		}
	}
	mode = ""
	require.Equal(t, http.StatusOK, f.redeem("web", code).Code)
	require.Equal(t, http.StatusOK, f.refresh("web", rt).Code)
}

// The response to a panic is 500. The code stays valid, and the log contains no secrets.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		for _, verb := range sc.verbs {
			t.Run(sc.name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				var log strings.Builder
				broken := &brokenStore{}
				f := newFixture(t, func(c *token.Config) { broken.Store, c.Store = c.Store, broken; c.Logger = textLogger(&log) })
				code, issued := f.code(), f.login("web")
				broken.verb, broken.panic = verb, true
				a := sc.run(f, code, issued)
				f.requireError(a, http.StatusInternalServerError, portner.ServerError)
				require.NotContains(t, log.String(), pid, "the value of a panic may be anything")
			})
		}
	}
}

func TestPanickingHooks(t *testing.T) {
	t.Parallel()
	t.Run("an event hook changes nothing", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, func(c *token.Config) { c.OnEvent = func(context.Context, portner.Event) { panic("hook") } })
		require.Equal(t, http.StatusOK, f.redeem("web", f.code()).Code)
		f.requireError(f.redeem("web", "x"), http.StatusBadRequest, portner.InvalidGrant)
	})
	t.Run("the user source denies", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, func(c *token.Config) {
			c.Users = token.UserFunc(func(context.Context, string) (token.User, error) { panic("hook") })
		})
		f.requireError(f.redeem("web", f.code()), http.StatusInternalServerError, portner.ServerError)
	})
}

// If the client disconnects before the commit, nothing is written. A commit that has begun is completed.
func TestCancellation(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Code", "Sign", "RedeemCode"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			broken := &brokenStore{hook: func(v string) {
				if v == verb {
					cancel()
				}
			}}
			keys := signingKeys(func(key ed25519.PrivateKey, message []byte) ([]byte, error) {
				broken.hook("Sign")
				return ed25519.Sign(key, message), nil
			})
			f := newFixture(t, func(c *token.Config) {
				broken.Store, c.Store = c.Store, broken
				c.Keys = keys
			})
			code := f.code()
			a := f.sendRequest(f.ep, f.request("web", codeForm(code)).WithContext(ctx))
			if verb == "RedeemCode" {
				require.Equal(t, http.StatusOK, a.Code, a.Body.String())
				require.True(t, f.active(a.str("access_token")))
				return
			}
			require.Equal(t, http.StatusServiceUnavailable, a.Code)
			require.Equal(t, http.StatusOK, f.redeem("web", code).Code, "nothing was consumed")
		})
	}
}

// A grant that was encrypted with an unknown secret is a fault of the provider, not of the client.
func TestUnreadableIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(func(c *storage.AuthorizationCode) { c.Grant.Identity = []byte("garbage") })
	f.requireError(f.redeem("web", code), http.StatusInternalServerError, portner.ServerError)
}

// A client source that fails is an outage at every endpoint.
func TestClientSourceOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.login("web").str("access_token")
	failing := newFixture(t, func(c *token.Config) { c.Store, c.Clients = f.store, failingClients{} })
	failing.now = f.now
	f.requireError(failing.userInfo(at), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	f.requireError(failing.send(failing.ep.Introspection(), "web", url.Values{"token": {at}}), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	broken := newFixture(t, func(c *token.Config) {
		c.Authenticator = must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: failingClients{}, Attempts: noLimit{}}))
	})
	f.requireError(broken.redeem("web", broken.code()), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
}

type failingClients struct{}

func (failingClients) Client(context.Context, string) (*client.Client, error) { return nil, errOutage }

// timeless is a store that returns expired records: the endpoint checks the expiry too.
type timeless struct{ token.Store }

func (s timeless) Code(ctx context.Context, h storage.Hash, _ time.Time) (storage.AuthorizationCode, error) {
	return s.Store.Code(ctx, h, start)
}

func (s timeless) RefreshToken(ctx context.Context, h storage.Hash, _ time.Time) (storage.RefreshToken, storage.Grant, error) {
	return s.Store.RefreshToken(ctx, h, start)
}

func (s timeless) AccessToken(ctx context.Context, h storage.Hash, _ time.Time) (storage.AccessToken, storage.Grant, error) {
	return s.Store.AccessToken(ctx, h, start)
}

func (s timeless) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, _ time.Time) error {
	return s.Store.RedeemCode(ctx, h, i, start)
}

func (s timeless) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, _ time.Time) error {
	return s.Store.RotateRefreshToken(ctx, h, i, grace, start)
}

func TestExpiryIsCheckedBesideTheStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.Store = timeless{c.Store} })
	code, a := f.code(), f.login("web")
	f.advance(10 * time.Minute)
	f.requireError(f.redeem("web", code), http.StatusBadRequest, portner.InvalidGrant)
	f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	f.requireError(f.userInfo(a.str("access_token")), http.StatusUnauthorized, portner.InvalidToken)
	require.Equal(t, false, f.introspect("web", a.str("access_token")).body["active"])
	require.Equal(t, false, f.introspect("web", a.str("refresh_token")).body["active"])
}
