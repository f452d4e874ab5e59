package memory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// heavy returns a store in which one user has n grants of three kinds, a third each: login-only grants of one session, other grants
// of one client, and codes that were not redeemed.
func heavy(n int) (*memory.Store, storage.Session) {
	s := bounded(roomy)
	ctx := context.Background()
	in := newSession(0)
	_, err := s.ReplaceSession(ctx, none, in, 50, epoch)
	check(err)
	for i := range n {
		c := heavyCode(in, i)
		check(s.FinishRequest(ctx, outcomeOf(i, c), epoch))
		if i%3 < 2 {
			check(s.RedeemCode(ctx, c.Hash, newIssuance(i, 0, c.Grant), epoch))
		}
	}
	return s, in
}

func heavyCode(in storage.Session, i int) storage.AuthorizationCode {
	c := newCode(i)
	c.Grant.UserKey, c.Grant.SessionID = in.UserKey, in.ID
	c.Grant.CreatedAt = epoch.Add(time.Duration(i-2_000_000) * time.Millisecond) // in the order of insertion, the worst one for a tree
	if i%3 == 1 {
		c.Grant.ClientID, c.Grant.LoginOnly = "client-b", false
	}
	return c
}

// verbs use the records of a user with many grants, in this order.
func verbs(s *memory.Store, in storage.Session, n int) []struct {
	name string
	most int // records that are visited while the lock of the user is held
	run  func() error
} {
	ctx := context.Background()
	late := heavyCode(in, n)
	lateIssue := newIssuance(n, 0, late.Grant)
	grants := func(after string) error {
		page, err := s.Grants(ctx, storage.GrantQuery{UserKey: in.UserKey, After: after, Limit: 100}, epoch)
		if err == nil && len(page) != 100 {
			err = fmt.Errorf("a page of %d grants", len(page))
		}
		return err
	}
	const path = 100 // of a tree with a million nodes, about 2 ln n = 28 on average
	return []struct {
		name string
		most int
		run  func() error
	}{
		{"FinishRequest", path, func() error { return s.FinishRequest(ctx, outcomeOf(n, late), epoch) }},
		{"RedeemCode", path, func() error { return s.RedeemCode(ctx, late.Hash, lateIssue, epoch) }},
		{"AccessToken", path, func() error { _, _, err := s.AccessToken(ctx, lateIssue.Access.Hash, epoch); return err }},
		{"Grants", 100 + path, func() error { return grants("") }},
		{"Grants after", 100 + path, func() error { return grants(heavyCode(in, n/2/3*3).Grant.ID) }},
		{"Revoke grant", 2 * path, func() error {
			return s.Revoke(ctx, storage.Revocation{GrantID: heavyCode(in, 3).Grant.ID}, epoch)
		}},
		{"Session", path, func() error { _, err := s.Session(ctx, in.Hash, epoch); return err }},
		{"ReplaceSession", path, func() error { _, err := s.ReplaceSession(ctx, in.Hash, in, 50, epoch); return err }},
		{"EndSession", path, func() error { _, err := s.EndSession(ctx, in.Hash, epoch); return err }},
		{"Grants between ended grants", 164 + 64*2*path/3, func() error { return grants("") }},
		{"Revoke authorization", path, func() error {
			return s.Revoke(ctx, storage.Revocation{Authorization: storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-b"}}, epoch)
		}},
		{"Grants without a live grant", 164 + 64*2*path/3, func() error {
			page, err := s.Grants(ctx, storage.GrantQuery{UserKey: in.UserKey, Limit: 100}, epoch)
			if len(page) > 0 {
				return fmt.Errorf("%d grants are live", len(page))
			}
			return err
		}},
		{"Sweep", 2 * path, func() error { _, err := s.Sweep(ctx, epoch.Add(24*time.Hour)); return err }},
	}
}

// TestLockHolds verifies that no method visits many records while it holds a lock, also if one user has all records
// (docs/threat-model.md J16). It counts records, because durations depend on the machine.
func TestLockHolds(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	const n = 15_000 // a third of it is more than the largest number below
	s, in := heavy(n)
	require.LessOrEqual(t, s.MostVisited(), 100, "inserting")
	for _, v := range verbs(s, in, n) {
		require.NoError(t, v.run(), v.name)
		require.LessOrEqual(t, s.MostVisited(), v.most, v.name)
	}
	require.Empty(t, s.Leftovers())
}

// A user with the most sessions that a store accepts has no more, and all can end in one step.
func TestSessionsOfOneUserAreBounded(t *testing.T) {
	t.Parallel()
	s := memory.New()
	insert := func(n, limit int, now time.Time) (int, error) {
		in := newSession(n)
		in.UserKey, in.ExpiresAt = userOf(0), now.Add(30*time.Minute)
		ended, err := s.ReplaceSession(t.Context(), none, in, limit, now)
		return len(ended), err
	}
	for n := range 1000 {
		_, err := insert(n, 0, epoch)
		require.NoError(t, err)
	}
	_, err := insert(1000, 0, epoch)
	require.ErrorIs(t, err, storage.ErrFull)
	one, err := insert(1002, 1000, epoch)
	require.NoError(t, err)
	require.Equal(t, 1, one, "the oldest ends")
	last, err := s.Session(t.Context(), newSession(999).Hash, epoch)
	require.NoError(t, err)
	ended, err := s.ReplaceSession(t.Context(), last.Hash, last, 1, epoch)
	require.NoError(t, err)
	require.Len(t, ended, 999)
	require.LessOrEqual(t, s.MostVisited(), 40_000, "visited while the sessions end")
	require.Equal(t, 16, s.Stats().EndedSessions)
	_, err = insert(1001, 0, epoch)
	require.NoError(t, err)
}

// BenchmarkLocks reports the duration of each method with a million grants of one user. It ignores b.N.
func BenchmarkLocks(b *testing.B) {
	s, in := heavy(1_000_000)
	for _, v := range verbs(s, in, 1_000_000) {
		start := time.Now()
		check(v.run())
		took, name := time.Since(start), strings.ReplaceAll(v.name, " ", "-")
		b.ReportMetric(float64(took.Microseconds()), "µs/"+name)
		b.ReportMetric(float64(s.MostVisited()), "visits/"+name)
	}
	b.ReportMetric(0, "ns/op")
}
