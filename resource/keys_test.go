package resource_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

// fakeIssuer is a transport that responds to requests for keys.
type fakeIssuer struct {
	fetched atomic.Int64
	mu      sync.Mutex
	answer  func(*http.Request) (*http.Response, error)
}

func (f *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	f.fetched.Add(1)
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	return answer(r)
}

func (f *fakeIssuer) answers(answer func(*http.Request) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// serves sets the document of the next responses.
func (f *fakeIssuer) serves(doc []byte, header ...string) {
	f.answers(func(*http.Request) (*http.Response, error) { return response(200, doc, header...), nil })
}

func response(status int, doc []byte, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(doc))}
}

func (f *fakeIssuer) fails() {
	f.answers(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
}

// remote returns a verifier that fetches its keys from f.
func (f *fakeIssuer) remote(t *testing.T) *resource.Verifier {
	return verifier(t, resource.Config{Issuer: maskinporten, URL: api, Keys: resource.RemoteKeys{URI: maskinporten + "jwk", HTTP: &http.Client{Transport: f}}})
}

// fresh returns a token that was issued now.
func fresh(t testing.TB, kid string, key crypto.Signer) string {
	now := time.Now().Unix()
	return signWith(t, jose.ES256, kid, key, "", machine(t).with("iat", now, "exp", now+3600).json(t))
}

// one returns a set of one key.
func one(t testing.TB, kid string, key crypto.Signer) []byte {
	return keySet(t, map[string]crypto.Signer{kid: key})
}

// TestKeysStorm checks that tokens with a thousand unknown kids cause at most one fetch per Refetch, and that a token with a
// known kid does not wait for it.
func TestKeysStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		doc := one(t, "a", ecKey())
		f.answers(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // all tokens arrive during the fetch
			return response(200, doc), nil
		})
		v := f.remote(t)
		storm := func() {
			var wg sync.WaitGroup
			for i := range 1000 {
				token := fresh(t, fmt.Sprintf("unknown-%d", i), ecKey())
				wg.Go(func() {
					_, err := v.Verify(t.Context(), resource.Bearer(token))
					if e := rejection(t, err); e.Reason != "key_unknown" {
						t.Errorf("rejected with %s", e.Reason)
					}
				})
			}
			wg.Wait()
		}
		storm()
		require.Equal(t, int64(1), f.fetched.Load())
		storm()
		_, err := v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.NoError(t, err)
		require.Equal(t, int64(1), f.fetched.Load())
		time.Sleep(resource.DefaultKeysRefetch)
		storm()
		require.Equal(t, int64(2), f.fetched.Load())
	})
}

// TestKeysRotate checks that a token with a new kid causes a fetch.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		f.serves(one(t, "a", ecKey()))
		v := f.remote(t)
		_, err := v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.NoError(t, err)
		next := newECKey()
		f.serves(keySet(t, map[string]crypto.Signer{"a": ecKey(), "b": next}))
		_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, "b", next)))
		require.Equal(t, "key_unknown", rejection(t, err).Reason, "within Refetch")
		time.Sleep(resource.DefaultKeysRefetch)
		for _, kid := range []string{"b", "a"} {
			_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, kid, map[string]crypto.Signer{"a": ecKey(), "b": next}[kid])))
			require.NoError(t, err)
		}
		require.Equal(t, int64(2), f.fetched.Load())
		f.serves(one(t, "b", next)) // a is withdrawn
		time.Sleep(resource.DefaultKeysMaxAge)
		_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, "b", next)))
		require.NoError(t, err)
		synctest.Wait()
		_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.Equal(t, "key_unknown", rejection(t, err).Reason)
	})
}

// TestKeysMaxAge checks that a set is used for a day or the shorter max-age of the response, and at least for Refetch.
func TestKeysMaxAge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header string
		lives  time.Duration
	}{
		{"", 24 * time.Hour},
		{"max-age=3600", time.Hour},
		{`public, MAX-AGE="3600", must-revalidate`, time.Hour},
		{"max-age=99999999", 24 * time.Hour},
		{"max-age=1", 30 * time.Second},
		{"no-store", 30 * time.Second},
		{"max-age=-5", 30 * time.Second},
	} {
		t.Run(tt.header, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeIssuer{}
				f.serves(one(t, "a", ecKey()), "Cache-Control", tt.header)
				v := f.remote(t)
				use := func() int64 {
					_, err := v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
					require.NoError(t, err)
					synctest.Wait()
					return f.fetched.Load()
				}
				require.Equal(t, int64(1), use())
				time.Sleep(tt.lives - 1)
				require.Equal(t, int64(1), use())
				time.Sleep(time.Nanosecond)
				require.Equal(t, int64(2), use())
			})
		})
	}
}

