package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/testpki"
)

// TestBusinessCertificate: a client without registered keys authenticates with the business certificate of its organisation, in each
// profile, as at examples/maskinporten: the paths of business_certificates are relative to the configuration. Clients of
// ID-porten are "signert med
// virksomhetssertifikater".
func TestBusinessCertificate(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set, err := testpki.NewSet(testpki.Options{
		Orgno: idporten.ServiceOrg, Name: "TJENESTEN", OtherOrgno: idporten.PrivateOrg, OtherName: "EN ANNEN", Now: time.Now(),
		NewKey: func() (crypto.Signer, error) { return private, nil },
	})
	require.NoError(t, err)
	for profile, audience := range map[string]string{"idporten": "idporten", "openid": ""} {
		dir := t.TempDir()
		require.NoError(t, set.Write(filepath.Join(dir, "ca")))
		file := filepath.Join(dir, "config.json")
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"profile":%q,"business_certificates":{"roots":["ca/root.pem"],"intermediates":["ca/issuing.pem"],"crls":["ca/crl.pem"]},"clients":[{
			"client_id":"sertifikat","client_orgno":%q,"integration_type":%q,"token_endpoint_auth_method":"private_key_jwt",
			"grant_types":["authorization_code","refresh_token"],"redirect_uris":[%q],"scopes":["openid","profile"]}]}`, profile, idporten.ServiceOrg, audience, nobody), 0o600))
		s := start(t, "-config", file)
		v := visit(t, s)
		p := newParty(t, s, "sertifikat", "", nobody, "openid", "profile")
		p.conf.Endpoint.AuthStyle = 1 // in the form, without a secret
		for _, name := range []string{testpki.NameSEID1, testpki.NameSEID2} {
			answer := v.get(p.url())
			if answer.left == nil {
				answer = v.login(answer, "ola")
			}
			p.exchange(answer.left.Query(), certified(t, set, name, s.Issuer)...)
		}
		for _, name := range []string{testpki.NameExpired, testpki.NameRevoked, testpki.NameOther} {
			form := p.params()
			for i, extra := 0, certified(t, set, name, s.Issuer); i < len(extra); i += 2 {
				form.Set(extra[i], extra[i+1])
			}
			status, refused := post(t, s, "/par", "", "", form)
			require.Equal(t, http.StatusUnauthorized, status, name)
			require.Equal(t, "invalid_client", refused["error"], name)
		}
		form := p.params() // the certificate alone: the server has the issuing authority
		for i, extra := 0, assertionBy(t, set.Certificates[testpki.NameSEID2].Key, testpki.X5C(set.Certificates[testpki.NameSEID2].Certificate), s.Issuer); i < len(extra); i += 2 {
			form.Set(extra[i], extra[i+1])
		}
		status, pushed := post(t, s, "/par", "", "", form)
		require.Equal(t, http.StatusCreated, status, pushed)
	}
}

// certified returns the parameters of an assertion that is signed with a business certificate.
func certified(t *testing.T, set *testpki.Set, name, audience string) []string {
	t.Helper()
	return assertionBy(t, set.Certificates[name].Key, testpki.X5C(set.Chain(name)...), audience)
}

// assertionBy returns the parameters of an assertion with a header x5c.
func assertionBy(t *testing.T, key crypto.Signer, x5c []string, audience string) []string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", x5c)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, opts)
	require.NoError(t, err)
	at := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": "sertifikat", "sub": "sertifikat", "aud": audience, "jti": rand.Text(), "iat": at.Unix(), "exp": at.Add(time.Minute).Unix(),
	})
	require.NoError(t, err)
	sig, err := signer.Sign(payload)
	require.NoError(t, err)
	compact, err := sig.CompactSerialize()
	require.NoError(t, err)
	return []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", compact}
}
