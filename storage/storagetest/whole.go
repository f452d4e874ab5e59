package storagetest

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func wholeCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Values/hashes are whole", "a record is not found by a hash that differs in one byte, and such hashes are different keys", wholeHashes},
		{"Values/user keys are whole", "users whose keys differ in one byte are different users", wholeUsers},
		{"Values/similar owners", "a client or customer whose name differs in case or a trailing space is another one for Revoke and Grants", similarOwners},
		{"RedeemCode/grant of the issuance", "LoginOnly and ExpiresAt of the issued grant count, not those of the code", redeemFlags},
		{"RotateRefreshToken/copies", "the store shares no memory with its callers", rotateCopies},
		{"RotateRefreshToken/an older generation", "a successor that was a token of the grant is ErrConflict, and the token stays live", rotateBack},
		{"Revoke/expired grants", "a token of a revoked grant that has expired is ErrNotFound; a rotated one is ErrRevoked until then", revokeExpiredGrants},
		{"FinishRequest/outlived by the code", "an outcome is recognised until the ExpiresAt of its code if that is later than RetainTo", outcomeOfLongCode},
		{"FinishRequest/keys in use", "the hash of a consumed code and the ID of a grant whose code is not recognised any more are ErrConflict", keysInUse},
	}
}

// similar returns the hashes that differ from h in one byte.
func similar(h storage.Hash) (all []storage.Hash) {
	for i := range h {
		if size(1, 32, 32) == 1 && i != 0 && i != len(h)-1 {
			continue
		}
		other := h
		other[i] ^= 1
		all = append(all, other)
	}
	return all
}

func wholeHashes(t testing.TB, s provider.Store) {
	r := newRecords("r")
	r.insert(t, s)
	for _, h := range similar(r.in.Hash) {
		wantNoSession(t, s, h, epoch, "by a similar hash")
		_, err := s.EndSession(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "ending a session by a similar hash")
		verdict(t, replace(bg, s, h, newSession("next", "b"), epoch), storage.ErrNotFound, "replacing a session by a similar hash")
	}
	for i, h := range similar(r.unused.Hash) {
		_, err := s.Code(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "a code by a similar hash")
		verdict(t, s.RedeemCode(bg, h, newIssuance(numbered("none", i), r.unused), epoch), storage.ErrNotFound, "redeeming a code by a similar hash")
	}
	for i, h := range similar(r.login.Refresh.Hash) {
		_, _, err := s.RefreshToken(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "a refresh token by a similar hash")
		verdict(t, s.RotateRefreshToken(bg, h, successor(numbered("none", i), r.code, 1), 0, epoch), storage.ErrNotFound, "rotating by a similar hash")
	}
	for _, h := range similar(r.login.Access.Hash) {
		_, _, err := s.AccessToken(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "an access token by a similar hash")
	}
	for i := range similar(r.in.Hash) { // similar hashes are no conflict
		n := newRecords(numbered("similar", i))
		n.in.Hash, n.unused.Hash = similar(r.in.Hash)[i], similar(r.unused.Hash)[i]
		createSession(t, s, n.in)
		must(t, createCode(s, bg, n.unused, epoch), "creating a code with a similar hash")
		issue := newIssuance(n.name, n.unused)
		issue.Access.Hash, issue.Refresh.Hash = similar(r.login.Access.Hash)[i], similar(r.login.Refresh.Hash)[i]
		must(t, s.RedeemCode(bg, n.unused.Hash, issue, epoch), "redeeming with similar hashes")
	}
	wantSession(t, s, r.in, epoch, "beside similar ones")
	wantIssuance(t, s, r.login, epoch, "beside similar ones")
}

func wholeUsers(t testing.TB, s provider.Store) {
	r := newRecords("r")
	r.insert(t, s)
	for i, user := range similar(r.in.UserKey) {
		key := r.key
		key.UserKey = user
		wantConsents(t, s, key, epoch, "of a similar user")
		must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking for a similar user")
		got, err := s.Grants(bg, storage.GrantQuery{UserKey: user, Limit: 100}, epoch)
		must(t, err, "listing grants")
		same(t, len(got), 0, "the number of grants of a similar user")
		c := given(newCode(numbered("c", i)), storage.Session{ID: r.in.ID, UserKey: user}, false)
		verdict(t, createCode(s, bg, c, epoch), storage.ErrRevoked, "a code for a similar user in the session")
		next := newSession(numbered("next", i), "a")
		next.UserKey = user
		ended, err := s.ReplaceSession(bg, none, next, 1, epoch)
		must(t, err, "creating the session of a similar user")
		same(t, ended, []storage.Session(nil), "what the limit of a similar user ended")
	}
	wantIssuance(t, s, r.login, epoch, "beside similar users")
	wantSession(t, s, r.in, epoch, "beside similar users")
}

