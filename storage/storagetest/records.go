package storagetest

import (
	"fmt"
	"testing"
	"time"

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

// oslo is a zone a store may lose, as long as the instant stays.
var oslo = time.FixedZone("Oslo", 3600)

// newSession is a session with every field set. Names keep cases apart.
func newSession(name, person string) storage.Session {
	return storage.Session{
		Hash: storage.HashOf("cookie " + name), ID: "session-" + name, Version: 7,
		UserKey: storage.HashOf("person " + person), Identity: []byte("sealed identity of " + person),
		StartedAt: epoch.Add(-time.Hour).In(oslo), LastRequestAt: epoch.Add(-1), ExpiresAt: epoch.Add(sessionLife),
		Circles: []storage.Circle{
			{ACR: "idporten-loa-substantial", AMR: []string{"BankID", "otp"}, AuthTime: epoch.Add(-time.Hour)},
			{Name: "isolated-client", ACR: "idporten-loa-high", AMR: []string{"Buypass"}, AuthTime: epoch.Add(-time.Minute)},
		},
		Clients: []storage.SessionClient{
			{ClientID: "client-a", SID: "sid-a-" + name, LoginAt: epoch.Add(-time.Hour)},
			{ClientID: "client-b", SID: "sid-b-" + name, LoginAt: epoch.Add(-time.Minute)},
		},
	}
}

// newCode is a code with every field set, given in no session.
func newCode(name string) storage.AuthorizationCode {
	return storage.AuthorizationCode{
		Hash: storage.HashOf("code " + name), RequestID: "request-" + name,
		Grant: storage.Grant{
			ID: "grant-" + name, ClientID: "client-a",
			UserKey: storage.HashOf("person p"), Identity: []byte("sealed identity " + name), SID: "sid-a-" + name,
			Scopes: []string{"openid", "profile", "example:read"}, Resources: []string{"https://api.example.no"},
			Pseudonymous: true, ACR: "idporten-loa-substantial", AMR: []string{"BankID"},
			AuthTime: epoch.Add(-time.Minute).In(oslo), Locale: "nb", OnBehalfOf: "sub-client", UserAgent: "Browser/1.0",
			AuthorizationDetails: []byte("sealed details"),
			Delegation: storage.Delegation{
				Consumer: "910753614", Supplier: "991825827", Source: "https://tt02.altinn.no/",
				Actor: []byte(`{"sub":"0192:991825827"}`), MayAct: []byte(`{"sub":"client-c"}`), Subject: storage.HashOf("subject " + name),
			},
			CreatedAt: epoch, ExpiresAt: epoch.Add(grantLife),
		},
		RedirectURI: "https://client.example.no/cb?x=1", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Nonce: "nonce " + name, AuthTimeAsked: true,
		ExpiresAt: epoch.Add(codeLife), RetainUntil: epoch.Add(retainLife),
	}
}

// given puts the code in a session.
func given(c storage.AuthorizationCode, in storage.Session, loginOnly bool) storage.AuthorizationCode {
	c.Grant.SessionID, c.Grant.UserKey, c.Grant.LoginOnly = in.ID, in.UserKey, loginOnly
	return c
}

// newIssue is what redeeming c adds; name keeps the tokens apart.
func newIssue(name string, c storage.AuthorizationCode) *storage.Issue {
	return &storage.Issue{
		Grant: c.Grant,
		Access: storage.AccessToken{
			Hash: storage.HashOf("access " + name), GrantID: c.Grant.ID, JTI: "jti-" + name, Opaque: true,
			Scopes: []string{"openid", "example:read"}, Audience: []string{"https://api.example.no"},
			ClientAMR: "private_key_jwt", AuthorizationDetails: []byte("sealed details " + name),
			IssuedAt: epoch.In(oslo), ExpiresAt: epoch.Add(accessLife),
		},
		Refresh: &storage.RefreshToken{
			Hash: storage.HashOf("refresh " + name), GrantID: c.Grant.ID, ExpiresAt: epoch.Add(refreshLife),
		},
	}
}

// successor is the issue that rotates: the next generation.
func successor(name string, c storage.AuthorizationCode, generation int) *storage.Issue {
	next := newIssue(name, c)
	next.Refresh.Generation = generation
	return next
}

// redeemed creates and redeems a code and returns both.
func redeemed(t testing.TB, s Core, c storage.AuthorizationCode, name string) (storage.AuthorizationCode, *storage.Issue) {
	t.Helper()
	issue := newIssue(name, c)
	must(t, s.CreateCode(bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	return c, issue
}

// issueState checks what the store says of both tokens of an issue; want nil means live.
func issueState(t testing.TB, s Core, issue *storage.Issue, now time.Time, want error, when string) {
	t.Helper()
	_, _, err := s.AccessToken(bg, issue.Access.Hash, now)
	verdict(t, err, want, "the access token "+when)
	if issue.Refresh != nil {
		_, _, err = s.RefreshToken(bg, issue.Refresh.Hash, now)
		verdict(t, err, want, "the refresh token "+when)
	}
}

func numbered(name string, n int) string { return fmt.Sprintf("%s-%d", name, n) }
