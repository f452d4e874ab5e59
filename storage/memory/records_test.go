package memory_test

import (
	"encoding/base64"
	"strconv"
	"time"

	"github.com/portner-go/portner/storage"
)

var epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)

// The records have the sizes of those of a provider: IDs and sids of 22 characters, sealed identities of 80 bytes, two clients in
// a session.

func id(kind string, n int) string {
	h := storage.HashOf(kind + strconv.Itoa(n))
	return base64.RawURLEncoding.EncodeToString(h[:16])
}

func newSession(n int) storage.Session {
	return storage.Session{
		Hash: storage.HashOf(id("cookie", n)), ID: id("session", n),
		UserKey:   storage.HashOf(id("user", n)),
		StartedAt: epoch, LastRequestAt: epoch, ExpiresAt: epoch.Add(30 * time.Minute),
		Circles: []storage.Circle{{Identity: make([]byte, 80), ACR: "idporten-loa-substantial", AMR: []string{"BankID"}, AuthTime: epoch}},
		Clients: []storage.SessionClient{
			{ClientID: "a2b4c6d8-0000-4000-8000-000000000001", SID: id("sid-a", n), LoginAt: epoch},
			{ClientID: "a2b4c6d8-0000-4000-8000-000000000002", SID: id("sid-b", n), LoginAt: epoch},
		},
	}
}

func newCode(n int) storage.AuthorizationCode {
	return storage.AuthorizationCode{
		Hash: storage.HashOf(id("code", n)),
		Grant: storage.Grant{
			ID: id("grant", n), ClientID: "a2b4c6d8-0000-4000-8000-000000000001",
			UserKey: storage.HashOf(id("user", n)), Identity: make([]byte, 80),
			SID: id("sid-a", n), LoginOnly: true, Scopes: []string{"openid", "profile"},
			ACR: "idporten-loa-substantial", AMR: []string{"BankID"}, AuthTime: epoch, Locale: "nb",
			CreatedAt: epoch, ExpiresAt: epoch.Add(2 * time.Hour),
		},
		RedirectURI: "https://client.example.no/callback", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Nonce: id("nonce", n), ExpiresAt: epoch.Add(time.Minute),
	}
}

// newLogin returns a code in session n.
func newLogin(n int) storage.AuthorizationCode {
	c := newCode(n)
	c.Grant.SessionID = id("session", n)
	return c
}

// outcomeOf is the outcome of request n with a code, which is recognised for half an hour after its expiry less a minute.
func outcomeOf(n int, c storage.AuthorizationCode) storage.Outcome {
	return storage.Outcome{RequestID: id("request", n), Code: &c, RetainTo: c.ExpiresAt.Add(29 * time.Minute)}
}

func newIssuance(n int, generation int, g storage.Grant) *storage.Issuance {
	name := strconv.Itoa(n) + "/" + strconv.Itoa(generation)
	return &storage.Issuance{
		Grant: g,
		Access: storage.AccessToken{
			Hash: storage.HashOf("access" + name), GrantID: g.ID, JTI: id("jti", n),
			Scopes: g.Scopes, ClientAMR: "private_key_jwt", IssuedAt: epoch, ExpiresAt: epoch.Add(2 * time.Minute),
		},
		Refresh: &storage.RefreshToken{
			Hash: storage.HashOf("refresh" + name), GrantID: g.ID,
			Generation: generation, ExpiresAt: epoch.Add(10 * time.Minute),
		},
	}
}

func newPushed(n int, clientID string) storage.PushedRequest {
	return storage.PushedRequest{
		Hash: storage.HashOf(id("urn", n)), ClientID: clientID, Source: clientID,
		Params: []byte("response_type=code&scope=openid"), ExpiresAt: epoch.Add(2 * time.Minute),
	}
}

func consentsOf(n int) storage.ConsentKey {
	return storage.ConsentKey{UserKey: storage.HashOf(id("user", n)), ClientID: "client-a"}
}

// answer is the outcome of a request without a code, in which user n granted scopes.
func answer(request string, n int, scopes ...string) storage.Outcome {
	o := storage.Outcome{RequestID: request, Consents: consentsOf(n), RetainTo: epoch.Add(time.Minute)}
	for _, scope := range scopes {
		o.Granted = append(o.Granted, storage.Consent{Scope: scope, GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)})
	}
	return o
}
