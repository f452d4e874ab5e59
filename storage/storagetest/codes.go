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
		{"Code/unknown", "an unknown code is ErrNotFound for every verb", codeUnknown},
		{"Code/expiry boundary", "an unused code is valid iff now.Before(ExpiresAt), for every verb (security C6)", codeBoundary},
		{"Code/create never overwrites", "an existing Hash or Grant.ID is ErrConflict and nothing changes (security J2)", codeNoOverwrite},
		{"Code/one per request", "a second code for a RequestID is ErrConflict as long as the first is remembered", codeRequestID},
		{"Code/used code is recognisable", "a used code is ErrConsumed, with its record, until RetainTo (security C7)", codeRetained},
		{"Code/looking changes nothing", "Code does not use the code up (security K1)", codeLooking},
		{"Code/copies", "nobody shares memory with the store", codeCopies},
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
	issue := newIssue("x", c)
	verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrNotFound, "redeeming an unknown code")
	verdict(t, s.RedeemCode(bg, c.Hash, nil, epoch), storage.ErrNotFound, "burning an unknown code")
	issueState(t, s, issue, epoch, storage.ErrNotFound, "of an unknown code")
}

func codeBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(codeLife)) {
		c, burnt := newCode(numbered("c", i)), newCode(numbered("burnt", i))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		must(t, createCode(s, bg, burnt, epoch), "creating a code")
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		issue := newIssue(numbered("c", i), c)
		_, err := s.Code(bg, c.Hash, at.now)
		verdict(t, err, want, "Code "+at.name)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, at.now), want, "RedeemCode "+at.name)
		verdict(t, s.RedeemCode(bg, burnt.Hash, nil, at.now), want, "RedeemCode without an issue "+at.name)
		issueState(t, s, issue, at.now, want, "of a code redeemed "+at.name)
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
		wantCode(t, s, first, nil, epoch, "whose "+what+" another wanted")
		must(t, createCode(s, bg, fresh, epoch), "creating a code with the other keys of one refused for its "+what)
	}
	must(t, s.RedeemCode(bg, first.Hash, newIssue("first", first), epoch), "redeeming the first code")
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
	burnt := newCode("burnt")
	must(t, createCode(s, bg, burnt, epoch), "creating a code")
	must(t, s.RedeemCode(bg, burnt.Hash, nil, epoch), "burning a code")
	for _, c := range []testCode{c, burnt} {
		for _, now := range []time.Time{epoch, epoch.Add(codeLife), epoch.Add(retainLife - 1)} {
			got, err := s.Code(bg, c.Hash, now)
			verdict(t, err, storage.ErrConsumed, "a used code")
			same(t, got, c.AuthorizationCode, "a used code")
			issue := newIssue("again", c)
			verdict(t, s.RedeemCode(bg, c.Hash, issue, now), storage.ErrConsumed, "redeeming a used code")
			verdict(t, s.RedeemCode(bg, c.Hash, nil, now), storage.ErrConsumed, "burning a used code")
			issueState(t, s, issue, now, storage.ErrNotFound, "of a second redemption")
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
	must(t, s.RedeemCode(bg, c.Hash, newIssue("x", c), epoch), "redeeming a code that was looked at")
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
		{"RedeemCode/once", "a code is redeemed once; the second time inserts nothing (security C7)", redeemOnce},
		{"RedeemCode/burn", "a nil issue consumes the code and inserts nothing (security K1)", redeemBurn},
		{"RedeemCode/without refresh token", "an issue without a refresh token gives none", redeemNoRefresh},
		{"RedeemCode/conflict leaves nothing behind", "if one key exists nothing changes and the code stays usable (R1)", redeemConflict},
		{"RedeemCode/own grant only", "an issue that speaks of another grant than the code is ErrConflict", redeemForeign},
		{"RedeemCode/the issue is the grant", "what is redeemed is the grant of the issue; the code keeps its own", redeemNarrowed},
		{"RedeemCode/copies", "nobody shares memory with the store", redeemCopies},
	}
}

func wantIssue(t testing.TB, s provider.Store, want *storage.Issuance, now time.Time, when string) {
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
	issue := newIssue("full", c)
	issueState(t, s, issue, epoch, storage.ErrNotFound, "of a code not redeemed yet")
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssue(t, s, issue, epoch, "after redemption")
}

func redeemOnce(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("once"), "first")
	second := newIssue("second", c)
	verdict(t, s.RedeemCode(bg, c.Hash, second, epoch), storage.ErrConsumed, "redeeming a code twice")
	issueState(t, s, second, epoch, storage.ErrNotFound, "of a second redemption")
	wantIssue(t, s, first, epoch, "after a second redemption")
}

func redeemBurn(t testing.TB, s provider.Store) {
	c := newCode("burn")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, nil, epoch), "burning a code")
	issue := newIssue("late", c)
	verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConsumed, "redeeming a burnt code")
	issueState(t, s, issue, epoch, storage.ErrNotFound, "of a burnt code")
}

func redeemNoRefresh(t testing.TB, s provider.Store) {
	c := newCode("plain")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue := newIssue("plain", c)
	refresh := issue.Refresh.Hash
	issue.Refresh = nil
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssue(t, s, issue, epoch, "without a refresh token")
	_, _, err := s.RefreshToken(bg, refresh, epoch)
	verdict(t, err, storage.ErrNotFound, "a refresh token nobody issued")
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
		issue, fresh := newIssue(whose, c), newIssue(whose, c)
		f(issue)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConflict, "redeeming with the "+whose+" key taken")
		issueState(t, s, fresh, epoch, storage.ErrNotFound, "of a redemption refused for the "+whose+" key")
		wantCode(t, s, c, nil, epoch, "whose redemption was refused for the "+whose+" key")
		wantIssue(t, s, taken, epoch, "whose key another wanted")
		must(t, s.RedeemCode(bg, c.Hash, fresh, epoch), "redeeming again with fresh keys")
		wantIssue(t, s, fresh, epoch, "after a refused redemption")
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
		issue, keys := newIssue(what, c), newIssue(what, c)
		f(issue)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConflict, "redeeming with a foreign "+what)
		issueState(t, s, keys, epoch, storage.ErrNotFound, "of a redemption with a foreign "+what)
	}
	must(t, s.RedeemCode(bg, c.Hash, newIssue("own", c), epoch), "redeeming with the code's own grant")
}

func redeemNarrowed(t testing.TB, s provider.Store) {
	c := newCode("wide")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue := newIssue("narrow", c)
	issue.Grant.Scopes = []string{"openid"}
	issue.Grant.ExpiresAt = epoch.Add(grantLife / 2)
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming with a narrower grant")
	wantIssue(t, s, issue, epoch, "of a narrower grant")
	got, err := s.Code(bg, c.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "the code of a narrower grant")
	same(t, got, c.AuthorizationCode, "the code of a narrower grant")
}

func redeemCopies(t testing.TB, s provider.Store) {
	c := newCode("copy")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	issue, want := newIssue("copy", c), newIssue("copy", newCode("copy"))
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	overwrite(issue)
	wantIssue(t, s, want, epoch, "after what went in was overwritten")
	a, g, err := s.AccessToken(bg, want.Access.Hash, epoch)
	must(t, err, "reading an access token")
	overwrite(&a)
	overwrite(&g)
	r, g, err := s.RefreshToken(bg, want.Refresh.Hash, epoch)
	must(t, err, "reading a refresh token")
	overwrite(&r)
	overwrite(&g)
	wantIssue(t, s, want, epoch, "after what came out was overwritten")
}
