package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
)

// used are requests with a proof, at each endpoint that accepts one. refused is how a second request with the proof ends.
func (n *nodes) used(t *testing.T, p *prover) map[string]struct {
	send    func(op *optest.OP) optest.Answer
	status  int
	refused int
} {
	t.Helper()
	type entry = struct {
		send    func(op *optest.OP) optest.Answer
		status  int
		refused int
	}
	access := n.boundTokens(t, "bundet", p).String("access_token")
	grant := machine(p.proof(n.now(), http.MethodPost, tokenURL))
	pushed := request{path: "/par", clientID: "bundet", form: n.a.Request("bundet", "openid").Params, proofs: []string{p.proof(n.now(), http.MethodPost, parURL)}}
	info := infoRequest("DPoP", access, p.proof(n.now(), http.MethodGet, userInfoURL, "ath", ath(access)))
	of := func(r request) func(op *optest.OP) optest.Answer {
		return func(op *optest.OP) optest.Answer { return send(t, op, r) }
	}
	return map[string]entry{
		"token":    {of(grant), http.StatusOK, http.StatusBadRequest},
		"par":      {of(pushed), http.StatusCreated, http.StatusBadRequest},
		"userinfo": {of(info), http.StatusOK, http.StatusUnauthorized},
	}
}

// TestProofAcrossNodes: a proof is accepted once, by one of all nodes, at every endpoint. With a replay store of its own, the second node
// would accept it again.
func TestProofAcrossNodes(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	for name, r := range n.used(t, p) {
		first := r.send(n.a)
		require.Equal(t, r.status, first.Status, "%s: %v", name, first.JSON)
		again := r.send(n.b)
		require.Equal(t, r.refused, again.Status, "%s: %v", name, again.JSON)
		require.Contains(t, again.String("error")+again.Header.Get("WWW-Authenticate"), "invalid_dpop_proof", name)
	}
	split := newNodes(t, func(c *provider.Config) { c.DPoP.Replay = memory.New() }, boundClients(t)...)
	for name, r := range split.used(t, p) {
		require.Equal(t, r.status, r.send(split.a).Status, name)
		require.Equal(t, r.status, r.send(split.b).Status, name)
	}
}

// TestProofRace: of two requests with one proof at two nodes at once, one is accepted. With AllowReplay both are.
func TestProofRace(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	for _, allow := range []bool{false, true} {
		n := newNodes(t, func(c *provider.Config) {
			if allow {
				c.DPoP = &dpop.Policy{AllowReplay: true}
			}
		}, boundClients(t)...)
		for range slow.Rounds(500) {
			r := machine(p.proof(n.now(), http.MethodPost, tokenURL))
			var accepted [2]int
			var wg sync.WaitGroup
			for i, op := range []*optest.OP{n.a, n.b} {
				wg.Go(func() {
					if send(t, op, r).Status == http.StatusOK {
						accepted[i]++
					}
				})
			}
			wg.Wait()
			if allow {
				require.Equal(t, 2, accepted[0]+accepted[1], "the control accepts both")
			} else {
				require.Equal(t, 1, accepted[0]+accepted[1])
			}
		}
	}
}