func similarOwners(t testing.TB, s provider.Store) {
	c, own := grantOf(t, s, "own", "kari")
	for i, change := range []func(*storage.ConsentKey){
		func(k *storage.ConsentKey) { k.ClientID = "CLIENT-A" }, func(k *storage.ConsentKey) { k.ClientID += " " },
		func(k *storage.ConsentKey) { k.Customer = "CUSTOMER" }, func(k *storage.ConsentKey) { k.Customer += " " },
	} {
		key := storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
		change(&key)
		_, other := grantOf(t, s, numbered("other", i), "kari", func(g *storage.Grant) { g.ClientID, g.Customer = key.ClientID, key.Customer })
		must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking the authorization of a similar name")
		issuanceState(t, s, other, epoch, storage.ErrRevoked, "of the similar name")
		wantIssuance(t, s, own, epoch, "beside a similar name")
	}
	_, err := s.Grants(bg, storage.GrantQuery{UserKey: c.Grant.UserKey, After: "GRANT-own", Limit: 100}, epoch)
	verdict(t, err, storage.ErrNotFound, "listing after an ID in another case")
}

func redeemFlags(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	issue := func(name string, loginOnly bool) *storage.Issuance {
		c := given(newCode(name), in, !loginOnly)
		must(t, createCode(s, bg, c, epoch), "creating a code")
		i := newIssuance(name, c)
		i.Grant.LoginOnly = loginOnly
		must(t, s.RedeemCode(bg, c.Hash, i, epoch), "redeeming a code with another grant")
		wantIssuance(t, s, i, epoch, "of another grant than that of the code")
		return i
	}
	login, data := issue("login", true), issue("data", false)
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending the session")
	issuanceState(t, s, login, epoch, storage.ErrRevoked, "of a grant that became login-only")
	issuanceState(t, s, data, epoch, nil, "of a grant that became more than login-only")
	for i, end := range []time.Time{epoch.Add(time.Second), epoch.Add(2 * grantLife)} {
		c := newCode(numbered("c", i))
		c.Grant.ExpiresAt = epoch.Add(time.Minute)
		must(t, createCode(s, bg, c, epoch), "creating a code")
		i := newIssuance(numbered("end", i), c)
		i.Grant.ExpiresAt, i.Access.ExpiresAt, i.Refresh.ExpiresAt = end, end.Add(time.Hour), end.Add(time.Hour)
		must(t, s.RedeemCode(bg, c.Hash, i, epoch), "redeeming a code with another grant")
		wantIssuance(t, s, i, end.Add(-1), "1 ns before the end of its grant")
		issuanceState(t, s, i, end, storage.ErrNotFound, "at the end of its grant")
	}
}

func rotateCopies(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("copy"), "first")
	next := successor("next", c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, next, 0, epoch), "rotating a refresh token")
	overwrite(next)
	next.Access.Hash, next.Refresh.Hash = storage.Hash{}, storage.Hash{}
	wantIssuance(t, s, successor("next", newCode("copy"), 1), epoch, "after what went in was overwritten")
}

func rotateBack(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("c"), "first")
	second := successor("second", c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch), "rotating a refresh token")
	back := successor("back", c, 2)
	back.Refresh.Hash = first.Refresh.Hash
	verdict(t, s.RotateRefreshToken(bg, second.Refresh.Hash, back, 0, epoch), storage.ErrConflict, "rotating to an older token")
	wantIssuance(t, s, second, epoch, "after a rejected rotation")
	_, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "the older token")
	_, _, err = s.AccessToken(bg, back.Access.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "the access token of a rejected rotation")
}

