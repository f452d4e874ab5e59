package storagetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

const (
	codeLife    = time.Minute
	retainLife  = 30 * time.Minute
	accessLife  = 2 * time.Minute
	refreshLife = 10 * time.Minute
	grantLife   = 2 * time.Hour
	sessionLife = 30 * time.Minute
)

// oslo is a time zone, which a store may change if it keeps the instant.
var oslo = time.FixedZone("Oslo", 3600)

// newSession returns a session of which every field is set.
func newSession(name, person string) storage.Session {
	return storage.Session{
		Hash: storage.HashOf("cookie " + name), ID: "session-" + name, Version: 7,
		UserKey:   storage.HashOf("person " + person),
		StartedAt: epoch.Add(-time.Hour).In(oslo), LastRequestAt: epoch.Add(-1), ExpiresAt: epoch.Add(sessionLife),
		Circles: []storage.Circle{
			{Identity: []byte("sealed identity of " + person), ACR: "idporten-loa-substantial", AMR: []string{"BankID", "otp"}, AuthTime: epoch.Add(-time.Hour)},
			{Name: "isolated-client", Identity: []byte("other sealed identity of " + person), ACR: "idporten-loa-high", AMR: []string{"Buypass"}, AuthTime: epoch.Add(-time.Minute)},
		},
		Clients: []storage.SessionClient{
			{ClientID: "client-a", SID: "sid-a-" + name, LoginAt: epoch.Add(-time.Hour), Open: true},
			{ClientID: "client-b", SID: "sid-b-" + name, LoginAt: epoch.Add(-time.Minute)},
		},
	}
}

// testCode is a code with the rest of its outcome.
type testCode struct {
	storage.AuthorizationCode
	RequestID string
	RetainTo  time.Time
}

// newCode returns a code of which every field is set, but without a session.
func newCode(name string) testCode {
	return testCode{storage.AuthorizationCode{
		Hash: storage.HashOf("code " + name),
		Grant: storage.Grant{
			ID: "grant-" + name, ClientID: "client-a",
			UserKey: storage.HashOf("person p"), Identity: []byte("sealed identity " + name), SID: "sid-a-" + name,
			Scopes: []string{"openid", "profile", "example:read"}, Resources: []string{"https://api.example.no"},
			Pseudonymous: true, ACR: "idporten-loa-substantial", AMR: []string{"BankID"},
			AuthTime: epoch.Add(-time.Minute).In(oslo), Locale: "nb", Customer: "customer", UserAgent: "Browser/1.0", Subject: "subject " + name,
			AuthorizationDetails: []byte("sealed details"), Claims: []byte(`{"userinfo":["email"]}`),
			Confirmation: storage.Confirmation{Key: "thumbprint of the key " + name, Certificate: "thumbprint of the certificate " + name},
			Delegation: storage.Delegation{
				Consumer: "910753614", Supplier: "991825827", Source: "https://tt02.altinn.no/",
				Actor: []byte(`{"sub":"0192:991825827"}`), MayAct: []byte(`{"sub":"client-c"}`), Subject: storage.HashOf("subject " + name), ActorToken: storage.HashOf("actor " + name),
			},
			CreatedAt: epoch, ExpiresAt: epoch.Add(grantLife),
		},
		RedirectURI: "https://client.example.no/cb?x=1", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Nonce: "nonce " + name, DPoPKey: "thumbprint " + name, ExpiresAt: epoch.Add(codeLife),
	}, "request-" + name, epoch.Add(retainLife)}
}

// outcome returns the outcome that inserts the code.
func (c testCode) outcome() storage.Outcome {
	return storage.Outcome{RequestID: c.RequestID, Code: &c.AuthorizationCode, RetainTo: c.RetainTo}
}

// createCode finishes the request of a code without consents.
func createCode(s provider.Store, ctx context.Context, c testCode, now time.Time) error {
	return s.FinishRequest(ctx, c.outcome(), now)
}

// given puts the code into a session.
func given(c testCode, in storage.Session, loginOnly bool) testCode {
	c.Grant.SessionID, c.Grant.UserKey, c.Grant.LoginOnly = in.ID, in.UserKey, loginOnly
	return c
}

// newIssuance returns the issuance of a redemption of c. The tokens derive from name.
func newIssuance(name string, c testCode) *storage.Issuance {
	return &storage.Issuance{
		Grant: c.Grant,
		Access: storage.AccessToken{
			Hash: storage.HashOf("access " + name), GrantID: c.Grant.ID, JTI: "jti-" + name, Opaque: true,
			Scopes: []string{"openid", "example:read"}, Audience: []string{"https://api.example.no"},
			ClientAMR: "private_key_jwt", AuthorizationDetails: []byte("sealed details " + name),
			Confirmation: storage.Confirmation{Key: "thumbprint of the key " + name, Certificate: "thumbprint of the certificate " + name},
			IssuedAt:     epoch.In(oslo), ExpiresAt: epoch.Add(accessLife),
		},
		Refresh: &storage.RefreshToken{
			Hash: storage.HashOf("refresh " + name), GrantID: c.Grant.ID, ExpiresAt: epoch.Add(refreshLife),
		},
	}
}

// successor returns the issuance of a rotation.
func successor(name string, c testCode, generation int) *storage.Issuance {
	next := newIssuance(name, c)
	next.Refresh.Generation = generation
	return next
}

// redeemed inserts and redeems a code and returns both.
func redeemed(t testing.TB, s provider.Store, c testCode, name string) (testCode, *storage.Issuance) {
	t.Helper()
	issue := newIssuance(name, c)
	must(t, createCode(s, bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	return c, issue
}

// issuanceState checks the verdict on both tokens of an issuance; a want of nil means live.
func issuanceState(t testing.TB, s provider.Store, issue *storage.Issuance, now time.Time, want error, when string) {
	t.Helper()
	_, _, err := s.AccessToken(bg, issue.Access.Hash, now)
	verdict(t, err, want, "the access token "+when)
	if issue.Refresh != nil {
		_, _, err = s.RefreshToken(bg, issue.Refresh.Hash, now)
		verdict(t, err, want, "the refresh token "+when)
	}
}

func numbered(name string, n int) string { return fmt.Sprintf("%s-%d", name, n) }
