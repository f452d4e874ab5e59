package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func grantCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"AccessToken/unknown", "an unknown token is ErrNotFound", accessUnknown},
		{"AccessToken/expiry boundary", "an access token is live if now is before its ExpiresAt", accessBoundary},
		{"Grant/expiry boundary", "tokens are live if their grant is: now is before Grant.ExpiresAt", grantBoundary},
		{"Revoke/ends all tokens", "after Revoke every token of the grant is ErrRevoked, of every generation", revokeAll},
		{"Revoke/no other grant", "other grants of the user, the client and the session stay live", revokeOwn},
		{"Revoke/idempotent", "revoking twice, or an unknown grant, is no error", revokeTwice},
		{"Revoke/before redemption", "the code of a revoked grant is consumed: no token becomes live", revokeBefore},
		{"Revoke/long after the code", "a grant is live, rotates and is revoked when its code is not recognised any more", revokeLate},
		{"Revoke/expired tokens", "an expired token of a revoked grant is ErrNotFound", revokeExpired},
	}
}

func accessUnknown(t testing.TB, s provider.Store) {
	_, issue := redeemed(t, s, newCode("known"), "known")
	for _, h := range []storage.Hash{storage.HashOf("unknown"), issue.Refresh.Hash} {
		_, _, err := s.AccessToken(bg, h, epoch)
		verdict(t, err, storage.ErrNotFound, "an unknown access token")
	}
	_, _, err := s.RefreshToken(bg, issue.Access.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "an access token presented as a refresh token")
}

func accessBoundary(t testing.TB, s provider.Store) {
	_, issue := redeemed(t, s, newCode("b"), "b")
	for _, at := range around(epoch.Add(accessLife)) {
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		_, _, err := s.AccessToken(bg, issue.Access.Hash, at.now)
		verdict(t, err, want, "AccessToken "+at.name)
	}
}

func grantBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(time.Minute)) {
		c := newCode(numbered("g", i))
		c.Grant.ExpiresAt = epoch.Add(time.Minute)
		_, issue := redeemed(t, s, c, numbered("g", i))
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		issuanceState(t, s, issue, at.now, want, "of a grant "+at.name)
		next := successor(numbered("next", i), c, 1)
		verdict(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, next, 0, at.now), want, "RotateRefreshToken of a grant "+at.name)
		issuanceState(t, s, next, at.now, want, "rotated in a grant "+at.name)
	}
}

func revokeAll(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	second := successor("second", c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch), "rotating a refresh token")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
	for _, issue := range []*storage.Issuance{first, second} {
		issuanceState(t, s, issue, epoch, storage.ErrRevoked, "of a revoked grant")
		next := successor("late", c, 2)
		verdict(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, next, 0, epoch), storage.ErrRevoked, "rotating a token of a revoked grant")
		issuanceState(t, s, next, epoch, storage.ErrNotFound, "of a refused rotation")
	}
	a, g, _ := s.AccessToken(bg, first.Access.Hash, epoch)
	same(t, a, first.Access, "the access token that comes with ErrRevoked")
	same(t, g, c.Grant, "the grant that comes with ErrRevoked")
	_, err := s.Code(bg, c.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "the used code of a revoked grant")
}

func revokeOwn(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	c, _ := redeemed(t, s, given(newCode("own"), in, true), "own")
	_, other := redeemed(t, s, given(newCode("other"), in, true), "other")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
	wantIssuance(t, s, other, epoch, "of another grant")
	wantSession(t, s, in, epoch, "of a revoked grant")
}

func revokeTwice(t testing.TB, s provider.Store) {
	must(t, s.Revoke(bg, storage.Revocation{GrantID: "unknown"}, epoch), "revoking an unknown grant")
	c, issue := redeemed(t, s, newCode("twice"), "twice")
	for range 2 {
		must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
		issuanceState(t, s, issue, epoch, storage.ErrRevoked, "of a grant revoked again")
	}
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch.Add(grantLife)), "revoking an expired grant")
}

