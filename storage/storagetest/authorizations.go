package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func authorizationCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Revoke/authorization", "every grant and consent of a user at a client for a customer ends, and no other", revokeAuthorization},
		{"Revoke/invalid", "a revocation that names nothing, or too much, is an error and changes nothing", revokeInvalid},
		{"Grants/live", "the live grants of one user: redeemed, not revoked, not expired; newest first", grantsLive},
		{"Grants/pages", "a page has at most limit grants and starts after the one that is named", grantsPages},
		{"Grants/limit", "a limit that is not from 1 to storage.MaxPage is an error", grantsLimit},
		{"Grants/ended grants are passed over", "a page is full although most grants of the user were revoked, together, one by one and with sessions", grantsEnded},
		{"Grants/one", "only the live grant of the user is found, as it was redeemed", grantLive},
		{"Grants/position", "a revoked grant is a position; an expired one, an unknown one and that of another user are ErrNotFound", grantsPosition},
		{"Grants/copies", "the store shares no memory with its callers", grantsCopies},
	}
}

// grantOf inserts a live grant of a user.
func grantOf(t testing.TB, s provider.Store, name, user string, change ...func(*storage.Grant)) (testCode, *storage.Issuance) {
	t.Helper()
	c := newCode(name)
	c.Grant.UserKey = storage.HashOf(user)
	for _, f := range change {
		f(&c.Grant)
	}
	return redeemed(t, s, c, name)
}

func createdAt(at time.Time) func(*storage.Grant) {
	return func(g *storage.Grant) { g.CreatedAt = at }
}

func revokeAuthorization(t testing.TB, s provider.Store) {
	key := storage.ConsentKey{UserKey: storage.HashOf("user"), ClientID: "client-a", Customer: "customer"}
	others := map[string]func(*storage.Grant){
		"user":     func(g *storage.Grant) { g.UserKey = storage.HashOf("another") },
		"client":   func(g *storage.Grant) { g.ClientID = "client-b" },
		"customer": func(g *storage.Grant) { g.Customer = "" },
	}
	consents := newConsent("a", time.Hour)
	grantConsents(t, s, key, consents)
	_, first := grantOf(t, s, "first", "user")
	_, second := grantOf(t, s, "second", "user")
	unused := newCode("unused")
	unused.Grant.UserKey = key.UserKey
	must(t, createCode(s, bg, unused, epoch), "creating a code")
	kept, keys := map[string]*storage.Issuance{}, map[string]storage.ConsentKey{}
	for what, change := range others {
		c, i := grantOf(t, s, "other "+what, "user", change)
		kept[what], keys[what] = i, storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
		grantConsents(t, s, keys[what], consents)
	}
	for range 2 {
		must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking an authorization")
		issuanceState(t, s, first, epoch, storage.ErrRevoked, "of the authorization")
		issuanceState(t, s, second, epoch, storage.ErrRevoked, "of the authorization")
		wantConsents(t, s, key, epoch, "of the authorization")
		verdict(t, s.RedeemCode(bg, unused.Hash, newIssuance("late", unused), epoch), storage.ErrConsumed, "redeeming an unused code of the authorization")
	}
	for what := range others {
		issuanceState(t, s, kept[what], epoch, nil, "of another "+what)
		wantConsents(t, s, keys[what], epoch, "of another "+what, consents)
	}
	again, _ := grantOf(t, s, "again", "user")
	got, err := s.Grants(bg, storage.GrantQuery{UserKey: key.UserKey, Limit: 100}, epoch)
	must(t, err, "listing grants")
	same(t, len(got), 3, "the number of grants of the user at other clients and for other customers, and the new one")
	_, _, err = s.AccessToken(bg, storage.HashOf("access again"), epoch)
	must(t, err, "using a grant that was given after the revocation, "+again.Grant.ID)
}

func revokeInvalid(t testing.TB, s provider.Store) {
	c, i := redeemed(t, s, newCode("c"), "c")
	key := storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
	for name, r := range map[string]storage.Revocation{
		"nothing":            {},
		"both":               {GrantID: c.Grant.ID, Authorization: key},
		"no user":            {Authorization: storage.ConsentKey{ClientID: key.ClientID, Customer: key.Customer}},
		"no client":          {Authorization: storage.ConsentKey{UserKey: key.UserKey, Customer: key.Customer}},
		"grant and a client": {GrantID: c.Grant.ID, Authorization: storage.ConsentKey{ClientID: key.ClientID}},
	} {
		if s.Revoke(bg, r, epoch) == nil {
			t.Errorf("revoking %s: got nil, want an error", name)
		}
		issuanceState(t, s, i, epoch, nil, "after an invalid revocation")
	}
}

