package keyset_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
)

// TestJWXVerifiesByTheJWKS: an independent implementation verifies tokens with the published JWKS only.
func TestJWXVerifiesByTheJWKS(t *testing.T) {
	t.Parallel()
	ed := generate(t, keyset.EdDSA)
	ed.Signer = opaque{ed.Signer}
	ps := fixture(t, keyset.PS256)
	for _, keys := range [][]keyset.Key{
		{fixture(t, ""), certify(t, generate(t, keyset.ES256)), ed},
		{ps},
	} {
		s := newSet(t, keys...)
		doc, _ := s.JWKS(epoch)
		set, err := jwk.Parse(doc)
		require.NoError(t, err)
		for _, k := range keys {
			for _, typ := range []string{"", "JWT", "at+jwt", "logout+jwt", "other"} {
				token := sign(t, s, k.Alg, typ, epoch)
				payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
				require.NoError(t, err)
				require.Equal(t, idToken, string(payload))
				payload, err = s.VerifyIDToken(token, epoch)
				if typ != "" && typ != "JWT" {
					require.ErrorIs(t, err, jose.ErrPurpose)
					require.Nil(t, payload)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, idToken, string(payload))
			}
		}
	}
}

func TestDefaultAlg(t *testing.T) {
	t.Parallel()
	es, ed, rs := generate(t, keyset.ES256), generate(t, keyset.EdDSA), fixture(t, keyset.RS256)
	for _, c := range []struct {
		cfg  keyset.Config
		want string
		algs []string
	}{
		{keyset.Config{Keys: []keyset.Key{ed, es}}, keyset.EdDSA, []string{"EdDSA", "ES256"}},
		{keyset.Config{Keys: []keyset.Key{ed, es, rs}}, keyset.RS256, []string{"RS256", "ES256", "EdDSA"}},
		{keyset.Config{Keys: []keyset.Key{ed, es, rs}, DefaultAlg: keyset.ES256}, keyset.ES256, []string{"ES256", "RS256", "EdDSA"}},
	} {
		s, err := keyset.New(c.cfg)
		require.NoError(t, err)
		require.Equal(t, c.algs, s.Algs(epoch))
		for _, alg := range []string{keyset.PS256, "none"} {
			_, err = s.Sign(alg, "", nil, epoch)
			require.Error(t, err)
		}
		h, err := jws.Parse([]byte(sign(t, s, "", "", epoch)))
		require.NoError(t, err)
		require.Equal(t, c.want, h.Signatures()[0].ProtectedHeaders().Algorithm().String())
		require.Empty(t, h.Signatures()[0].ProtectedHeaders().Type())
	}
}

// TestNewRejects breaks one field or key in each case.
func TestNewRejects(t *testing.T) {
	t.Parallel()
	es, other, ed := generate(t, keyset.ES256), generate(t, keyset.ES256), generate(t, keyset.EdDSA)
	with := func(k keyset.Key, change func(*keyset.Key)) keyset.Key { change(&k); return k }
	life := func(k keyset.Key, l keyset.Life) keyset.Key { k.Life = l; return k }
	at := func(hours int) time.Time { return epoch.Add(time.Duration(hours) * time.Hour) }
	for name, c := range map[string]struct {
		cfg  keyset.Config
		want string
	}{
		"no keys":            {keyset.Config{}, "Keys: is required"},
		"no signer":          {keyset.Config{Keys: []keyset.Key{{Alg: keyset.ES256}}}, "Keys[0]: no Signer"},
		"unknown alg":        {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) { k.Alg = "HS256" })}}, "unknown alg"},
		"RS384":              {keyset.Config{Keys: []keyset.Key{with(fixture(t, ""), func(k *keyset.Key) { k.Alg = "RS384" })}}, "unknown alg"},
		"alg of another key": {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) { k.Alg = keyset.EdDSA })}}, "does not fit"},
		"kid of another key": {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) { k.KID = other.KID })}}, "not the thumbprint"},
		"kid of one's own":   {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) { k.KID = "key-1" })}}, "not the thumbprint"},
		"signer of another": {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) {
			k.Signer = wrong{other.Signer, es.Signer.Public()}
		})}}, "does not verify with its public key"},
		"chain of another":     {keyset.Config{Keys: []keyset.Key{with(es, func(k *keyset.Key) { k.X5C = certify(t, other).X5C })}}, "certifies another key"},
		"same key twice":       {keyset.Config{Keys: []keyset.Key{es, es}}, "listed twice"},
		"same RSA key, 2 algs": {keyset.Config{Keys: []keyset.Key{fixture(t, "RS256"), fixture(t, "PS256")}}, "listed twice"},
		"two at one instant":   {keyset.Config{Keys: []keyset.Key{es, other}}, "same instant"},
		"no default key":       {keyset.Config{Keys: []keyset.Key{es}, DefaultAlg: keyset.RS256}, "DefaultAlg: there is no key"},
		"default ends":         {keyset.Config{Keys: []keyset.Key{life(es, keyset.Life{RetireAt: at(1)})}}, "must not retire"},
		"gap": {
			keyset.Config{Keys: []keyset.Key{life(es, keyset.Life{RetireAt: at(1)}), life(other, keyset.Life{ActiveFrom: at(2)})}},
			"before its successor",
		},
		"retires first":   {keyset.Config{Keys: []keyset.Key{es, life(ed, keyset.Life{ActiveFrom: at(2), RetireAt: at(1)})}}, "retires before it signs"},
		"removed in use":  {keyset.Config{Keys: []keyset.Key{life(es, keyset.Life{RemoveAt: at(1)})}}, "RemoveAt"},
		"removed early":   {keyset.Config{Keys: []keyset.Key{es, life(ed, keyset.Life{RetireAt: at(1), RemoveAt: at(24)})}}, "RemoveAt"},
		"published late":  {keyset.Config{Keys: []keyset.Key{es, life(ed, keyset.Life{PublishFrom: at(1), ActiveFrom: at(48)})}}, "published for 48h"},
		"lead too short":  {keyset.Config{Keys: []keyset.Key{es}, Rotation: keyset.Rotation{PublishLead: time.Hour}}, "PublishLead"},
		"negative keep":   {keyset.Config{Keys: []keyset.Key{es}, Rotation: keyset.Rotation{Keep: -1}}, "Keep"},
		"several at once": {keyset.Config{Keys: []keyset.Key{{Alg: "none"}, {Alg: keyset.RS256}}}, "Keys[1]"},
	} {
		_, err := keyset.New(c.cfg)
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: "none"}, {Alg: keyset.RS256}}})
	require.ErrorContains(t, err, "Keys[0]", "every problem at once")
}