func revokeBefore(t testing.TB, s provider.Store) {
	c := newCode("early")
	must(t, createCode(s, bg, c, epoch), "creating a code")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking the grant of an unused code")
	issue := newIssuance("late", c)
	verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConsumed, "redeeming the code of a revoked grant")
	issuanceState(t, s, issue, epoch, storage.ErrNotFound, "of a code whose grant was revoked")
	second := newCode("second")
	second.RequestID = c.RequestID
	verdict(t, createCode(s, bg, second, epoch), storage.ErrConflict, "a second code for the request of a revoked grant")
}

// keptAlive renews the refresh token of an issuance until its code is not recognised any more, lets the store collect
// garbage, and returns the instant.
func keptAlive(t testing.TB, s provider.Store, issue *storage.Issuance) time.Time {
	t.Helper()
	now := epoch
	for i := 0; now.Before(epoch.Add(retainLife)); i++ {
		now = now.Add(refreshLife - 1)
		again := *issue
		again.Access.Hash = storage.HashOf(numbered("again "+issue.Access.JTI, i))
		again.Refresh = &storage.RefreshToken{Hash: issue.Refresh.Hash, GrantID: issue.Grant.ID, ExpiresAt: now.Add(refreshLife)}
		must(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, &again, 0, now), "renewing a refresh token in place")
	}
	for i := range many(2000) {
		c := newCode(numbered("traffic", i))
		c.ExpiresAt, c.RetainTo = now.Add(codeLife), now.Add(retainLife)
		must(t, createCode(s, bg, c, now), "creating a code")
	}
	return now
}

func revokeLate(t testing.TB, s provider.Store) {
	c, issue := redeemed(t, s, newCode("r"), "first")
	now := keptAlive(t, s, issue)
	_, g, err := s.RefreshToken(bg, issue.Refresh.Hash, now)
	must(t, err, "reading a token whose code is not recognised any more")
	same(t, g, c.Grant, "the grant whose code is not recognised any more")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, now), "revoking a grant whose code is not recognised any more")
	_, _, err = s.RefreshToken(bg, issue.Refresh.Hash, now)
	verdict(t, err, storage.ErrRevoked, "a token of a grant revoked long after its code")
}

func revokeExpired(t testing.TB, s provider.Store) {
	c, issue := redeemed(t, s, newCode("old"), "old")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
	_, _, err := s.AccessToken(bg, issue.Access.Hash, epoch.Add(accessLife))
	verdict(t, err, storage.ErrNotFound, "an expired access token of a revoked grant")
	_, _, err = s.RefreshToken(bg, issue.Refresh.Hash, epoch.Add(refreshLife))
	verdict(t, err, storage.ErrNotFound, "an expired refresh token of a revoked grant")
}

func refreshCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"RefreshToken/unknown", "an unknown token is ErrNotFound for every method", refreshUnknown},
		{"RefreshToken/expiry boundary", "a refresh token is live if now is before its ExpiresAt, for every method", refreshBoundary},
		{"RotateRefreshToken/one live generation", "the successor is live, the old token is ErrConsumed, access tokens stay live", rotateOnce},
		{"RotateRefreshToken/a rotated token is recognisable", "it stays ErrConsumed, with its record, until the grant ends", rotatedRemembered},
		{"RotateRefreshToken/used token", "rotating a rotated token is ErrConsumed and inserts nothing", rotateUsed},
		{"RotateRefreshToken/conflict leaves nothing behind", "if one key exists nothing changes, and the token stays live", rotateConflict},
		{"RotateRefreshToken/renewal", "an issuance with the hash of the token moves its ExpiresAt and consumes nothing", rotateInPlace},
		{"RotateRefreshToken/renewal of ended tokens", "a token that was rotated, revoked or has expired is not renewed", rotateNoRevival},
		{"RotateRefreshToken/never extends the grant", "the grant of the issuance is not written", rotateKeepsGrant},
		{"RotateRefreshToken/one instant", "after 100 rotations in one instant one token is live", rotateFrozen},
		{"RotateRefreshToken/without successor", "an issuance without a refresh token consumes the token", rotateNoSuccessor},
	}
}

func refreshUnknown(t testing.TB, s provider.Store) {
	c := newCode("never created")
	issue := newIssuance("never issued", c)
	_, _, err := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "an unknown refresh token")
	next := successor("next", c, 1)
	verdict(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, next, 0, epoch), storage.ErrNotFound, "rotating an unknown token")
	issuanceState(t, s, next, epoch, storage.ErrNotFound, "of an unknown token's rotation")
}

func refreshBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(refreshLife)) {
		c, issue := redeemed(t, s, newCode(numbered("b", i)), numbered("b", i))
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		_, _, err := s.RefreshToken(bg, issue.Refresh.Hash, at.now)
		verdict(t, err, want, "RefreshToken "+at.name)
		next := successor(numbered("next", i), c, 1)
		next.Access.ExpiresAt, next.Refresh.ExpiresAt = at.now.Add(accessLife), at.now.Add(refreshLife)
		verdict(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, next, 0, at.now), want, "RotateRefreshToken "+at.name)
		issuanceState(t, s, next, at.now, want, "of a rotation "+at.name)
	}
}

func rotateOnce(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	second := successor("second", c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch.Add(1)), "rotating a refresh token")
	wantIssuance(t, s, second, epoch.Add(1), "of the new generation")
	_, _, err := s.AccessToken(bg, first.Access.Hash, epoch.Add(1))
	verdict(t, err, nil, "the access token of the old generation")
	old, g, err := s.RefreshToken(bg, first.Refresh.Hash, epoch.Add(1))
	verdict(t, err, storage.ErrConsumed, "the rotated token")
	same(t, g, c.Grant, "the grant that comes with ErrConsumed")
	want := *first.Refresh
	want.ConsumedAt, want.Successor = epoch.Add(1), second.Refresh.Hash
	same(t, old, want, "the rotated token that comes with ErrConsumed")
}

func rotatedRemembered(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, successor("second", c, 1), 0, epoch), "rotating a refresh token")
	for _, now := range []time.Time{epoch, epoch.Add(refreshLife), epoch.Add(grantLife - 1)} {
		_, _, err := s.RefreshToken(bg, first.Refresh.Hash, now)
		verdict(t, err, storage.ErrConsumed, "a rotated token "+now.Sub(epoch).String()+" later")
	}
	_, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch.Add(grantLife))
	verdict(t, err, storage.ErrNotFound, "a rotated token at the end of its grant")
}

func rotateUsed(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	second, third := successor("second", c, 1), successor("third", c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch), "rotating a refresh token")
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, third, 0, epoch), storage.ErrConsumed, "rotating a rotated token")
	issuanceState(t, s, third, epoch, storage.ErrNotFound, "of a second rotation")
	wantIssuance(t, s, second, epoch, "after a second rotation")
}

func rotateConflict(t testing.TB, s provider.Store) {
	_, taken := redeemed(t, s, newCode("taken"), "taken")
	change := map[string]func(i *storage.Issuance){
		"access key taken":     func(i *storage.Issuance) { i.Access.Hash = taken.Access.Hash },
		"refresh key taken":    func(i *storage.Issuance) { i.Refresh.Hash = taken.Refresh.Hash },
		"foreign access token": func(i *storage.Issuance) { i.Access.GrantID = taken.Grant.ID },
		"foreign successor":    func(i *storage.Issuance) { i.Refresh.GrantID = taken.Grant.ID },
	}
	for what, f := range change {
		c, first := redeemed(t, s, newCode("code "+what), "first "+what)
		next, fresh := successor(what, c, 1), successor(what, c, 1)
		f(next)
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, next, 0, epoch), storage.ErrConflict, "rotating with "+what)
		issuanceState(t, s, fresh, epoch, storage.ErrNotFound, "of a rotation with "+what)
		wantIssuance(t, s, first, epoch, "after a rotation with "+what)
		wantIssuance(t, s, taken, epoch, "whose keys was to be used again")
		must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, fresh, 0, epoch), "rotating again with fresh keys")
	}
}

