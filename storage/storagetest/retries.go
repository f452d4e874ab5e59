package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

const grace = 10 * time.Second

func retryCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"RotateRefreshToken/retry", "a retry with the same successor inserts the access token only", retryInserts},
		{"RotateRefreshToken/retry boundary", "a retry is accepted if the token was consumed less than grace ago; a grace of 0 accepts none", retryBoundary},
		{"RotateRefreshToken/retry with another successor", "a retry with another successor, or without one, is ErrConsumed", retryOther},
		{"RotateRefreshToken/retry after use", "a retry is ErrConsumed once the successor was rotated or renewed, or has expired", retryUsed},
		{"RotateRefreshToken/retry after revocation", "a retry in a revoked grant is ErrRevoked, in an expired one ErrNotFound", retryRevoked},
		{"RotateRefreshToken/retry conflict", "a retry whose access token exists or belongs to another grant is ErrConflict", retryConflict},
	}
}

// again returns the issuance of a retry: another access token, the same successor.
func again(name string, c testCode, i *storage.Issuance) *storage.Issuance {
	next := successor(name, c, i.Refresh.Generation)
	next.Refresh.Hash = i.Refresh.Hash
	return next
}

// rotated redeems a code and rotates its refresh token at epoch.
func rotated(t testing.TB, s provider.Store, name string) (c testCode, first, second *storage.Issuance) {
	t.Helper()
	c, first = redeemed(t, s, newCode(name), "first "+name)
	second = successor("second "+name, c, 1)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, second, grace, epoch), "rotating a refresh token")
	return c, first, second
}

func retryInserts(t testing.TB, s provider.Store) {
	c, first, second := rotated(t, s, "r")
	for i := range 3 {
		now := epoch.Add(time.Duration(i+1) * time.Second)
		retry := again(numbered("retry", i), c, second)
		retry.Refresh.ExpiresAt, retry.Refresh.Generation = now.Add(2*refreshLife), 7
		retry.Grant.Scopes = []string{"more"}
		must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, retry, grace, now), "rotating again with the same successor")
		a, g, err := s.AccessToken(bg, retry.Access.Hash, now)
		must(t, err, "reading the access token of a retry")
		same(t, a, retry.Access, "the access token of a retry")
		same(t, g, c.Grant, "the grant of a retry")
	}
	wantIssuance(t, s, second, epoch.Add(grace), "after retries")
	old, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch.Add(grace))
	verdict(t, err, storage.ErrConsumed, "the rotated token after retries")
	want := *first.Refresh
	want.ConsumedAt, want.Successor = epoch, second.Refresh.Hash
	same(t, old, want, "the rotated token after retries")
}

func retryBoundary(t testing.TB, s provider.Store) {
	c, first, second := rotated(t, s, "r")
	for i, at := range around(epoch.Add(grace)) {
		want := storage.ErrConsumed
		if at.valid {
			want = nil
		}
		retry := again(numbered("retry", i), c, second)
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, retry, grace, at.now), want, "a retry when grace ends: "+at.name)
		_, _, err := s.AccessToken(bg, retry.Access.Hash, at.now)
		if want != nil {
			want = storage.ErrNotFound
		}
		verdict(t, err, want, "the access token of a retry when grace ends: "+at.name)
	}
	for _, now := range []time.Time{epoch, epoch.Add(-time.Second)} {
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, again("none", c, second), 0, now), storage.ErrConsumed, "a retry without grace")
	}
}

func retryOther(t testing.TB, s provider.Store) {
	c, first, second := rotated(t, s, "r")
	other := successor("other", c, 1)
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, other, grace, epoch), storage.ErrConsumed, "a retry with another successor")
	issuanceState(t, s, other, epoch, storage.ErrNotFound, "of a retry with another successor")
	none := successor("none", c, 1)
	none.Refresh = nil
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, none, grace, epoch), storage.ErrConsumed, "a retry without a successor")
	own := again("own", c, first)
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, own, grace, epoch), storage.ErrConsumed, "renewing a rotated token")
	wantIssuance(t, s, second, epoch, "after other retries")

	d, last := redeemed(t, s, newCode("last"), "last")
	end := successor("end", d, 1)
	end.Refresh = nil
	must(t, s.RotateRefreshToken(bg, last.Refresh.Hash, end, grace, epoch), "rotating without a successor")
	verdict(t, s.RotateRefreshToken(bg, last.Refresh.Hash, successor("late", d, 1), grace, epoch), storage.ErrConsumed, "a retry with a successor after one without")
}

func retryUsed(t testing.TB, s provider.Store) {
	for name, use := range map[string]func(c testCode, second *storage.Issuance) time.Time{
		"rotated": func(c testCode, second *storage.Issuance) time.Time {
			must(t, s.RotateRefreshToken(bg, second.Refresh.Hash, successor("third", c, 2), grace, epoch), "rotating the successor")
			return epoch
		},
		"renewed": func(c testCode, second *storage.Issuance) time.Time {
			must(t, s.RotateRefreshToken(bg, second.Refresh.Hash, again("renewed", c, second), grace, epoch), "renewing the successor")
			return epoch
		},
		"expired": func(testCode, *storage.Issuance) time.Time { return epoch.Add(refreshLife) },
	} {
		c, first, second := rotated(t, s, name)
		now := use(c, second)
		retry := again("retry "+name, c, second)
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, retry, grantLife, now), storage.ErrConsumed, "a retry after the successor was "+name)
		_, _, err := s.AccessToken(bg, retry.Access.Hash, now)
		verdict(t, err, storage.ErrNotFound, "the access token of a retry after the successor was "+name)
		r, _, err := s.RefreshToken(bg, first.Refresh.Hash, now)
		verdict(t, err, storage.ErrConsumed, "a token whose successor was "+name)
		same(t, r.SuccessorUsed, name != "expired", "SuccessorUsed after the successor was "+name)
	}
}

func retryRevoked(t testing.TB, s provider.Store) {
	c, first, second := rotated(t, s, "r")
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, again("late", c, second), 2*grantLife, epoch.Add(grantLife)), storage.ErrNotFound, "a retry in an expired grant")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking a grant")
	retry := again("retry", c, second)
	verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, retry, grace, epoch), storage.ErrRevoked, "a retry in a revoked grant")
	_, _, err := s.AccessToken(bg, retry.Access.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "the access token of a retry in a revoked grant")
}

func retryConflict(t testing.TB, s provider.Store) {
	c, first, second := rotated(t, s, "r")
	_, taken := redeemed(t, s, newCode("taken"), "taken")
	for name, change := range map[string]func(*storage.Issuance){
		"an access token that exists": func(i *storage.Issuance) { i.Access.Hash = taken.Access.Hash },
		"a foreign access token":      func(i *storage.Issuance) { i.Access.GrantID = taken.Grant.ID },
		"a foreign successor":         func(i *storage.Issuance) { i.Refresh.GrantID = taken.Grant.ID },
	} {
		retry := again("retry "+name, c, second)
		change(retry)
		verdict(t, s.RotateRefreshToken(bg, first.Refresh.Hash, retry, grace, epoch), storage.ErrConflict, "a retry with "+name)
	}
	wantIssuance(t, s, taken, epoch, "after retries that wanted its keys")
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, again("retry", c, second), grace, epoch), "a retry after rejected ones")
}
