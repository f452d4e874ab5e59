package dpop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
)

const server = "https://as.example"

func nonces(t testing.TB, server string, secrets ...portner.Secret) *dpop.Nonces {
	t.Helper()
	n, err := dpop.NewNonces(server, secrets...)
	require.NoError(t, err)
	return n
}

// withNonce checks a proof with a nonce at now.
func withNonce(n *dpop.Nonces, nonce any, now time.Time) error {
	p := &dpop.Policy{AllowReplay: true, Nonces: n}
	_, err := p.Check(atToken(proof(keys().p256, object{"nonce": nonce})), now)
	return err
}

func TestNewNonces(t *testing.T) {
	t.Parallel()
	good := portner.NewSecret()
	for name, c := range map[string]struct {
		server  string
		secrets []portner.Secret
		fields  []string
	}{
		"no name":       {"", []portner.Secret{good}, []string{"server"}},
		"no secret":     {server, nil, []string{"secrets"}},
		"nothing":       {"", nil, []string{"server", "secrets"}},
		"short secret":  {server, []portner.Secret{good, good[:31]}, []string{"secrets[1]"}},
		"empty secret":  {server, []portner.Secret{nil}, []string{"secrets[0]"}},
		"weak secrets":  {server, []portner.Secret{make(portner.Secret, 32), make(portner.Secret, 32)}, []string{"secrets[0]", "secrets[1]"}},
		"both problems": {"", []portner.Secret{good[:1]}, []string{"server", "secrets[0]"}},
	} {
		n, err := dpop.NewNonces(c.server, c.secrets...)
		require.Nil(t, n, name)
		require.Equal(t, c.fields, fields.Names(err), name)
	}
}

// TestNonceSyntax: RFC 9449 §8.1, at least one character of %x21 / %x23-5B / %x5D-7E.
func TestNonceSyntax(t *testing.T) {
	t.Parallel()
	n := nonces(t, server, portner.NewSecret())
	for i := range 500 {
		require.Regexp(t, `^[!#-\[\]-~]+$`, n.Current(epoch.Add(time.Duration(i)*time.Minute)))
	}
	require.Len(t, n.Current(epoch), len("29453760.")+43)
}

// TestNonceLife: a nonce is valid from its minute to the end of the second minute after, to the nanosecond, and 10 s before for a node
// whose clock is behind.
func TestNonceLife(t *testing.T) {
	t.Parallel()
	n := nonces(t, server, portner.NewSecret())
	nonce := n.Current(epoch) // the first instant of a minute
	require.Equal(t, nonce, n.Current(epoch.Add(time.Minute-1)))
	require.NotEqual(t, nonce, n.Current(epoch.Add(time.Minute)))
	require.NotEqual(t, nonce, n.Current(epoch.Add(-1)))
	for at, valid := range map[time.Duration]bool{
		-10*time.Second - 1: false, -10 * time.Second: true, 0: true, time.Minute: true, 3*time.Minute - 1: true, 3 * time.Minute: false, time.Hour: false,
	} {
		err := withNonce(n, nonce, epoch.Add(at))
		if valid {
			require.NoError(t, err, at)
		} else {
			requireRefused(t, err, dpop.ErrNonce, "dpop_nonce_invalid", at.String())
		}
	}
}