// TestProofOfAnotherRequest: a proof is for one endpoint of one issuer with one method, whatever the fields of the request say about the host.
func TestProofOfAnotherRequest(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	n := newNodes(t, func(c *provider.Config) { c.MTLSURL = "https://mtls.example.no" }, boundClients(t)...)
	forged := http.Header{
		"Host": {"evil.example.no"}, "X-Forwarded-Host": {"evil.example.no"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/x"},
		"X-Original-Url": {"/x"}, "Forwarded": {"host=evil.example.no;proto=http"},
	}
	for htu, ok := range map[string]bool{
		tokenURL: true, "https://mtls.example.no/token": true, tokenURL + "?a=b#c": true, "HTTPS://LOGIN.example.no:443/%74oken": true,
		parURL: false, userInfoURL: false, optest.Issuer + "/introspect": false, optest.Issuer: false, tokenURL + "/": false, optest.Issuer + "/x/token": false,
		optest.Issuer + "/Token": false, "http://login.example.no/token": false, "https://login.example.no:8443/token": false, "https://evil.example.no/token": false,
		"https://login.example.no.evil.example.no/token": false, "https://login.example.no@evil.example.no/token": false, "https://mtls.example.no/par": false,
		"/token": false, "": false, "https://mtls.example.no/userinfo": false,
	} {
		for _, header := range []http.Header{nil, forged} {
			r := machine(p.proof(n.now(), http.MethodPost, htu))
			r.header = header
			a := send(t, n.a, r)
			if ok {
				require.Equal(t, http.StatusOK, a.Status, "%s: %v", htu, a.JSON)
			} else {
				requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", a, htu)
			}
		}
	}
	for _, method := range []string{http.MethodGet, "post", "", http.MethodPut} {
		requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, machine(p.proof(n.now(), method, tokenURL))), method)
	}
	two := machine(p.proof(n.now(), http.MethodPost, tokenURL), p.proof(n.now(), http.MethodPost, tokenURL))
	requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, two), "two proofs")
	joined := machine(strings.Join(two.proofs, ", "))
	requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, joined), "two proofs in one field")

	access := n.boundTokens(t, "bundet", p).String("access_token")
	for htu, set := range map[string][]any{
		tokenURL: {"ath", ath(access)}, userInfoURL: {"ath", ath(access + "x")}, userInfoURL + "#": nil, "https://evil.example.no/userinfo": {"ath", ath(access)},
	} {
		a := send(t, n.a, infoRequest("DPoP", access, p.proof(n.now(), http.MethodGet, htu, set...)))
		require.Equal(t, http.StatusUnauthorized, a.Status, htu)
		require.Contains(t, a.Header.Get("WWW-Authenticate"), `error="invalid_dpop_proof"`, htu)
	}
	for _, signed := range []string{http.MethodGet, http.MethodPost} {
		for name, form := range map[string]url.Values{"GET": nil, "POST": nil, "POST with a form": {"a": {"b"}}} {
			info := infoRequest("DPoP", access, p.proof(n.now(), signed, userInfoURL, "ath", ath(access)))
			info.method, _, _ = strings.Cut(name, " ")
			info.form = form
			a := send(t, n.a, info)
			require.Equal(t, info.method == signed, a.Status == http.StatusOK, "%s with a proof for %s: %v", name, signed, a.JSON)
		}
	}
}

// TestKeySubstitution: the key of a pushed request is that of its proof or of dpop_jkt, and nothing that comes later replaces it.
func TestKeySubstitution(t *testing.T) {
	t.Parallel()
	own, thief := newProver(t, "ES256"), newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	push := func(set url.Values, proofs ...string) (optest.Request, optest.Answer) {
		r := n.a.Request("bundet", "openid offline_access")
		for name, v := range set {
			r.Params[name] = v
		}
		return r, send(t, n.a, request{path: "/par", clientID: "bundet", form: r.Params, proofs: proofs})
	}
	atPAR := func(p *prover) string { return p.proof(n.now(), http.MethodPost, parURL) }
	atToken := func(p *prover) string { return p.proof(n.now(), http.MethodPost, tokenURL) }

	_, a := push(url.Values{"dpop_jkt": {thief.thumbprint()}}, atPAR(own))
	requireRefused(t, http.StatusBadRequest, "", a, "proof and dpop_jkt of two keys")
	_, a = push(url.Values{"dpop_jkt": {own.thumbprint(), thief.thumbprint()}})
	requireRefused(t, http.StatusBadRequest, "invalid_request", a, "dpop_jkt twice")
	for _, jkt := range []string{"x", own.thumbprint() + "=", own.thumbprint()[1:], own.thumbprint() + "A", strings.Repeat("=", 43)} {
		_, a = push(url.Values{"dpop_jkt": {jkt}})
		requireRefused(t, http.StatusBadRequest, "invalid_request", a, jkt)
	}
	for name, bound := range map[string]func() (optest.Request, optest.Answer){
		"proof":    func() (optest.Request, optest.Answer) { return push(nil, atPAR(own)) },
		"dpop_jkt": func() (optest.Request, optest.Answer) { return push(url.Values{"dpop_jkt": {own.thumbprint()}}) },
		"both": func() (optest.Request, optest.Answer) {
			return push(url.Values{"dpop_jkt": {own.thumbprint()}}, atPAR(own))
		},
	} {
		r, a := bound()
		require.Equal(t, http.StatusCreated, a.Status, "%s: %v", name, a.JSON)
		r.Params = url.Values{"client_id": {"bundet"}, "request_uri": {a.String("request_uri")}, "dpop_jkt": {thief.thumbprint()}}
		code := n.b.Browser().Login(t, r, "kari").Code(t)
		requireRefused(t, http.StatusBadRequest, "invalid_grant", send(t, n.b, redemption(r, code, atToken(thief))), name)
		requireRefused(t, http.StatusBadRequest, "", send(t, n.b, redemption(r, code)), name+", no proof")
		a = send(t, n.a, redemption(r, code, atToken(own)))
		require.Equal(t, http.StatusOK, a.Status, "%s: the code stays with its owner: %v", name, a.JSON)
		require.Equal(t, own.thumbprint(), claimsOf(t, n.a, a.String("access_token"))["cnf"].(object)["jkt"])
	}
}

