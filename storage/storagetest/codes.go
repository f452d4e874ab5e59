package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func codeCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Code/round trip", "a record comes back as it went in: every field, times to the nanosecond", codeRoundTrip},
		{"Code/unknown", "an unknown code is ErrNotFound for every method", codeUnknown},
		{"Code/expiry boundary", "an unused code is live if now is before its ExpiresAt, for every method", codeBoundary},
		{"FinishRequest/never overwrites", "an existing Hash or Grant.ID is ErrConflict, and nothing changes", codeNoOverwrite},
		{"FinishRequest/one outcome per request", "another code for a RequestID is ErrConflict as long as the first is recognised", codeRequestID},
		{"Code/used code is recognisable", "a used code is ErrConsumed, with its record, until RetainTo", codeRetained},
		{"Code/reading changes nothing", "Code does not consume the code", codeLooking},
		{"Code/copies", "the store shares no memory with its callers", codeCopies},
	}
}

func wantCode(t testing.TB, s provider.Store, want testCode, state error, now time.Time, when string) {
	t.Helper()
	got, err := s.Code(bg, want.Hash, now)
	verdict(t, err, state, "a code "+when)
	if err == nil {
		same(t, got, want.AuthorizationCode, "a code "+when)
	}
}

func codeRoundTrip(t testing.TB, s provider.Store) {
	full := newCode("full")
	must(t, createCode(s, bg, full, epoch), "creating a code")
	bare := testCode{storage.AuthorizationCode{
		Hash: storage.HashOf("bare"), ExpiresAt: epoch.Add(1), Grant: storage.Grant{ID: "bare", ExpiresAt: epoch.Add(grantLife)},
	}, "bare", time.Time{}}
	must(t, createCode(s, bg, bare, epoch), "creating a code with few fields")
	wantCode(t, s, full, nil, epoch, "with all fields")
	wantCode(t, s, bare, nil, epoch, "with few fields and zero times")
}

func codeUnknown(t testing.TB, s provider.Store) {
	c := newCode("never created")
	_, err := s.Code(bg, c.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "reading an unknown code")
	issue := newIssuance("x", c)
	verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrNotFound, "redeeming an unknown code")
	verdict(t, s.RedeemCode(bg, c.Hash, nil, epoch), storage.ErrNotFound, "consuming an unknown code")
	issuanceState(t, s, issue, epoch, storage.ErrNotFound, "of an unknown code")
}

func codeBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(codeLife)) {
		c, consumed := newCode(numbered("c", i)), newCode(numbered("consumed", i))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		must(t, createCode(s, bg, consumed, epoch), "creating a code")
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		issue := newIssuance(numbered("c", i), c)
		_, err := s.Code(bg, c.Hash, at.now)
		verdict(t, err, want, "Code "+at.name)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, at.now), want, "RedeemCode "+at.name)
		verdict(t, s.RedeemCode(bg, consumed.Hash, nil, at.now), want, "RedeemCode without an issuance "+at.name)
		issuanceState(t, s, issue, at.now, want, "of a code redeemed "+at.name)
	}
}

func codeNoOverwrite(t testing.TB, s provider.Store) {
	first := newCode("first")
	must(t, createCode(s, bg, first, epoch), "creating a code")
	change := map[string]func(c *testCode){
		"Hash":      func(c *testCode) { c.Hash = first.Hash },
		"Grant.ID":  func(c *testCode) { c.Grant.ID = first.Grant.ID },
		"RequestID": func(c *testCode) { c.RequestID = first.RequestID },
	}
	for what, f := range change {
		second, fresh := newCode("second "+what), newCode("second "+what)
		f(&second)
		verdict(t, createCode(s, bg, second, epoch), storage.ErrConflict, "creating a code with a "+what+" that exists")
		wantCode(t, s, first, nil, epoch, "whose "+what+" was to be used again")
		must(t, createCode(s, bg, fresh, epoch), "creating a code with the other keys of one refused for its "+what)
	}
	must(t, s.RedeemCode(bg, first.Hash, newIssuance("first", first), epoch), "redeeming the first code")
	again := newCode("again")
	again.Grant.ID = first.Grant.ID
	verdict(t, createCode(s, bg, again, epoch), storage.ErrConflict, "creating a code for a grant that is live")
}

func codeRequestID(t testing.TB, s provider.Store) {
	unused, used := newCode("unused"), newCode("used")
	must(t, createCode(s, bg, unused, epoch), "creating a code")
	redeemed(t, s, used, "used")
	for _, now := range []time.Time{epoch, epoch.Add(codeLife), epoch.Add(retainLife - 1)} {
		for _, first := range []testCode{unused, used} {
			second := newCode("second")
			second.RequestID = first.RequestID
			second.ExpiresAt, second.RetainTo = now.Add(codeLife), now.Add(retainLife)
			verdict(t, createCode(s, bg, second, now), storage.ErrConflict, "a second code for one request, "+now.Sub(epoch).String()+" later")
		}
	}
}