// TestKeysOutage checks that the last set is used for ten minutes after MaxAge, and that the status is 503 after that.
func TestKeysOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		f.fails()
		v := f.remote(t)
		rules := resource.Rules{AllowNoScope: true}
		require.Equal(t, 503, call(v, rules, fresh(t, "a", ecKey())).Code, "never fetched")
		require.Equal(t, 503, call(v, rules, fresh(t, "a", ecKey())).Code, "within Refetch")
		require.Equal(t, int64(1), f.fetched.Load())

		f.serves(one(t, "a", ecKey()))
		time.Sleep(resource.DefaultKeysRefetch)
		require.Equal(t, 200, call(v, rules, fresh(t, "a", ecKey())).Code)
		f.fails()
		time.Sleep(resource.DefaultKeysMaxAge + 10*time.Minute - 1)
		require.Equal(t, 200, call(v, rules, fresh(t, "a", ecKey())).Code, "stale")
		synctest.Wait()
		require.Equal(t, 503, call(v, rules, fresh(t, "b", ecKey())).Code, "perhaps a new key")
		time.Sleep(time.Nanosecond)
		require.Equal(t, 503, call(v, rules, fresh(t, "a", ecKey())).Code, "too stale")
		_, err := v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		f.serves(one(t, "a", ecKey()))
		time.Sleep(resource.DefaultKeysRefetch)
		require.Equal(t, 200, call(v, rules, fresh(t, "a", ecKey())).Code, "back")
	})
}

// TestKeysHang checks that a fetch times out after three seconds and that tokens with a known kid do not wait for it.
func TestKeysHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		f.serves(one(t, "a", ecKey()))
		v := f.remote(t)
		_, err := v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.NoError(t, err)
		f.answers(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		time.Sleep(resource.DefaultKeysMaxAge)
		start := time.Now()
		_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.NoError(t, err)
		require.Zero(t, time.Since(start), "stale keys while the fetch is under way")
		_, err = v.Verify(t.Context(), resource.Bearer(fresh(t, "b", ecKey())))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.Equal(t, 3*time.Second, time.Since(start))

		time.Sleep(resource.DefaultKeysRefetch)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = v.Verify(ctx, resource.Bearer(fresh(t, "b", ecKey())))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(3 * time.Second)
	})
}

// TestKeysCanceled checks that a canceled request does not cancel the fetch that other requests wait for.
func TestKeysCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		doc := one(t, "a", ecKey())
		f.answers(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(2 * time.Second):
				return response(200, doc), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		v := f.remote(t)
		ctx, cancel := context.WithCancel(t.Context())
		token := fresh(t, "a", ecKey())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := v.Verify(ctx, resource.Bearer(token))
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), resource.Bearer(token)); err != nil {
				t.Error(err)
			}
		})
		cancel()
		wg.Wait()
		require.Equal(t, int64(1), f.fetched.Load())
	})
}

