package storagetest

import (
	"strings"
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// Stores differ in what they do to values: columns cut them, collations fold them, encoders replace bytes.
func valueCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Values/bytes", "sealed values contain any bytes, also zero bytes and invalid UTF-8", valueBytes},
		{"Values/texts", "texts come back whole: long ones, quotes, percent signs, backslashes, any script", valueTexts},
		{"Values/keys are bytes", "keys that differ in case or a trailing space are different keys", valueKeys},
		{"Values/numbers", "versions are whole numbers of 64 bits", valueNumbers},
		{"Values/instants", "every instant of every record keeps its nanoseconds in the years 1678 to 2261, from every time zone, and decides to the nanosecond", valueInstants},
		{"Values/zero instants", "an instant that is zero stays zero", valueZeroInstants},
	}
}

// anyBytes returns every byte.
func anyBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// trouble returns a value with the characters that quoting, formatting and encoding treat specially. It is long.
func trouble(name string) string {
	return name + `'"$$%s%00\\;--\u0030{}[]<&>` + "æøå 李 \U0001f511 e\u0301" + strings.Repeat("0123456789abcdef", 120)
}

func valueBytes(t testing.TB, s provider.Store) {
	in := newSession("s", "a")
	in.Circles[1].Identity = anyBytes()
	wantSession(t, s, createSession(t, s, in), epoch, "with any bytes")
	c := newCode("c")
	c.Grant.Identity, c.Grant.AuthorizationDetails, c.Grant.Claims = anyBytes(), anyBytes(), anyBytes()
	must(t, createCode(s, bg, c, epoch), "creating a code")
	wantCode(t, s, c, nil, epoch, "with any bytes")
	issue := newIssuance("c", c)
	issue.Access.AuthorizationDetails = anyBytes()
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssuance(t, s, issue, epoch, "with any bytes")
}

func valueTexts(t testing.TB, s provider.Store) {
	in := newSession("s", "a")
	in.Circles[1].Name, in.Circles[0].AMR = trouble("circle"), []string{trouble("amr"), "", " "}
	in.Clients[0].SID = trouble("sid")
	wantSession(t, s, createSession(t, s, in), epoch, "with special texts")
	c := newCode("c")
	c.RedirectURI, c.Nonce, c.Grant.ClientID = trouble("uri"), trouble("nonce"), trouble("client")
	c.Grant.Locale, c.Grant.ACR, c.Grant.SID, c.Grant.Customer = trouble("locale"), trouble("acr"), trouble("sid"), trouble("obo")
	c.Grant.Scopes, c.Grant.Resources = []string{trouble("a,b"), "a b", "c"}, []string{trouble("urn")}
	must(t, createCode(s, bg, c, epoch), "creating a code")
	wantCode(t, s, c, nil, epoch, "with special texts")
	issue := newIssuance("c", c)
	issue.Access.JTI, issue.Access.Scopes, issue.Access.Audience = trouble("jti"), []string{trouble("x"), "y z"}, []string{trouble("aud")}
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssuance(t, s, issue, epoch, "with special texts")
}

func valueKeys(t testing.TB, s provider.Store) {
	var sessions []storage.Session
	var logins, data []*storage.Issuance
	names := []string{"key", "KEY", "Key", "key "}
	for _, name := range names {
		in := createSession(t, s, newSession(name, name))
		sessions = append(sessions, in)
		_, login := redeemed(t, s, given(newCode("login "+name), in, true), "login "+name)
		_, rest := redeemed(t, s, newCode("data "+name), "data "+name)
		logins, data = append(logins, login), append(data, rest)
	}
	must(t, s.Revoke(bg, storage.Revocation{GrantID: data[0].Grant.ID}, epoch), "revoking a grant")
	issuanceState(t, s, data[0], epoch, storage.ErrRevoked, "of the revoked grant")
	_, err := s.EndSession(bg, sessions[0].Hash, epoch)
	must(t, err, "ending a session")
	issuanceState(t, s, logins[0], epoch, storage.ErrRevoked, "of the ended session")
	for i := 1; i < len(names); i++ {
		wantIssuance(t, s, data[i], epoch, "of a grant with a similar ID")
		wantIssuance(t, s, logins[i], epoch, "of a session with a similar ID")
		must(t, createCode(s, bg, given(newCode("late "+names[i]), sessions[i], false), epoch), "creating a code in a session with a similar ID")
	}
}

func valueNumbers(t testing.TB, s provider.Store) {
	in := newSession("n", "a")
	in.Version = 1<<53 + 1 // the first whole number that a float64 cannot represent
	wantSession(t, s, createSession(t, s, in), epoch, "with a large version")
	stale := in
	stale.Version--
	verdict(t, replace(bg, s, in.Hash, stale, epoch), storage.ErrConflict, "replacing by a record one version older")
	must(t, replace(bg, s, in.Hash, in, epoch), "replacing a session")
	in.Version++
	wantSession(t, s, in, epoch, "after it was replaced")
}

func pushedValues(t testing.TB, s authorize.PushedRequestStore) {
	p := newPushed("values")
	p.ClientID, p.Source, p.Params = trouble("client"), trouble("source"), append(anyBytes(), trouble("params")...)
	must(t, s.PushRequest(bg, p, epoch), "pushing a request")
	wantPushed(t, s, p, "with special values")
}