func codeRetained(t testing.TB, s provider.Store) {
	c, _ := redeemed(t, s, newCode("used"), "used")
	consumed := newCode("consumed")
	must(t, createCode(s, bg, consumed, epoch), "creating a code")
	must(t, s.RedeemCode(bg, consumed.Hash, nil, epoch), "consuming a code")
	for _, c := range []testCode{c, consumed} {
		for _, now := range []time.Time{epoch, epoch.Add(codeLife), epoch.Add(retainLife - 1)} {
			got, err := s.Code(bg, c.Hash, now)
			verdict(t, err, storage.ErrConsumed, "a used code")
			same(t, got, c.AuthorizationCode, "a used code")
			issue := newIssuance("again", c)
			verdict(t, s.RedeemCode(bg, c.Hash, issue, now), storage.ErrConsumed, "redeeming a used code")
			verdict(t, s.RedeemCode(bg, c.Hash, nil, now), storage.ErrConsumed, "consuming a used code")
			issuanceState(t, s, issue, now, storage.ErrNotFound, "of a second redemption")
		}
		_, err := s.Code(bg, c.Hash, epoch.Add(retainLife))
		verdict(t, err, storage.ErrNotFound, "a used code at its RetainTo")
	}
}

func codeLooking(t testing.TB, s provider.Store) {
	c := newCode("looked at")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	for range 3 {
		wantCode(t, s, c, nil, epoch, "that was looked at")
	}
	must(t, s.RedeemCode(bg, c.Hash, newIssuance("x", c), epoch), "redeeming a code that was looked at")
}

func codeCopies(t testing.TB, s provider.Store) {
	c := newCode("copy")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	overwrite(&c)
	want := newCode("copy")
	wantCode(t, s, want, nil, epoch, "after what went in was overwritten")
	out, err := s.Code(bg, want.Hash, epoch)
	must(t, err, "reading a code")
	overwrite(&out)
	wantCode(t, s, want, nil, epoch, "after what came out was overwritten")
}

func redeemCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"RedeemCode/inserts everything", "the grant and both tokens come back as they went in", redeemInserts},
		{"RedeemCode/once", "a code is redeemed once; the second redemption inserts nothing", redeemOnce},
		{"RedeemCode/without an issuance", "a nil issuance consumes the code and inserts nothing", redeemBurn},
		{"RedeemCode/without refresh token", "an issuance without a refresh token inserts none", redeemNoRefresh},
		{"RedeemCode/conflict leaves nothing behind", "if one key exists nothing changes, and the code can be redeemed", redeemConflict},
		{"RedeemCode/own grant only", "an issuance of another grant is ErrConflict", redeemForeign},
		{"RedeemCode/same authorization", "a grant of another user, client, customer or session is ErrConflict", redeemOther},
		{"RedeemCode/narrower grant", "the grant of the issuance is inserted; the code keeps its own", redeemNarrowed},
		{"RedeemCode/copies", "the store shares no memory with its callers", redeemCopies},
	}
}

func wantIssuance(t testing.TB, s provider.Store, want *storage.Issuance, now time.Time, when string) {
	t.Helper()
	a, g, err := s.AccessToken(bg, want.Access.Hash, now)
	must(t, err, "reading the access token "+when)
	same(t, a, want.Access, "the access token "+when)
	same(t, g, want.Grant, "the access token's grant "+when)
	if want.Refresh != nil {
		r, g, err := s.RefreshToken(bg, want.Refresh.Hash, now)
		must(t, err, "reading the refresh token "+when)
		same(t, r, *want.Refresh, "the refresh token "+when)
		same(t, g, want.Grant, "the refresh token's grant "+when)
	}
}

func redeemInserts(t testing.TB, s provider.Store) {
	c := newCode("full")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue := newIssuance("full", c)
	issuanceState(t, s, issue, epoch, storage.ErrNotFound, "of a code not redeemed yet")
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssuance(t, s, issue, epoch, "after redemption")
}

func redeemOnce(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("once"), "first")
	second := newIssuance("second", c)
	verdict(t, s.RedeemCode(bg, c.Hash, second, epoch), storage.ErrConsumed, "redeeming a code twice")
	issuanceState(t, s, second, epoch, storage.ErrNotFound, "of a second redemption")
	wantIssuance(t, s, first, epoch, "after a second redemption")
}

func redeemBurn(t testing.TB, s provider.Store) {
	c := newCode("consumed")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, nil, epoch), "consuming a code")
	issue := newIssuance("late", c)
	verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConsumed, "redeeming a consumed code")
	issuanceState(t, s, issue, epoch, storage.ErrNotFound, "of a consumed code")
}