// TestNonceReplacesIat: RFC 9449 §4.3, item 11. The clock of the client does not matter, but exp of the proof does.
func TestNonceReplacesIat(t *testing.T) {
	t.Parallel()
	n := nonces(t, server, portner.NewSecret())
	p := &dpop.Policy{AllowReplay: true, Nonces: n}
	for _, drift := range []time.Duration{-24 * time.Hour, -time.Hour, time.Hour} {
		_, err := p.Check(atToken(proof(keys().p256, object{"nonce": n.Current(epoch), "iat": epoch.Add(drift).Unix()})), epoch)
		require.NoError(t, err, drift)
	}
	_, err := p.Check(atToken(proof(keys().p256, object{"nonce": n.Current(epoch), "iat": nil})), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_times_malformed", "without iat")
	_, err = p.Check(atToken(proof(keys().p256, object{"nonce": n.Current(epoch), "exp": epoch.Unix()})), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_expired", "exp")
}

func TestNonceForms(t *testing.T) {
	t.Parallel()
	n := nonces(t, server, portner.NewSecret())
	good := n.Current(epoch)
	step, mac, _ := strings.Cut(good, ".")
	require.NoError(t, withNonce(n, good, epoch))
	for name, nonce := range map[string]any{"absent": nil, "number": 29453760, "array": []string{good}, "object": object{"nonce": good}} {
		requireRefused(t, withNonce(n, nonce, epoch), dpop.ErrNonce, "dpop_nonce_missing", name)
	}
	for name, nonce := range map[string]string{
		"empty": "", "step": step, "step and point": step + ".", "hash": mac, "no step": "." + mac, "other step": "29453761." + mac,
		"plus": "+" + good, "zero": "0" + good, "space": " " + good, "more": good + "A", "less": good[:len(good)-1], "another part": good + "." + mac,
		"hexadecimal": "0x1c16cc0." + mac, "far step": "999999999999999999999." + mac, "negative": "-" + good, "padding": good + "=", "line": good + "\n",
		"not ASCII": "２９４５３７６０." + mac, "twice": good + good, "long": good + strings.Repeat("A", 4000),
	} {
		requireRefused(t, withNonce(n, nonce, epoch), dpop.ErrNonce, "dpop_nonce_invalid", name)
	}
}

// TestNoncesOfOthers: a nonce is valid for its server only, and for the secrets of the server.
func TestNoncesOfOthers(t *testing.T) {
	t.Parallel()
	one, two := portner.NewSecret(), portner.NewSecret()
	here := nonces(t, server, one)
	t.Run("DPoP nonce", func(t *testing.T) {
		t.Parallel()
		for _, other := range []string{"https://api.example", server + "/", "HTTPS://as.example", "as.example"} {
			requireRefused(t, withNonce(here, nonces(t, other, one).Current(epoch), epoch), dpop.ErrNonce, "dpop_nonce_invalid", other)
		}
	})
	t.Run("rotation", func(t *testing.T) {
		t.Parallel()
		before, during, after := nonces(t, server, one), nonces(t, server, two, one), nonces(t, server, two)
		require.NoError(t, withNonce(during, before.Current(epoch), epoch), "the old secret is still good")
		require.NoError(t, withNonce(during, after.Current(epoch), epoch))
		require.Equal(t, after.Current(epoch), during.Current(epoch), "the first secret makes nonces")
		requireRefused(t, withNonce(after, before.Current(epoch), epoch), dpop.ErrNonce, "dpop_nonce_invalid", "a secret that left")
		requireRefused(t, withNonce(before, after.Current(epoch), epoch), dpop.ErrNonce, "dpop_nonce_invalid", "a secret that is not there yet")
	})
	t.Run("nodes", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, withNonce(nonces(t, server, one), here.Current(epoch), epoch), "another node with the same secret")
	})
}

// TestProofWithNonceIsRememberedAsLongAsItsNonce: the proof cannot be repeated at any instant at which its nonce is valid.
func TestProofWithNonceIsRememberedAsLongAsItsNonce(t *testing.T) {
	t.Parallel()
	n := nonces(t, server, portner.NewSecret())
	for _, first := range []time.Duration{-10 * time.Second, 0, time.Minute, 3*time.Minute - 2} {
		p := policy()
		p.Nonces = n
		r := atToken(proof(keys().p256, object{"nonce": n.Current(epoch)}))
		_, err := p.Verify(t.Context(), r, epoch.Add(first))
		require.NoError(t, err)
		for _, again := range []time.Duration{first, first + 1, 3*time.Minute - 1} {
			_, err = p.Verify(t.Context(), r, epoch.Add(again))
			requireRefused(t, err, dpop.ErrProof, "dpop_replay", again.String())
		}
		_, err = p.Verify(t.Context(), r, epoch.Add(3*time.Minute))
		requireRefused(t, err, dpop.ErrNonce, "dpop_nonce_invalid", "after the nonce")
	}
	var until time.Time
	p := &dpop.Policy{Nonces: n, Replay: storeFunc(func(_ string, _ storage.Hash, expiresAt, _ time.Time) error {
		until = expiresAt
		return nil
	})}
	_, err := p.Verify(t.Context(), atToken(proof(keys().p256, object{"nonce": n.Current(epoch)})), epoch)
	require.NoError(t, err)
	require.Equal(t, epoch.Add(3*time.Minute+10*time.Second), until, "a node whose clock is behind accepts the nonce longer")
}

// TestNonceIsNotReadWithoutNonces: a server without nonces ignores the member.
func TestNonceIsNotReadWithoutNonces(t *testing.T) {
	t.Parallel()
	for _, nonce := range []any{"anything", 1, nil} {
		require.NoError(t, withNonce(nil, nonce, epoch))
	}
}

// FuzzNonce: a nonce is valid if and only if the server makes it in one of three minutes.
func FuzzNonce(f *testing.F) {
	n := nonces(f, server, portner.Secret("\x01\x9a\x7f#qZ\xe1\x0b\x44\x92\xd3\x58\x6e\xaf\x03\xc7\x21\x8d\xf6\x5b\xb0\x37\xca\x1e\x69\x84\xfd\x12\x4c\x97\x2a\xe8"))
	for i := range 4 {
		f.Add(n.Current(epoch.Add(time.Duration(i)*time.Minute)), int64(0))
	}
	f.Add("29453760.", int64(1))
	f.Add("+29453760.AAAA", int64(-1))
	f.Fuzz(func(t *testing.T, nonce string, drift int64) {
		now := epoch.Add(time.Duration(drift))
		want := false
		for back := range 3 {
			want = want || nonce == n.Current(now.Add(-time.Duration(back)*time.Minute))
		}
		want = want || nonce == n.Current(now.Add(10*time.Second))
		_, ok := n.Check(nonce, now)
		require.Equal(t, want, ok, "%q at %v", nonce, now)
	})
}
