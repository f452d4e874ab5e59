package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/storage/memory"
)

// vectors are proofs that other implementations made and verified: one fault each, or none.
type vectors struct {
	Defaults struct{ EP, H, Expect string }
	Now      int64
	Policy   struct {
		Algs   []string
		MaxAge int64 `json:"max_age"`
		Future int64
	}
	AS, RS  struct{ M, U string }
	AT, ATH string
	Keys    map[string]map[string]string
	JKT     map[string]string
	Headers map[string]string
	Vectors []vector
}

type vector struct {
	ID, EP, H, P, S, Expect, Why string
	WantNonce                    string `json:"want_nonce"`
}

func loadVectors(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &v))
	require.Len(t, v.Vectors, 38)
	for i := range v.Vectors {
		one := &v.Vectors[i]
		if one.EP == "" {
			one.EP = v.Defaults.EP
		}
		if one.H == "" {
			one.H = v.Defaults.H
		}
		if one.Expect == "" {
			one.Expect = v.Defaults.Expect
		}
	}
	return v
}

func (v *vectors) proof(one vector) string {
	head, known := v.Headers[one.H]
	if !known {
		head = one.H
	}
	return head + "." + one.P + "." + one.S
}

func (v *vectors) request(one vector) dpop.Request {
	r := dpop.Request{Proofs: []string{v.proof(one)}, Method: v.AS.M, URL: v.AS.U}
	if one.EP == "rs" {
		r.Method, r.URL, r.AccessToken, r.Key = v.RS.M, v.RS.U, v.AT, v.JKT["p256"]
	}
	return r
}

func (v *vectors) policy() *dpop.Policy {
	return &dpop.Policy{
		Replay: memory.New(), Algorithms: v.Policy.Algs,
		MaxAge: time.Duration(v.Policy.MaxAge) * time.Second, MaxAhead: time.Duration(v.Policy.Future) * time.Second,
	}
}

// vectorReasons are the reasons of the refusals.
var vectorReasons = map[string]string{
	"typ-wrong": "dpop_typ", "alg-none": "dpop_malformed", "alg-hs256": "dpop_alg_mismatch", "alg-curve": "dpop_alg_mismatch",
	"jwk-missing": "dpop_jwk", "jwk-private": "dpop_jwk", "crit": "dpop_crit",
	"sig-bad": "dpop_signature_mismatch", "sig-other-key": "dpop_signature_mismatch", "sig-der": "dpop_signature_mismatch",
	"jti-missing": "dpop_jti_malformed", "jti-empty": "dpop_jti_malformed", "htm-wrong": "dpop_htm_mismatch", "htm-case": "dpop_htm_mismatch",
	"htu-path": "dpop_htu_mismatch", "htu-scheme": "dpop_htu_mismatch", "htu-slash": "dpop_htu_mismatch",
	"iat-missing": "dpop_times_malformed", "iat-string": "dpop_times_malformed", "iat-old": "dpop_iat_too_old", "iat-future": "dpop_iat_in_future",
	"dup-member": "dpop_malformed", "nonce-missing": "dpop_nonce_missing", "nonce-wrong": "dpop_nonce_invalid",
	"rs-ath-missing": "dpop_ath_mismatch", "rs-ath-wrong": "dpop_ath_mismatch", "rs-other-key": "dpop_key_mismatch",
}

func TestVectors(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	now := time.Unix(v.Now, 0)
	kinds := map[string]error{"invalid_dpop_proof": dpop.ErrProof, "use_dpop_nonce": dpop.ErrNonce, "invalid_token": dpop.ErrKey}
	for _, one := range v.Vectors {
		t.Run(one.ID, func(t *testing.T) {
			t.Parallel()
			p := v.policy()
			if one.WantNonce != "" && one.Expect != "ok" { // an accepted nonce is in TestVectorWithNonce
				nonces, err := dpop.NewNonces("https://as.example", portner.NewSecret())
				require.NoError(t, err)
				p.Nonces = nonces
			}
			require.NoError(t, p.Validate())
			key, err := p.Verify(t.Context(), v.request(one), now)
			if one.Expect != "ok" {
				requireRefused(t, err, kinds[one.Expect], vectorReasons[one.ID], one.Why)
				require.Empty(t, key)
				return
			}
			require.NoError(t, err, one.Why)
			require.Equal(t, v.JKT[one.H], key)
			_, err = p.Verify(t.Context(), v.request(one), now)
			requireRefused(t, err, dpop.ErrProof, "dpop_replay", "the second time")
		})
	}
}

// TestVectorWithNonce: the vector with a nonce is accepted by a server that made the nonce.
func TestVectorWithNonce(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	now := time.Unix(v.Now, 0)
	nonces, err := dpop.NewNonces("https://as.example", portner.NewSecret())
	require.NoError(t, err)
	p := v.policy()
	p.Nonces = nonces
	for _, one := range v.Vectors {
		if one.ID != "ok-nonce" {
			continue
		}
		_, err := p.Check(v.request(one), now)
		requireRefused(t, err, dpop.ErrNonce, "dpop_nonce_invalid", "the nonce of another server")
		text, err := base64.RawURLEncoding.DecodeString(one.P)
		require.NoError(t, err)
		input := v.Headers[one.H] + "." + b64([]byte(strings.Replace(string(text), `"N1"`, `"`+nonces.Current(now)+`"`, 1)))
		r := v.request(one)
		r.Proofs = []string{input + "." + b64(sign(v.key(t, one.H), input))}
		key, err := p.Verify(t.Context(), r, now)
		require.NoError(t, err)
		require.Equal(t, v.JKT[one.H], key)
		return
	}
	t.Fatal("there is no such vector")
}

func (v *vectors) key(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	d, err := base64.RawURLEncoding.DecodeString(v.Keys[name]["d"])
	require.NoError(t, err)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	require.NoError(t, err)
	return key
}

// TestVectorsAtOtherRequests: a valid proof of a vector is refused where it does not belong.
func TestVectorsAtOtherRequests(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	now := time.Unix(v.Now, 0)
	for _, one := range v.Vectors {
		if one.ID != "ok-es256" {
			continue
		}
		r := v.request(one)
		r.Proofs = append(r.Proofs, r.Proofs[0])
		_, err := v.policy().Check(r, now)
		requireRefused(t, err, dpop.ErrProof, "dpop_repeated", "two header fields")
		for _, joint := range []string{",", ", "} {
			r.Proofs = []string{v.proof(one) + joint + v.proof(one)}
			_, err = v.policy().Check(r, now)
			requireRefused(t, err, dpop.ErrProof, "dpop_repeated", "two fields that a proxy joined")
		}
		r = v.request(one)
		r.Key = v.JKT["other"] // dpop_jkt of the code, or the key of a refresh token
		_, err = v.policy().Check(r, now)
		requireRefused(t, err, dpop.ErrKey, "dpop_key_mismatch", "the key of another client")
		r.Key = v.JKT["p256"]
		_, err = v.policy().Check(r, now)
		require.NoError(t, err)
		return
	}
	t.Fatal("there is no such vector")
}