func redeemNoRefresh(t testing.TB, s provider.Store) {
	c := newCode("plain")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue := newIssuance("plain", c)
	refresh := issue.Refresh.Hash
	issue.Refresh = nil
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssuance(t, s, issue, epoch, "without a refresh token")
	_, _, err := s.RefreshToken(bg, refresh, epoch)
	verdict(t, err, storage.ErrNotFound, "a refresh token that was not issued")
}

func redeemConflict(t testing.TB, s provider.Store) {
	_, taken := redeemed(t, s, newCode("taken"), "taken")
	change := map[string]func(i *storage.Issuance){
		"access token's":  func(i *storage.Issuance) { i.Access.Hash = taken.Access.Hash },
		"refresh token's": func(i *storage.Issuance) { i.Refresh.Hash = taken.Refresh.Hash },
	}
	for whose, f := range change {
		c := newCode("code for " + whose)
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issue, fresh := newIssuance(whose, c), newIssuance(whose, c)
		f(issue)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConflict, "redeeming with the "+whose+" key taken")
		issuanceState(t, s, fresh, epoch, storage.ErrNotFound, "of a redemption refused for the "+whose+" key")
		wantCode(t, s, c, nil, epoch, "whose redemption was refused for the "+whose+" key")
		wantIssuance(t, s, taken, epoch, "whose key was to be used again")
		must(t, s.RedeemCode(bg, c.Hash, fresh, epoch), "redeeming again with fresh keys")
		wantIssuance(t, s, fresh, epoch, "after a refused redemption")
	}
}

func redeemForeign(t testing.TB, s provider.Store) {
	c, other := newCode("own"), newCode("other")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	change := map[string]func(i *storage.Issuance){
		"Grant.ID":        func(i *storage.Issuance) { i.Grant.ID = other.Grant.ID },
		"Access.GrantID":  func(i *storage.Issuance) { i.Access.GrantID = other.Grant.ID },
		"Refresh.GrantID": func(i *storage.Issuance) { i.Refresh.GrantID = other.Grant.ID },
	}
	for what, f := range change {
		issue, keys := newIssuance(what, c), newIssuance(what, c)
		f(issue)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConflict, "redeeming with a foreign "+what)
		issuanceState(t, s, keys, epoch, storage.ErrNotFound, "of a redemption with a foreign "+what)
	}
	must(t, s.RedeemCode(bg, c.Hash, newIssuance("own", c), epoch), "redeeming with the code's own grant")
}

func redeemOther(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	c := given(newCode("c"), in, false)
	must(t, createCode(s, bg, c, epoch), "creating a code")
	for what, change := range map[string]func(*storage.Grant){
		"user":     func(g *storage.Grant) { g.UserKey = storage.HashOf("person b") },
		"client":   func(g *storage.Grant) { g.ClientID = "client-b" },
		"customer": func(g *storage.Grant) { g.Customer = "another" },
		"session":  func(g *storage.Grant) { g.SessionID = "" },
	} {
		i := newIssuance(what, c)
		change(&i.Grant)
		verdict(t, s.RedeemCode(bg, c.Hash, i, epoch), storage.ErrConflict, "redeeming with a grant of another "+what)
		issuanceState(t, s, i, epoch, storage.ErrNotFound, "of another "+what)
	}
	must(t, s.RedeemCode(bg, c.Hash, newIssuance("c", c), epoch), "redeeming with the grant of the code")
}

func redeemNarrowed(t testing.TB, s provider.Store) {
	c := newCode("wide")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue := newIssuance("narrow", c)
	issue.Grant.Scopes = []string{"openid"}
	issue.Grant.ExpiresAt = epoch.Add(grantLife / 2)
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming with a narrower grant")
	wantIssuance(t, s, issue, epoch, "of a narrower grant")
	got, err := s.Code(bg, c.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "the code of a narrower grant")
	same(t, got, c.AuthorizationCode, "the code of a narrower grant")
}

func redeemCopies(t testing.TB, s provider.Store) {
	c := newCode("copy")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue, want := newIssuance("copy", c), newIssuance("copy", newCode("copy"))
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	overwrite(issue)
	wantIssuance(t, s, want, epoch, "after what went in was overwritten")
	a, g, err := s.AccessToken(bg, want.Access.Hash, epoch)
	must(t, err, "reading an access token")
	overwrite(&a)
	overwrite(&g)
	r, g, err := s.RefreshToken(bg, want.Refresh.Hash, epoch)
	must(t, err, "reading a refresh token")
	overwrite(&r)
	overwrite(&g)
	wantIssuance(t, s, want, epoch, "after what came out was overwritten")
}