// TestStolenCode: who has the code, the verifier and the name of a public client, and not its key, gets no token, and takes the code from nobody.
// The refresh token has the key, too.
func TestStolenCode(t *testing.T) {
	t.Parallel()
	own, thief := newProver(t, "EdDSA"), newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	r := n.a.Request("app", "openid offline_access", "dpop_jkt", own.thumbprint())
	code := n.a.Browser().Login(t, r, "kari").Code(t)
	at := func(p *prover) string { return p.proof(n.now(), http.MethodPost, tokenURL) }
	requireRefused(t, http.StatusBadRequest, "invalid_grant", send(t, n.b, redemption(r, code, at(thief))), "another key")
	requireRefused(t, http.StatusBadRequest, "", send(t, n.b, redemption(r, code)), "no key")
	a := send(t, n.a, redemption(r, code, at(own)))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	requireRefused(t, http.StatusBadRequest, "invalid_grant", send(t, n.b, redemption(r, code, at(thief))), "redeemed, another key")

	refresh := a.String("refresh_token")
	require.NotEmpty(t, refresh)
	requireRefused(t, http.StatusBadRequest, "", send(t, n.b, refreshing("app", refresh, at(thief))), "another key")
	requireRefused(t, http.StatusBadRequest, "", send(t, n.b, refreshing("app", refresh)), "no key")
	a = send(t, n.b, refreshing("app", refresh, at(own)))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(t, "DPoP", a.String("token_type"))
	requireRefused(t, http.StatusBadRequest, "", send(t, n.b, refreshing("app", a.String("refresh_token"), at(thief))), "the next one, another key")

	confidential := n.boundTokens(t, "bundet", own)
	a = send(t, n.b, refreshing("bundet", confidential.String("refresh_token"), at(thief)))
	require.Equal(t, http.StatusOK, a.Status, "a confidential client may change its key (RFC 9449 §5): %v", a.JSON)
	require.Equal(t, thief.thumbprint(), claimsOf(t, n.a, a.String("access_token"))["cnf"].(object)["jkt"])
}

// TestDowngradeToBearer: a token that is bound to a key is no bearer token anywhere, and a bearer token is not a bound one.
func TestDowngradeToBearer(t *testing.T) {
	t.Parallel()
	own, thief := newProver(t, "ES256"), newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	bound := n.boundTokens(t, "bundet", own)
	access := bound.String("access_token")
	proof := func(p *prover) string { return p.proof(n.now(), http.MethodGet, userInfoURL, "ath", ath(access)) }

	require.Equal(t, http.StatusOK, send(t, n.b, infoRequest("DPoP", access, proof(own))).Status)
	for name, r := range map[string]request{
		"bearer": infoRequest("Bearer", access), "bearer with proof": infoRequest("Bearer", access, proof(own)), "another key": infoRequest("DPoP", access, proof(thief)),
		"no proof": infoRequest("DPoP", access), "lower case": infoRequest("bearer", access),
		"form": {path: "/userinfo", form: url.Values{"access_token": {access}}, proofs: []string{own.proof(n.now(), http.MethodPost, userInfoURL, "ath", ath(access))}},
	} {
		a := send(t, n.b, r)
		require.Equal(t, http.StatusUnauthorized, a.Status, name)
		require.Empty(t, a.JSON["sub"], name)
	}
	known := send(t, n.b, request{path: "/introspect", clientID: "bundet", form: url.Values{"token": {access}}})
	require.Equal(t, object{"jkt": own.thumbprint()}, known.JSON["cnf"])
	require.Equal(t, "DPoP", known.String("token_type"))

	r := n.a.Request("bundet", "openid")
	plain := send(t, n.a, redemption(r, n.a.Browser().Login(t, r, "kari").Code(t)))
	require.Equal(t, "Bearer", plain.String("token_type"))
	access = plain.String("access_token")
	require.Equal(t, http.StatusOK, send(t, n.b, infoRequest("Bearer", access)).Status)
	require.Equal(t, http.StatusUnauthorized, send(t, n.b, infoRequest("DPoP", access, proof(own))).Status, "the scheme DPoP with a bearer token")
}