func grantsLive(t testing.TB, s provider.Store) {
	user := storage.HashOf("kari")
	old, _ := grantOf(t, s, "old", "kari", createdAt(epoch.Add(-time.Hour)))
	young, _ := grantOf(t, s, "young", "kari")
	grantOf(t, s, "other", "ola")
	revoked, _ := grantOf(t, s, "revoked", "kari")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: revoked.Grant.ID}, epoch), "revoking a grant")
	waiting := newCode("waiting")
	waiting.Grant.UserKey = user
	must(t, createCode(s, bg, waiting, epoch), "creating a code that is not redeemed")
	narrowed := newCode("narrowed")
	narrowed.Grant.UserKey, narrowed.Grant.CreatedAt = user, epoch.Add(-2*time.Hour)
	must(t, createCode(s, bg, narrowed, epoch), "creating a code")
	i := newIssuance("narrowed", narrowed)
	i.Grant.Scopes = []string{"openid"}
	must(t, s.RedeemCode(bg, narrowed.Hash, i, epoch), "redeeming a code with a narrower grant")
	want := []storage.Grant{young.Grant, old.Grant, i.Grant}
	for _, limit := range []int{3, 4, storage.MaxPage} {
		got, err := s.Grants(bg, storage.GrantQuery{UserKey: user, Limit: limit}, epoch)
		must(t, err, "listing the grants of a user")
		same(t, got, want, "the grants of a user")
	}
	got, err := s.Grants(bg, storage.GrantQuery{UserKey: user, Limit: 100}, young.Grant.ExpiresAt)
	must(t, err, "listing expired grants")
	same(t, len(got), 0, "the number of grants that have expired")
	got, err = s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf("unknown"), Limit: 100}, epoch)
	must(t, err, "listing the grants of an unknown user")
	same(t, len(got), 0, "the number of grants of an unknown user")
}

func grantLive(t testing.TB, s provider.Store) {
	user := storage.HashOf("kari")
	in := newSession("s", "kari")
	in.UserKey = user
	createSession(t, s, in)
	live, _ := grantOf(t, s, "live", "kari")
	other, _ := grantOf(t, s, "other", "ola")
	revoked, _ := grantOf(t, s, "revoked", "kari")
	ended, _ := grantOf(t, s, "ended", "kari", func(g *storage.Grant) { g.ClientID = "client-b" })
	login, _ := grantOf(t, s, "login", "kari", func(g *storage.Grant) { g.SessionID, g.LoginOnly = in.ID, true })
	waiting := newCode("waiting")
	waiting.Grant.UserKey = user
	must(t, createCode(s, bg, waiting, epoch), "creating a code that is not redeemed")
	narrowed := newCode("narrowed")
	narrowed.Grant.UserKey = user
	must(t, createCode(s, bg, narrowed, epoch), "creating a code")
	i := newIssuance("narrowed", narrowed)
	i.Grant.Scopes = []string{"openid"}
	must(t, s.RedeemCode(bg, narrowed.Hash, i, epoch), "redeeming a code with a narrower grant")
	for _, want := range []storage.Grant{live.Grant, revoked.Grant, ended.Grant, login.Grant, i.Grant} {
		got, err := oneGrant(s, user, want.ID, epoch)
		must(t, err, "finding a live grant")
		same(t, got, want, "a live grant")
	}
	must(t, s.Revoke(bg, storage.Revocation{GrantID: revoked.Grant.ID}, epoch), "revoking a grant")
	key := storage.ConsentKey{UserKey: user, ClientID: "client-b", Customer: ended.Grant.Customer}
	must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking an authorization")
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	for name, id := range map[string]string{
		"unknown": "unknown", "of another user": other.Grant.ID, "revoked": revoked.Grant.ID, "of a revoked authorization": ended.Grant.ID,
		"of a session that ended": login.Grant.ID, "of a code that was not redeemed": waiting.Grant.ID,
	} {
		_, err := oneGrant(s, user, id, epoch)
		verdict(t, err, storage.ErrNotFound, "finding a grant "+name)
	}
	_, err = oneGrant(s, user, live.Grant.ID, live.Grant.ExpiresAt.Add(-1))
	must(t, err, "finding a grant one nanosecond before its end")
	_, err = oneGrant(s, user, live.Grant.ID, live.Grant.ExpiresAt)
	verdict(t, err, storage.ErrNotFound, "finding a grant that has expired")
	for _, q := range []storage.GrantQuery{{ID: live.Grant.ID, Limit: 1}, {ID: live.Grant.ID, After: live.Grant.ID}} {
		q.UserKey = user
		if got, err := s.Grants(bg, q, epoch); err == nil || len(got) != 0 {
			t.Errorf("a query for one grant and for a page returns %d grants and no error", len(got))
		}
	}
}

// oneGrant finds a grant by its ID.
func oneGrant(s provider.Store, user storage.Hash, id string, now time.Time) (storage.Grant, error) {
	all, err := s.Grants(bg, storage.GrantQuery{UserKey: user, ID: id}, now)
	if err == nil && len(all) != 1 {
		return storage.Grant{}, fmt.Errorf("a query for one grant returns %d", len(all))
	}
	if err != nil {
		return storage.Grant{}, err
	}
	return all[0], nil
}