// TestJWKSIsPublic: the JWKS has no private members.
func TestJWKSIsPublic(t *testing.T) {
	t.Parallel()
	s := newSet(t, certify(t, fixture(t, "")), generate(t, keyset.ES256), generate(t, keyset.EdDSA))
	doc, etag := s.JWKS(epoch)
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(doc, &set))
	require.Len(t, set.Keys, 3)
	allowed := map[string]bool{"kty": true, "kid": true, "alg": true, "use": true, "n": true, "e": true, "crv": true, "x": true, "y": true, "x5c": true}
	for _, k := range set.Keys {
		for name := range k {
			require.True(t, allowed[name], name)
		}
		require.Equal(t, "sig", k["use"])
	}
	require.Regexp(t, regexp.MustCompile(`^"[A-Za-z0-9_-]{22}"$`), etag, "a strong ETag (RFC 9110 §8.8.3)")
	again, etag2 := s.JWKS(epoch.AddDate(1, 0, 0))
	require.Equal(t, etag, etag2)
	require.Same(t, &doc[0], &again[0], "the same bytes until something changes")
}

func TestX5CInHeaders(t *testing.T) {
	t.Parallel()
	k := certify(t, generate(t, keyset.ES256))
	for _, include := range []bool{false, true} {
		s, err := keyset.New(keyset.Config{Keys: []keyset.Key{k}, IncludeX5C: include})
		require.NoError(t, err)
		m, err := jws.Parse([]byte(sign(t, s, "", "", epoch)))
		require.NoError(t, err)
		require.Equal(t, include, m.Signatures()[0].ProtectedHeaders().X509CertChain() != nil)
		doc, _ := s.JWKS(epoch)
		require.Contains(t, string(doc), `"x5c":["`)
	}
}

// tampered changes the first character of the signature.
func tampered(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	changed := "A"
	if token[i] == 'A' {
		changed = "B"
	}
	return token[:i] + changed + token[i+1:]
}

// TestVerifyIDTokenRejectsOtherKinds: an access token without typ, an assertion and a logout token are no id_tokens.
func TestVerifyIDTokenRejectsOtherKinds(t *testing.T) {
	t.Parallel()
	s := newSet(t, generate(t, keyset.ES256))
	for name, payload := range map[string]string{
		"access token": `{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"client_id":"c"}`,
		"scope":        `{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"scope":"x"}`,
		"logout token": `{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"events":{}}`,
		"assertion":    `{"iss":"i","sub":"i","aud":"a","iat":1,"exp":2}`,
		"no sub":       `{"iss":"i","aud":"a","iat":1,"exp":2}`,
		"no object":    `[]`,
	} {
		token, err := s.Sign("", "", []byte(payload), epoch)
		require.NoError(t, err)
		got, err := s.VerifyIDToken(token, epoch)
		require.Error(t, err, name)
		require.Nil(t, got, name)
	}
}