func rotateInPlace(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("reuse"), "first")
	token := *first.Refresh
	now := epoch
	for i := range 5 {
		now = now.Add(refreshLife - 1)
		again := newIssuance(numbered("again", i), c)
		token.Generation, token.ExpiresAt = i+1, now.Add(refreshLife)
		again.Access.ExpiresAt = now.Add(accessLife)
		*again.Refresh = token
		must(t, s.RotateRefreshToken(bg, token.Hash, again, 0, now), "renewing a refresh token in place")
		wantIssuance(t, s, again, now, "renewed in place")
	}
	_, _, err := s.RefreshToken(bg, token.Hash, token.ExpiresAt)
	verdict(t, err, storage.ErrNotFound, "a renewed token at its new end")

	again := newIssuance("conflict", c)
	again.Access.Hash = first.Access.Hash
	c2, taken := redeemed(t, s, newCode("taken"), "taken")
	again.Access.Hash, again.Access.GrantID = taken.Access.Hash, c.Grant.ID
	*again.Refresh = token
	again.Refresh.Generation = 99
	verdict(t, s.RotateRefreshToken(bg, token.Hash, again, 0, now), storage.ErrConflict, "renewing with an access key that exists")
	got, _, err := s.RefreshToken(bg, token.Hash, now)
	must(t, err, "reading a token whose renewal was refused")
	same(t, got, token, "a token whose renewal was refused")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c2.Grant.ID}, now), "revoking another grant")
}

func rotateNoRevival(t testing.TB, s provider.Store) {
	for name, tt := range map[string]struct {
		end  func(c testCode, first *storage.Issuance)
		now  time.Time
		want error
	}{
		"rotated": {func(c testCode, first *storage.Issuance) {
			must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, successor("next", c, 1), 0, epoch), "rotating a refresh token")
		}, epoch, storage.ErrConsumed},
		"revoked": {func(c testCode, _ *storage.Issuance) {
			must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
		}, epoch, storage.ErrRevoked},
		"expired": {func(testCode, *storage.Issuance) {}, epoch.Add(refreshLife), storage.ErrNotFound},
	} {
		c, first := redeemed(t, s, newCode(name), name)
		tt.end(c, first)
		again := newIssuance("again "+name, c)
		*again.Refresh = *first.Refresh
		again.Refresh.ExpiresAt, again.Access.ExpiresAt = tt.now.Add(refreshLife), tt.now.Add(accessLife)
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, again, 0, tt.now), tt.want, "renewing a token that was "+name)
		_, _, err := s.RefreshToken(bg, first.Refresh.Hash, tt.now)
		verdict(t, err, tt.want, "a token renewed after it was "+name)
		_, _, err = s.AccessToken(bg, again.Access.Hash, tt.now)
		if err == nil {
			t.Errorf("the access token of a refused renewal is live")
		}
	}
}

func rotateKeepsGrant(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	second := successor("second", c, 1)
	second.Grant.ExpiresAt = epoch.Add(100 * grantLife)
	second.Grant.Scopes = []string{"openid", "more"}
	second.Refresh.ExpiresAt, second.Access.ExpiresAt = epoch.Add(2*grantLife), epoch.Add(2*grantLife)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, 0, epoch), "rotating a refresh token")
	_, g, err := s.RefreshToken(bg, second.Refresh.Hash, epoch.Add(grantLife-1))
	must(t, err, "reading a token just before its grant ends")
	same(t, g, c.Grant, "the grant after a rotation")
	issuanceState(t, s, second, epoch.Add(grantLife), storage.ErrNotFound, "at the end of the grant")
}

func rotateFrozen(t testing.TB, s provider.Store) {
	c, last := redeemed(t, s, newCode("frozen"), "g-0")
	all := []*storage.Issuance{last}
	for i := 1; i <= 100; i++ {
		next := successor(numbered("g", i), c, i)
		must(t, s.RotateRefreshToken(bg, last.Refresh.Hash, next, 0, epoch), "rotating a refresh token")
		all, last = append(all, next), next
	}
	for i, issue := range all {
		r, _, err := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
		if issue == last {
			verdict(t, err, nil, "the last of 100 generations")
		} else {
			verdict(t, err, storage.ErrConsumed, "an old one of 100 generations")
			if r.Successor != all[i+1].Refresh.Hash || r.SuccessorUsed != (i < 99) {
				t.Errorf("generation %d: successor %x, used %v", i, r.Successor, r.SuccessorUsed)
			}
		}
		if r.Generation != i {
			t.Errorf("generation: got %d, want %d", r.Generation, i)
		}
	}
}

func rotateNoSuccessor(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("r"), "first")
	last := successor("last", c, 1)
	last.Refresh = nil
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, last, 0, epoch), "rotating without a successor")
	wantIssuance(t, s, last, epoch, "without a successor")
	_, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "a token used without a successor")
}