func grantsPages(t testing.TB, s provider.Store) {
	user := storage.HashOf("kari")
	var want []storage.Grant // oldest first, three of each instant
	for i := range 9 {
		c, _ := grantOf(t, s, numbered("g", i), "kari", createdAt(epoch.Add(-time.Duration(3-i/3)*time.Hour)))
		want = append([]storage.Grant{c.Grant}, want...) // of one instant, the greater ID comes first
		grantOf(t, s, numbered("other", i), "ola")
	}
	for _, limit := range []int{1, 2, 4, 9, 10} {
		var all []storage.Grant
		for after := ""; len(all) < 2*len(want); {
			page, err := s.Grants(bg, storage.GrantQuery{UserKey: user, After: after, Limit: limit}, epoch)
			must(t, err, "listing a page")
			if len(page) > limit {
				t.Fatalf("a page of %d grants, want at most %d", len(page), limit)
			}
			if all = append(all, page...); len(page) < limit {
				break
			}
			after = page[len(page)-1].ID
		}
		same(t, all, want, numbered("all pages of", limit))
	}
}

func grantsLimit(t testing.TB, s provider.Store) {
	c, _ := grantOf(t, s, "g", "kari")
	for _, limit := range []int{-1 << 40, -1, 0, storage.MaxPage + 1, 1 << 40} {
		if got, err := s.Grants(bg, storage.GrantQuery{UserKey: c.Grant.UserKey, Limit: limit}, epoch); err == nil || len(got) != 0 {
			t.Errorf("listing with the limit %d: got %d grants and no error", limit, len(got))
		}
	}
	_, err := s.Grants(bg, storage.GrantQuery{UserKey: c.Grant.UserKey, Limit: storage.MaxPage}, epoch)
	must(t, err, "listing with the largest limit")
}

func grantsEnded(t testing.TB, s provider.Store) {
	in := newSession("s", "kari")
	in.UserKey = storage.HashOf("kari")
	createSession(t, s, in)
	var want []storage.Grant
	var single []string
	const n = 200
	for i := range n {
		age := createdAt(epoch.Add(-time.Duration(i) * time.Minute))
		switch i % 5 {
		case 0:
			c, _ := grantOf(t, s, numbered("live", i), "kari", age)
			want = append(want, c.Grant)
		case 1:
			c, _ := grantOf(t, s, numbered("revoked", i), "kari", age)
			single = append(single, c.Grant.ID)
		case 2, 3:
			kind := func(g *storage.Grant) { g.ClientID = "client-b" }
			grantOf(t, s, numbered("client", i), "kari", age, kind)
		case 4:
			kind := func(g *storage.Grant) { g.SessionID, g.LoginOnly = in.ID, true }
			grantOf(t, s, numbered("login", i), "kari", age, kind)
		}
	}
	for _, id := range single {
		must(t, s.Revoke(bg, storage.Revocation{GrantID: id}, epoch), "revoking a grant")
	}
	key := storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-b", Customer: "customer"}
	must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking an authorization")
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	for _, limit := range []int{1, 7, n} {
		var all []storage.Grant
		for after, full := "", true; full; {
			page, err := s.Grants(bg, storage.GrantQuery{UserKey: in.UserKey, After: after, Limit: limit}, epoch)
			must(t, err, "listing a page")
			if all = append(all, page...); len(page) == limit {
				after = page[limit-1].ID
			}
			full = len(page) == limit
		}
		same(t, all, want, numbered("the live grants in pages of", limit))
	}
}

func grantsPosition(t testing.TB, s provider.Store) {
	user := storage.HashOf("kari")
	first, _ := grantOf(t, s, "first", "kari")
	second, _ := grantOf(t, s, "second", "kari", createdAt(epoch.Add(-time.Hour)))
	other, _ := grantOf(t, s, "other", "ola")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: first.Grant.ID}, epoch), "revoking a grant")
	got, err := s.Grants(bg, storage.GrantQuery{UserKey: user, After: first.Grant.ID, Limit: 100}, epoch)
	must(t, err, "listing after a revoked grant")
	same(t, got, []storage.Grant{second.Grant}, "the grants after a revoked one")
	for name, after := range map[string]string{"unknown": "unknown", "of another user": other.Grant.ID} {
		_, err = s.Grants(bg, storage.GrantQuery{UserKey: user, After: after, Limit: 100}, epoch)
		verdict(t, err, storage.ErrNotFound, "listing after a grant that is "+name)
	}
	_, err = s.Grants(bg, storage.GrantQuery{UserKey: user, After: second.Grant.ID, Limit: 100}, second.Grant.ExpiresAt)
	verdict(t, err, storage.ErrNotFound, "listing after a grant that has expired")
}

func grantsCopies(t testing.TB, s provider.Store) {
	c, i := grantOf(t, s, "copy", "kari")
	got, err := s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf("kari"), Limit: 100}, epoch)
	must(t, err, "listing grants")
	overwrite(&got)
	overwrite(i)
	got, err = s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf("kari"), Limit: 100}, epoch)
	must(t, err, "listing grants")
	want := newCode("copy").Grant
	want.UserKey = c.Grant.UserKey
	same(t, got, []storage.Grant{want}, "the grants after what went in and came out was overwritten")
}