// TestNonces: a nonce is valid for the server that made it, while it is young, in many proofs, each accepted once. Without a nonce, no proof
// is accepted, however young.
func TestNonces(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	secret := portner.NewSecret()
	nonces := func(server string, s portner.Secret) *dpop.Nonces {
		made, err := dpop.NewNonces(server, s)
		require.NoError(t, err)
		return made
	}
	n := newNodes(t, func(c *provider.Config) { c.DPoP.Nonces = nonces(optest.Issuer, secret) }, boundClients(t)...)
	with := func(nonce any) optest.Answer {
		return send(t, n.b, machine(p.proof(n.now(), http.MethodPost, tokenURL, "nonce", nonce)))
	}
	asked := send(t, n.a, machine(p.proof(n.now(), http.MethodPost, tokenURL)))
	requireRefused(t, http.StatusBadRequest, "use_dpop_nonce", asked, "no nonce")
	require.Len(t, asked.Header.Values("DPoP-Nonce"), 1)
	nonce := asked.Header.Get("DPoP-Nonce")

	for range 3 {
		require.Equal(t, http.StatusOK, with(nonce).Status, "a nonce is for many proofs, at every node")
	}
	once := machine(p.proof(n.now(), http.MethodPost, tokenURL, "nonce", nonce))
	require.Equal(t, http.StatusOK, send(t, n.a, once).Status)
	n.pass(2 * time.Minute) // beyond the lifetime of a proof without a nonce
	requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.b, once), "the proof is remembered while the nonce is valid")
	n.pass(-2 * time.Minute)

	last := "A"
	if strings.HasSuffix(nonce, last) {
		last = "Q"
	}
	step, sealed, ok := strings.Cut(nonce, ".")
	require.True(t, ok)
	for name, forged := range map[string]any{
		"of another server":       nonces("https://api.example.no", secret).Current(n.now()),
		"of another secret":       nonces(optest.Issuer, portner.NewSecret()).Current(n.now()),
		"changed":                 nonce[:len(nonce)-1] + last,
		"cut":                     nonce[:len(nonce)-1],
		"longer":                  nonce + "A",
		"of another time":         step + "1." + sealed,
		"with another time":       strings.Replace(nonce, step, "0"+step, 1),
		"of the past":             nonces(optest.Issuer, secret).Current(n.now().Add(-4 * time.Minute)),
		"of the future":           nonces(optest.Issuer, secret).Current(n.now().Add(2 * time.Minute)),
		"empty":                   "",
		"a number":                1,
		"of the response, quoted": `"` + nonce + `"`,
		"null":                    nil,
		"a list":                  []string{nonce},
	} {
		a := with(forged)
		requireRefused(t, http.StatusBadRequest, "use_dpop_nonce", a, name)
		require.Len(t, a.Header.Values("DPoP-Nonce"), 1, name)
		require.NotContains(t, a.JSON["error_description"], "\"", name)
	}
	n.pass(4 * time.Minute)
	requireRefused(t, http.StatusBadRequest, "use_dpop_nonce", with(nonce), "an old nonce in a young proof")
	n.pass(-4 * time.Minute)

	wrong := machine(p.proof(n.now(), http.MethodPost, tokenURL+"x", "nonce", nonce))
	a := send(t, n.a, wrong)
	requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", a, "another URL")
	require.Empty(t, a.Header.Get("DPoP-Nonce"), "a nonce on an error says use_dpop_nonce")
}
