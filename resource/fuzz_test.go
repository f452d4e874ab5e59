package resource_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

// FuzzVerify checks that every token is rejected with a reason or signed by the issuer.
func FuzzVerify(f *testing.F) {
	good := sign(f, "ec", "", machine(f).json(f))
	f.Add(good)
	f.Add(sign(f, "rsa", "at+jwt", person(f).json(f)))
	f.Add(raw(`{"alg":"none"}`, machine(f).json(f), nothing))
	f.Add("a.b.c")
	for _, token := range []string{"", ".", "..", "...", good + ".", good[:len(good)-1], good + "A", " " + good, good[:len(good)/2], raw(`{"alg":"HS256"}`, machine(f).json(f), nothing), raw(`{"alg":"ES256","crit":["b64"],"b64":false}`, []byte("{}"), nothing)} {
		f.Add(token)
	}
	v, err := resource.New(config(f))
	require.NoError(f, err)
	keys, err := jose.ParseJWKS(issuerKeys(f))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, token string) {
		verified, err := v.Verify(t.Context(), resource.Bearer(token))
		if err != nil {
			require.Nil(t, verified)
			e := rejection(t, err)
			require.NotEmpty(t, e.Reason)
			require.NotContains(t, v.Reply(err).Header["Www-Authenticate"][0], "\n")
			return
		}
		// RFC 6750 §2.1: there may be several spaces after the scheme.
		_, err = jose.Verify(strings.TrimLeft(token, " "), jose.MaxTokenX5C, []string{jose.ES256, jose.RS256}, keys, jose.AccessToken)
		require.NoError(t, err)
	})
}

// FuzzClaims checks that accepted claims are those of the issuer, valid now and for this API.
func FuzzClaims(f *testing.F) {
	f.Add(machine(f).json(f))
	f.Add(person(f).json(f))
	f.Add([]byte(systemUser))
	f.Add([]byte(delegated))
	f.Add([]byte(digitalPost))
	f.Add(machine(f).with("iat", 1752825451, "exp", 1752825571, "authorization_details", parse(f, `{"d":`+consent+`}`)["d"]).json(f))
	v, err := resource.New(config(f))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := v.Verify(t.Context(), resource.Bearer(sign(t, "ec", "", payload)))
		if err != nil {
			require.Nil(t, token)
			require.NotEmpty(t, rejection(t, err).Reason)
			return
		}
		require.Equal(t, maskinporten, token.Issuer)
		require.True(t, epoch.Before(token.ExpiresAt.Add(resource.DefaultLeeway)))
		require.False(t, token.IsMachine() && token.HasUser())
		require.Empty(t, token.Audience, "Config.Audience does not hold the fuzzed values")
		for _, o := range []resource.Organisation{token.Consumer, token.Supplier} {
			require.True(t, o.Orgno == "" || len(o.Orgno) == 9 && strings.HasPrefix(o.ID, "0192:"+o.Orgno))
		}
		if user, ok := token.SystemUser(); ok {
			require.Len(t, user.Org.Orgno, 9)
		}
		if given, ok := token.Consent(); ok {
			require.False(t, given.ValidTo.IsZero())
		}
		if !token.PID.IsZero() {
			require.NotContains(t, token.String(), token.PID.Reveal())
		}
		_ = resource.Rules{AllowNoScope: true, RequireConsent: true, RequireSystemUser: true, DelegationSources: []string{token.DelegationSource}}.Check(token, epoch)
	})
}

// FuzzFields checks that a request with any Authorization and DPoP fields is accepted only with the token and a proof for it, and that a
// response has one challenge field without line breaks and at most one nonce.
func FuzzFields(f *testing.F) {
	p, other := newProver(f), newProver(f)
	token, plain := bound(f, map[string]any{"jkt": p.jkt}), sign(f, "ec", "", person(f).json(f))
	good := p.proof(f, token)
	for _, authorization := range []string{"DPoP " + token, "dpop  " + token, "Bearer " + token, "Bearer " + plain, "DPoP " + plain, "DPoP", "Basic YTpi", "DPoP " + token + ", Bearer " + plain} {
		for _, proof := range []string{good, "", other.proof(f, token), good + "," + good, good + " ", "a.b.c", p.proof(f, plain)} {
			f.Add(authorization, proof, "/v1/x")
		}
	}
	f.Add("DPoP "+token, good, "/v1/%78")
	f.Add("DPoP "+token, good, "/v1/y/../x")
	f.Add("DPoP "+token, good, "@evil.example/v1/x")
	cfg := config(f)
	cfg.DPoP = &dpop.Policy{AllowReplay: true}
	v, err := resource.New(cfg)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, authorization, proof, path string) {
		r := resource.Request{Method: "GET", Path: path, Authorization: []string{authorization}, DPoP: []string{proof}}
		verified, err := v.Verify(t.Context(), r)
		if err != nil {
			require.Nil(t, verified)
			require.NotEmpty(t, rejection(t, err).Reason)
			reply := v.Reply(err)
			require.Len(t, reply.Header["Www-Authenticate"], 1)
			require.NotContains(t, reply.Header["Www-Authenticate"][0], "\n")
			require.Empty(t, reply.Header["Dpop-Nonce"])
			return
		}
		scheme, sent, _ := strings.Cut(authorization, " ")
		sent = strings.TrimLeft(sent, " ")
		if verified.Confirmation.Key == "" {
			require.True(t, strings.EqualFold(scheme, "Bearer") && sent == plain)
			return
		}
		require.True(t, strings.EqualFold(scheme, "DPoP") && sent == token, "a bound token needs the scheme DPoP")
		require.Equal(t, p.jkt, verified.Confirmation.Key)
		require.True(t, strings.HasPrefix(path, "/"))
		require.Equal(t, strings.Split(good, ".")[:2], strings.Split(proof, ".")[:2], "of the key")
	})
}
