package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// kind is a kind of record with a bound, for the tests of shares. insert inserts record n of an owner.
type kind struct {
	name   string
	config func(max int) memory.Config
	insert func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error
	life   time.Duration // of a record
	part   int           // one owner fills a part of the bound: a half, or a third if it is a part of an owner
}

func userOf(owner int) storage.Hash { return storage.HashOf(id("user", owner)) }

var kinds = []kind{
	{
		name:   "sessions of a user",
		config: func(max int) memory.Config { return memory.Config{MaxSessions: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			in := newSession(owner*10_000 + n)
			in.UserKey, in.ExpiresAt = userOf(owner), now.Add(30*time.Minute)
			_, err := s.ReplaceSession(t.Context(), none, in, 0, now)
			return err
		},
		life: 30 * time.Minute, part: 2,
	},
	{
		name:   "codes of a user at a client",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			return s.FinishRequest(t.Context(), codeOf(owner, n, now), now)
		},
		life: time.Minute, part: 3,
	},
	{
		name:   "codes of a user at many clients",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			o := codeOf(owner, n, now)
			o.Code.Grant.ClientID = id("client", owner*10_000+n)
			return s.FinishRequest(t.Context(), o, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "codes of many users at a client",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			o := codeOf(owner, n, now)
			o.Code.Grant.UserKey = userOf(owner*10_000 + n)
			return s.FinishRequest(t.Context(), o, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "denials of many users at a client",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			key := storage.ConsentKey{UserKey: userOf(owner*10_000 + n), ClientID: id("client", owner)}
			return s.FinishRequest(t.Context(), storage.Outcome{RequestID: id("denied", owner*10_000+n), Consents: key, RetainTo: now.Add(time.Minute)}, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "grants of many users that a client exchanges",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			i := machineGrant(owner, n, now)
			i.Grant.UserKey = userOf(owner*10_000 + n)
			return s.InsertGrant(t.Context(), i, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "tokens of many users at a client",
		config: func(max int) memory.Config { return memory.Config{MaxTokens: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			i := machineGrant(owner, n, now)
			i.Grant.UserKey = userOf(owner*10_000 + n)
			return s.InsertGrant(t.Context(), i, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "denials of a user at many clients",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			key := storage.ConsentKey{UserKey: userOf(owner), ClientID: id("client", owner*10_000+n)}
			return s.FinishRequest(t.Context(), storage.Outcome{RequestID: id("denied", owner*10_000+n), Consents: key, RetainTo: now.Add(time.Minute)}, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "grants of a client without a user",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			return s.InsertGrant(t.Context(), machineGrant(owner, n, now), now)
		},
		life: time.Minute, part: 3,
	},
	{
		name:   "tokens of a client without a user",
		config: func(max int) memory.Config { return memory.Config{MaxTokens: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			return s.InsertGrant(t.Context(), machineGrant(owner, n, now), now)
		},
		life: time.Minute, part: 3,
	},
	{
		name:   "grants of a user that a client exchanges",
		config: func(max int) memory.Config { return memory.Config{MaxGrants: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			i := machineGrant(owner, n, now)
			i.Grant.UserKey = userOf(owner)
			return s.InsertGrant(t.Context(), i, now)
		},
		life: time.Minute, part: 3,
	},
	{
		name:   "consents of a user",
		config: func(max int) memory.Config { return memory.Config{MaxConsents: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			o := answer(id("answer", owner*10_000+n), owner, id("scope", n))
			o.Granted[0].ExpiresAt, o.RetainTo = now.Add(time.Minute), now.Add(time.Minute)
			return s.FinishRequest(t.Context(), o, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "pushed requests of an authenticated client",
		config: func(max int) memory.Config { return memory.Config{MaxPushedRequests: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			p := newPushed(owner*10_000+n, id("client", owner))
			p.ExpiresAt = now.Add(time.Minute)
			return s.PushRequest(t.Context(), p, now)
		},
		life: time.Minute, part: 3,
	},
	{
		name:   "pushed requests of a public client from many addresses",
		config: func(max int) memory.Config { return memory.Config{MaxPushedRequests: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			p := newPushed(owner*10_000+n, id("client", owner))
			p.Source, p.ExpiresAt = p.ClientID+" "+fmt.Sprint(n), now.Add(time.Minute)
			return s.PushRequest(t.Context(), p, now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "assertions of a client",
		config: func(max int) memory.Config { return memory.Config{MaxReplays: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			return s.ConsumeJTI(t.Context(), id("client", owner), storage.HashOf(id("jti", owner*10_000+n)), now.Add(time.Minute), now)
		},
		life: time.Minute, part: 2,
	},
	{
		name:   "logins of a user",
		config: func(max int) memory.Config { return memory.Config{MaxLogins: max} },
		insert: func(t *testing.T, s *memory.Store, owner, n int, now time.Time) error {
			return s.RecordLogin(t.Context(), storage.Login{ID: id("login", owner*10_000+n), UserKey: userOf(owner), At: now, ExpiresAt: now.Add(time.Minute)}, now)
		},
		life: time.Minute, part: 2,
	},
}

func codeOf(owner, n int, now time.Time) storage.Outcome {
	c := newCode(owner*10_000 + n)
	c.Grant.UserKey, c.Grant.ClientID, c.ExpiresAt = userOf(owner), id("client", owner), now.Add(time.Minute)
	return storage.Outcome{RequestID: id("request", owner*10_000+n), Code: &c}
}

func machineGrant(owner, n int, now time.Time) *storage.Issuance {
	g := newCode(owner*10_000 + n).Grant
	g.UserKey, g.ClientID, g.ExpiresAt = storage.Hash{}, id("client", owner), now.Add(time.Minute)
	i := newIssuance(owner*10_000+n, 0, g)
	i.Refresh, i.Access.ExpiresAt = nil, now.Add(time.Minute)
	return i
}

// greedy inserts records of an owner until the store is full for it, and returns their number.
func greedy(t *testing.T, k kind, s *memory.Store, owner int, now time.Time) int {
	return greedyFrom(t, k, s, owner, 0, now)
}

func greedyFrom(t *testing.T, k kind, s *memory.Store, owner, first int, now time.Time) int {
	for n := range 5_000 {
		err := k.insert(t, s, owner, first+n, now)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrFull)
			return n
		}
	}
	t.Fatalf("%s: one owner inserted 5,000 records", k.name)
	return 0
}

// TestShareOfOneOwner verifies that one owner cannot use up a bound, that others find room in the rest, and that expired records
// make room (docs/threat-model.md J16).
func TestShareOfOneOwner(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			const max = 300
			s := bounded(k.config(max))
			held := greedy(t, k, s, 0, epoch)
			require.LessOrEqual(t, held, max/k.part+1)
			require.GreaterOrEqual(t, held, max/k.part-1)
			for other := 1; other <= max-held; other++ {
				require.NoError(t, k.insert(t, s, other, 0, epoch), "other owner %d of %d", other, max-held)
			}
			require.ErrorIs(t, k.insert(t, s, max+1, 0, epoch), storage.ErrFull, "the store has %d records", max)
			for n := range max {
				require.ErrorIs(t, k.insert(t, s, 0, held+n, epoch), storage.ErrFull)
			}
			later := epoch.Add(k.life)
			require.NoError(t, k.insert(t, s, 0, 2*max, later), "expired records make room")
			require.GreaterOrEqual(t, greedyFrom(t, k, s, 0, 3*max, later), max/k.part-2, "attempts that failed count nothing")
			_, err := s.Sweep(t.Context(), later.Add(24*time.Hour))
			require.NoError(t, err)
			require.Empty(t, s.Leftovers())
		})
	}
}

// TestSharesOfManyOwners verifies that k owners without restraint leave a (k+1)th part to others.
func TestSharesOfManyOwners(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			const max, owners = 300, 9
			s := bounded(k.config(max))
			sum, active := 0, slices.Repeat([]bool{true}, owners)
			for n := 0; slices.Contains(active, true); n++ { // in turns
				for owner := range owners {
					if active[owner] {
						if active[owner] = k.insert(t, s, owner, n, epoch) == nil; active[owner] {
							sum++
						}
					}
				}
			}
			require.LessOrEqual(t, sum, max-max/(owners+1)+owners)
			for other := range max - sum {
				require.NoError(t, k.insert(t, s, owners+other, 0, epoch))
			}
		})
	}
}

// A client that refreshes the tokens of one user without pause does not keep the user from other clients, and no other user.
func TestShareOfRefreshes(t *testing.T) {
	t.Parallel()
	const max = 300
	s := bounded(memory.Config{MaxTokens: max})
	redeem := func(n int, client string) (*storage.Issuance, error) {
		o := codeOf(0, n, epoch)
		o.Code.Grant.ClientID = client
		require.NoError(t, s.FinishRequest(t.Context(), o, epoch))
		i := newIssuance(n, 0, o.Code.Grant)
		return i, s.RedeemCode(t.Context(), o.Code.Hash, i, epoch)
	}
	last, err := redeem(0, "greedy")
	require.NoError(t, err)
	n := 1
	for ; err == nil; n++ {
		require.Less(t, n, max)
		next := newIssuance(0, n, last.Grant)
		if err = s.RotateRefreshToken(t.Context(), last.Refresh.Hash, next, 0, epoch); err == nil {
			last = next
		}
	}
	require.ErrorIs(t, err, storage.ErrFull)
	require.InDelta(t, max/3, s.Stats().Tokens, 2)
	_, err = redeem(1, "greedy")
	require.ErrorIs(t, err, storage.ErrFull, "another grant of the user at this client")
	_, err = redeem(2, "another")
	require.NoError(t, err, "the user at another client")
	require.NoError(t, s.InsertGrant(t.Context(), machineGrant(1, 1, epoch), epoch), "another owner")
}

// A client that refreshes the tokens of many users without pause keeps no user from other clients.
func TestShareOfRefreshesOfManyUsers(t *testing.T) {
	t.Parallel()
	const max, users = 400, 40
	s := bounded(memory.Config{MaxTokens: max})
	redeem := func(n int, client string) (*storage.Issuance, error) {
		o := codeOf(n, 0, epoch)
		o.Code.Grant.ClientID = client
		require.NoError(t, s.FinishRequest(t.Context(), o, epoch))
		i := newIssuance(n, 0, o.Code.Grant)
		return i, s.RedeemCode(t.Context(), o.Code.Hash, i, epoch)
	}
	last := make([]*storage.Issuance, users)
	for n := range last {
		var err error
		last[n], err = redeem(n, "greedy")
		require.NoError(t, err)
	}
	for n, refused := 0, 0; refused < users; n++ {
		user := n % users
		next := newIssuance(user, 1+n, last[user].Grant)
		err := s.RotateRefreshToken(t.Context(), last[user].Refresh.Hash, next, 0, epoch)
		if refused++; err == nil {
			last[user], refused = next, 0
		} else {
			require.ErrorIs(t, err, storage.ErrFull)
		}
	}
	require.InDelta(t, max/2, s.Stats().Tokens, 2)
	for n := range 50 {
		_, err := redeem(users+n, "calm")
		require.NoError(t, err, "user %d of another client", n)
	}
	o := codeOf(0, 1, epoch)
	o.Code.Grant.ClientID = "another"
	require.NoError(t, s.FinishRequest(t.Context(), o, epoch))
	require.NoError(t, s.RedeemCode(t.Context(), o.Code.Hash, newIssuance(10_000, 0, o.Code.Grant), epoch), "a user of the client, at another one")
}

// Users without restraint at one client leave room for other users of the client.
func TestUsersShareTheirClient(t *testing.T) {
	t.Parallel()
	const max = 600
	s := bounded(memory.Config{MaxGrants: max})
	insert := func(user, n int) error {
		o := codeOf(user, n, epoch)
		o.Code.Grant.ClientID = "client"
		return s.FinishRequest(t.Context(), o, epoch)
	}
	for user := range 3 {
		n := 0
		for insert(user, n) == nil {
			n++
		}
		require.Positive(t, n)
	}
	require.Less(t, s.Stats().Grants, max/2)
	for user := range 5 {
		require.NoError(t, insert(10+user, 0), "another user of the client")
	}
}

// The tokens of a grant that was collected count for its client until they are collected, also if their user has a grant at another
// client by then.
func TestTokensOfACollectedGrant(t *testing.T) {
	t.Parallel()
	const max, n = 300, 30
	s := bounded(memory.Config{MaxTokens: max})
	in := newSession(0) // keeps the user
	in.UserKey, in.ExpiresAt = userOf(0), epoch.Add(24*time.Hour)
	_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
	require.NoError(t, err)
	o := codeOf(0, 0, epoch)
	o.Code.Grant.ClientID = "first"
	require.NoError(t, s.FinishRequest(t.Context(), o, epoch))
	last := newIssuance(0, 0, o.Code.Grant)
	require.NoError(t, s.RedeemCode(t.Context(), o.Code.Hash, last, epoch))
	for i := range n {
		next := newIssuance(0, 1+i, o.Code.Grant)
		require.NoError(t, s.RotateRefreshToken(t.Context(), last.Refresh.Hash, next, 0, epoch))
		last = next
	}
	later := o.Code.Grant.ExpiresAt
	s.CollectGrants(later)
	require.Zero(t, s.Stats().Grants)
	require.Greater(t, s.Stats().Tokens, n)
	insert := func(user int) error {
		i := machineGrant(1, user, later)
		i.Grant.UserKey, i.Grant.ClientID = userOf(user), "second"
		return s.InsertGrant(t.Context(), i, later)
	}
	require.NoError(t, insert(0))
	_, err = s.Sweep(t.Context(), later)
	require.NoError(t, err)
	require.Equal(t, 1, s.Stats().Tokens)
	held := 1
	for insert(held) == nil {
		held++
	}
	require.InDelta(t, max/2, held, 1, "the second client has a half")
	_, err = s.Sweep(t.Context(), later.Add(48*time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.Leftovers())
}

// The tokens that a failed insertion counted are given back, for each owner.
func TestFailedInsertionsCountNothing(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := bounded(k.config(3000))
			require.NoError(t, k.insert(t, s, 0, 0, epoch))
			held := s.Stats()
			for range 1000 {
				_ = k.insert(t, s, 0, 0, epoch) // a conflict or a retry
			}
			if k.name != "logins of a user" {
				require.Equal(t, held, s.Stats())
			}
			for n := range 50 {
				require.NoError(t, k.insert(t, s, 0, 1+n, epoch))
			}
			_, err := s.Sweep(t.Context(), epoch.Add(time.Hour*24))
			require.NoError(t, err)
			require.Empty(t, s.Leftovers())
		})
	}
}

// TestEndedSessionsTakeNoRoom verifies that a user who logs in and out without pause takes no room of sessions, and at most 16
// places of ended ones.
func TestEndedSessionsTakeNoRoom(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxSessions: 40})
	for n := range 1000 {
		in := newSession(n)
		in.UserKey = userOf(0)
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
		_, err = s.EndSession(t.Context(), in.Hash, epoch)
		require.NoError(t, err)
		require.Zero(t, s.Stats().Sessions)
		require.LessOrEqual(t, s.Stats().EndedSessions, 16)
	}
	for n := range 1000 { // switching users ends sessions, too
		in, next := newSession(1000+2*n), newSession(1001+2*n)
		in.UserKey, next.UserKey = userOf(1), userOf(2+n%20)
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
		_, err = s.ReplaceSession(t.Context(), in.Hash, next, 1, epoch)
		require.NoError(t, err)
		require.LessOrEqual(t, s.Stats().EndedSessions, 40)
	}
	require.Equal(t, 20, s.Stats().Sessions)
	_, err := s.Sweep(t.Context(), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.Leftovers())
}

// Requests that callers of a public client push from one address do not keep callers at other addresses from the client, and
// consumed ones make room for their address.
func TestPushedRequestsPerAddress(t *testing.T) {
	t.Parallel()
	s := memory.New()
	push := func(n int, source string) error {
		p := newPushed(n, "public")
		p.Source = source
		return s.PushRequest(t.Context(), p, epoch)
	}
	for n := range 20 {
		require.NoError(t, push(n, "public 192.0.2.1"))
	}
	require.ErrorIs(t, push(20, "public 192.0.2.1"), storage.ErrFull)
	require.NoError(t, push(20, "public 192.0.2.2"))
	require.NoError(t, s.ConsumePushedRequest(t.Context(), newPushed(0, "").Hash, epoch))
	require.NoError(t, push(21, "public 192.0.2.1"))
	require.ErrorIs(t, push(22, "public 192.0.2.1"), storage.ErrFull)
}

// TestCallersTakeNoSymbols verifies that texts that callers choose are not in the table of symbols, which never shrinks. It is not
// parallel, because all stores share the table.
func TestCallersTakeNoSymbols(t *testing.T) {
	s := memory.New()
	insert := func(n int) *storage.Issuance {
		c := newCode(n)
		c.Grant.UserAgent, c.Grant.Resources = id("agent", n), []string{"https://" + id("resource", n)}
		c.RedirectURI = fmt.Sprintf("http://127.0.0.1:%d/cb", n)
		c.Grant.Delegation = storage.Delegation{Consumer: id("consumer", n), Supplier: id("supplier", n)}
		require.NoError(t, s.FinishRequest(t.Context(), outcomeOf(n, c), epoch))
		i := newIssuance(n, 0, c.Grant)
		i.Access.Audience = c.Grant.Resources
		require.NoError(t, s.RedeemCode(t.Context(), c.Hash, i, epoch))
		return i
	}
	insert(-1)
	before := memory.SymbolCount()
	for n := range 200 {
		i := insert(n)
		a, g, err := s.AccessToken(t.Context(), i.Access.Hash, epoch)
		require.NoError(t, err)
		require.Equal(t, i.Access.Audience, a.Audience)
		require.Equal(t, i.Grant.UserAgent, g.UserAgent)
		require.Equal(t, i.Grant.Resources, g.Resources)
		require.Equal(t, i.Grant.Delegation, g.Delegation)
	}
	require.Equal(t, before, memory.SymbolCount())
}

// A user with the most entries in the login history loses the oldest, also if the store is full.
func TestLoginsOfOneUser(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxLogins: 402})
	record := func(owner, n int) error {
		return s.RecordLogin(t.Context(), storage.Login{ID: id("login", n), UserKey: userOf(owner), ClientID: id("client", n), At: epoch, ExpiresAt: epoch.Add(time.Hour)}, epoch)
	}
	for n := range 300 {
		require.NoError(t, record(0, n))
	}
	for owner := 1; s.Stats().Logins < 402; owner++ {
		require.NoError(t, record(owner, 0))
	}
	require.ErrorIs(t, record(1000, 0), storage.ErrFull)
	require.NoError(t, record(0, 300))
	got, err := s.Logins(t.Context(), userOf(0), epoch)
	require.NoError(t, err)
	require.Len(t, got, 200)
	require.Equal(t, id("client", 300), got[0].ClientID)
	require.Equal(t, id("client", 101), got[199].ClientID)
}