func TestVerifyRejectsForeignTokens(t *testing.T) {
	t.Parallel()
	a, b := newSet(t, generate(t, keyset.ES256)), newSet(t, generate(t, keyset.ES256))
	token := sign(t, a, "", "", epoch)
	_, err := b.VerifyIDToken(token, epoch)
	require.Error(t, err)
	payload, err := a.VerifyIDToken(tampered(token), epoch)
	require.Error(t, err)
	require.Nil(t, payload)
	_, err = a.VerifyIDToken(strings.Repeat("a", 1<<20), epoch)
	require.Error(t, err)
}

func TestFailingSigner(t *testing.T) {
	t.Parallel()
	var fault error
	k := generate(t, keyset.ES256)
	k.Signer = failing{k.Signer, &fault}
	s := newSet(t, k)
	fault = errors.New("HSM is down")
	token, err := s.Sign("", "", []byte("{}"), epoch)
	require.ErrorIs(t, err, fault)
	require.Empty(t, token)
	_, err = keyset.New(keyset.Config{Keys: []keyset.Key{k}})
	require.ErrorIs(t, err, fault, "a key that cannot sign is found at start-up")
}

// TestKeysRedactThemselves: no verb, log handler or encoder prints a private key.
func TestKeysRedactThemselves(t *testing.T) {
	t.Parallel()
	k := generate(t, keyset.EdDSA)
	s := newSet(t, k)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "set", s, "cfg", keyset.Config{Keys: []keyset.Key{k}})
	raw, err := json.Marshal(k)
	require.NoError(t, err)
	text := log.String() + string(raw)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb+verb+verb+verb, k, &k, s, keyset.Config{Keys: []keyset.Key{k}})
	}
	private := fmt.Sprintf("%d", k.Signer)
	for _, secret := range []string{private[1:40], fmt.Sprintf("%x", k.Signer)[:40], fmt.Sprintf("%v", k.Signer)[1:40], "Signer"} {
		require.NotContains(t, text, secret)
	}
	require.Contains(t, text, k.KID)
}

// TestConcurrentUse signs and reads while keys are added. Run it with -race.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := newSet(t, generate(t, keyset.ES256), generate(t, keyset.EdDSA))
	const rounds = 40
	var readers, writers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				token, err := s.Sign("", "JWT", []byte(idToken), epoch)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.VerifyIDToken(token, epoch); err != nil {
					t.Error(err)
					return
				}
				doc, etag := s.JWKS(epoch)
				if !json.Valid(doc) || etag == "" || len(s.Algs(epoch)) != 2 {
					t.Error("an incomplete view")
					return
				}
			}
		})
	}
	for w := range 2 {
		alg := []string{keyset.ES256, keyset.EdDSA}[w]
		next := make([]keyset.Key, rounds)
		for i := range next {
			next[i] = generate(t, alg)
		}
		writers.Go(func() {
			for i, k := range next {
				if err := s.Add(k, 0, epoch.Add(time.Duration(i)*time.Hour)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	require.Len(t, s.States(), 2+2*rounds, "no addition is lost")
}

func TestReadingAllocatesNothing(t *testing.T) {
	s := newSet(t, generate(t, keyset.ES256), generate(t, keyset.EdDSA))
	require.Zero(t, slow.Allocations(t, 100, func() { s.JWKS(epoch) }))
}

func TestSignAllocations(t *testing.T) {
	s := newSet(t, generate(t, keyset.ES256))
	k := generate(t, keyset.ES256)
	digest := make([]byte, 32)
	bare := slow.Allocations(t, 200, func() { _, _ = k.Signer.Sign(rand.Reader, digest, crypto.SHA256) })
	ours := slow.Allocations(t, 200, func() { sign(t, s, "", "JWT", epoch) })
	require.LessOrEqual(t, ours-bare, 4.0, "bare %v, ours %v", bare, ours)
}

// TestZeroSet: the zero value has no keys.
func TestZeroSet(t *testing.T) {
	t.Parallel()
	var s keyset.Set
	_, err := s.Sign("", "JWT", nil, epoch)
	require.EqualError(t, err, `keyset: no active key for alg ""`)
	require.EqualError(t, s.Ready(epoch), "keyset: no active key")
	require.Empty(t, s.Algs(epoch))
	require.Empty(t, s.States())
	doc, etag := s.JWKS(epoch)
	require.Equal(t, `{"keys":[]}`, string(doc))
	require.NotEmpty(t, etag)
	_, err = s.VerifyIDToken("e30.e30.e30", epoch)
	require.Error(t, err)
}