// TestKeysHostileEndpoint checks that only a small JSON document of the endpoint itself is read, and that invalid keys are
// ignored.
func TestKeysHostileEndpoint(t *testing.T) {
	t.Parallel()
	good := one(t, "a", ecKey())
	jwk := func(set []byte) string { return strings.TrimSuffix(strings.TrimPrefix(string(set), `{"keys":[`), `]}`) }
	weak, err := os.ReadFile("testdata/weak.jwk.json")
	require.NoError(t, err)
	private := strings.Replace(jwk(one(t, "p", ecKey())), `{`, `{"d":"AAAA",`, 1)
	for name, tt := range map[string]struct {
		answer *http.Response
		kid    string
		status int
	}{
		"good":                   {response(200, good), "a", 200},
		"jwk-set+json":           {response(200, good, "Content-Type", "application/jwk-set+json; charset=utf-8"), "a", 200},
		"beside an unknown type": {response(200, []byte(`{"keys":[{"kty":"XX"},`+jwk(good)+`]}`)), "a", 200},
		"beside a symmetric key": {response(200, []byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"s"},`+jwk(good)+`]}`)), "a", 200},
		"beside a weak key":      {response(200, []byte(`{"keys":[`+string(weak)+`,`+jwk(good)+`]}`)), "a", 200},
		"with more members":      {response(200, []byte(`{"x":1,"keys":[`+jwk(good)+`]}`)), "a", 200},
		"the private key":        {response(200, []byte(`{"keys":[`+private+`,`+jwk(good)+`]}`)), "p", 401},
		"for encryption":         {response(200, []byte(`{"keys":[`+jwk(good)+`,`+strings.Replace(jwk(one(t, "e", ecKey())), `"use":"sig"`, `"use":"enc"`, 1)+`]}`)), "e", 401},
		"two keys of one kid":    {response(200, []byte(`{"keys":[`+jwk(good)+`,`+jwk(one(t, "a", newECKey()))+`]}`)), "a", 200},
		"other keys of the kid":  {response(200, []byte(`{"keys":[`+jwk(one(t, "a", newECKey()))+`,`+jwk(one(t, "a", newECKey()))+`]}`)), "a", 401},
		"only a weak key":        {response(200, []byte(`{"keys":[`+string(weak)+`]}`)), "a", 503},
		"no key":                 {response(200, []byte(`{"keys":[]}`)), "a", 503},
		"keys is no array":       {response(200, []byte(`{"keys":{}}`)), "a", 503},
		"keys twice":             {response(200, []byte(`{"keys":[],"keys":[`+jwk(good)+`]}`)), "a", 503},
		"HTML":                   {response(200, good, "Content-Type", "text/html"), "a", 503},
		"not found":              {response(404, good), "a", 503},
		"a redirect":             {response(303, good, "Location", "https://evil.example/jwk"), "a", 503},
		"longer than 64 KiB":     {response(200, append(bytes.Clone(good), bytes.Repeat([]byte(" "), 64<<10)...)), "a", 503},
		"only for encryption":    {response(200, bytes.Replace(good, []byte(`"use":"sig"`), []byte(`"use":"enc"`), 1)), "a", 503},
		"of exactly 64 KiB":      {response(200, append(bytes.Repeat([]byte(" "), 64<<10-len(good)), good...)), "a", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeIssuer{}
				f.answers(func(*http.Request) (*http.Response, error) { return tt.answer, nil })
				require.Equal(t, tt.status, call(f.remote(t), resource.Rules{AllowNoScope: true}, fresh(t, tt.kid, ecKey())).Code)
				require.Equal(t, int64(1), f.fetched.Load(), "and no redirect followed")
			})
		})
	}
}

// TestKeysPanic checks that a panic of the transport, which happens in another goroutine, is recovered.
func TestKeysPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		f.answers(func(*http.Request) (*http.Response, error) { panic(synthetic) })
		_, err := f.remote(t).Verify(t.Context(), resource.Bearer(fresh(t, "a", ecKey())))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.NotContains(t, err.Error(), synthetic)
	})
}

// TestKeysStandardBase64 checks that keys in standard base64 are accepted only if AllowStandardBase64 is set.
func TestKeysStandardBase64(t *testing.T) {
	t.Parallel()
	var jwk map[string]string
	key := newECKey()
	for { // a key whose text differs between the two alphabets
		doc := one(t, "a", key)
		require.NoError(t, json.Unmarshal(doc[len(`{"keys":[`):len(doc)-2], &jwk))
		if strings.ContainsAny(jwk["x"], "-") && strings.ContainsAny(jwk["y"], "_") {
			break
		}
		key = newECKey()
	}
	for _, name := range []string{"x", "y"} {
		jwk[name] = strings.NewReplacer("-", "+", "_", "/").Replace(jwk[name]) + "="
	}
	raw, err := json.Marshal(jwk)
	require.NoError(t, err)
	escaped := strings.NewReplacer("+", `\u002B`, "/", `\/`).Replace(string(raw)) // as .NET writes it
	for name, tt := range map[string]struct {
		doc    string
		allow  bool
		status int
	}{
		"rejected":          {string(raw), false, 503},
		"read":              {string(raw), true, 200},
		"read escaped":      {escaped, true, 200},
		"base64url as well": {string(one(t, "a", key)[len(`{"keys":[`) : len(one(t, "a", key))-2]), true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeIssuer{}
				f.serves([]byte(`{"keys":[` + tt.doc + `]}`))
				v := verifier(t, resource.Config{Issuer: maskinporten, URL: api, Keys: resource.RemoteKeys{
					URI: maskinporten + "jwk", HTTP: &http.Client{Transport: f}, AllowStandardBase64: tt.allow,
				}})
				require.Equal(t, tt.status, call(v, resource.Rules{AllowNoScope: true}, fresh(t, "a", key)).Code)
			})
		})
	}
}