func revokeExpiredGrants(t testing.TB, s provider.Store) {
	c := newCode("c")
	first := newIssuance("first", c)
	first.Access.ExpiresAt, first.Refresh.ExpiresAt = epoch.Add(2*grantLife), epoch.Add(refreshLife)
	must(t, createCode(s, bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, first, epoch), "redeeming a code")
	second := successor("second", c, 1)
	second.Access.ExpiresAt, second.Refresh.ExpiresAt = epoch.Add(2*grantLife), epoch.Add(2*grantLife)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch), "rotating a refresh token")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
	for _, i := range []*storage.Issuance{first, second} {
		issuanceState(t, s, i, epoch.Add(grantLife-1), storage.ErrRevoked, "1 ns before the end of a revoked grant")
		issuanceState(t, s, i, epoch.Add(grantLife), storage.ErrNotFound, "at the end of a revoked grant")
	}
	r, g, err := s.RefreshToken(bg, second.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrRevoked, "a refresh token of a revoked grant")
	same(t, r, *second.Refresh, "the refresh token that comes with ErrRevoked")
	same(t, g, c.Grant, "the grant that comes with ErrRevoked")
}

func outcomeOfLongCode(t testing.TB, s provider.Store) {
	c := newCode("c")
	c.RetainTo = epoch.Add(time.Second)
	must(t, createCode(s, bg, c, epoch), "finishing a request")
	for _, now := range []time.Time{epoch, c.RetainTo, c.ExpiresAt.Add(-1)} {
		other := newCode("other")
		other.RequestID, other.ExpiresAt, other.RetainTo = c.RequestID, now.Add(codeLife), now.Add(retainLife)
		verdict(t, createCode(s, bg, other, now), storage.ErrConflict, "another code for the request, "+now.Sub(epoch).String()+" later")
		must(t, createCode(s, bg, c, now), "finishing the request again")
		wantCode(t, s, c, nil, now, "that outlives its RetainTo")
	}
}

func keysInUse(t testing.TB, s provider.Store) {
	c, issue := redeemed(t, s, newCode("c"), "c")
	other := newCode("other")
	other.Hash = c.Hash
	verdict(t, createCode(s, bg, other, epoch), storage.ErrConflict, "creating a code with the hash of a consumed one")
	now := keptAlive(t, s, issue)
	late := newCode("late")
	late.Grant.ID, late.ExpiresAt, late.RetainTo = c.Grant.ID, now.Add(codeLife), now.Add(retainLife)
	verdict(t, createCode(s, bg, late, now), storage.ErrConflict, "creating a code with the ID of a live grant")
}

func pushedWhole(t testing.TB, s authorize.PushedRequestStore) {
	p := push(t, s, "p")
	for _, h := range similar(p.Hash) {
		_, err := s.PushedRequest(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "a request by a similar hash")
		verdict(t, s.ConsumePushedRequest(bg, h, epoch), storage.ErrNotFound, "consuming a request by a similar hash")
	}
	wantPushed(t, s, p, "beside similar hashes")
}

// pushedRead reads a request before it is consumed, in every second round, and while it is: a store may remember what it read, also
// when it is late.
func pushedRead(t testing.TB, s authorize.PushedRequestStore) {
	const readers = 4
	for round := range rounds() {
		_, err := s.PushedRequest(bg, newPushed(numbered("read", round)).Hash, epoch)
		verdict(t, err, storage.ErrNotFound, "reading a request before it is pushed")
		p := push(t, s, numbered("read", round))
		if round%2 == 0 {
			wantPushed(t, s, p, "after it was pushed")
		}
		errs := together(t, readers+1, func(i int) error {
			if i == readers {
				for range round / 2 % 6 { // another moment in each round
					runtime.Gosched()
				}
				return s.ConsumePushedRequest(yielding(), p.Hash, epoch)
			}
			_, err := s.PushedRequest(yielding(), p.Hash, epoch)
			if errors.Is(err, storage.ErrNotFound) {
				err = nil
			}
			return err
		})
		othersGot(t, errs)
		if _, err = s.PushedRequest(bg, p.Hash, epoch); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("round %d: a consumed request can be read: %v", round, err)
		}
	}
}

func jtiWhole(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	must(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
	for _, h := range similar(key) {
		must(t, s.ConsumeJTI(bg, "client-a", h, end, epoch), "using an assertion with a similar key")
	}
	verdict(t, s.ConsumeJTI(bg, "client-b", key, end, epoch), storage.ErrConsumed, "using the key for another client")
}
