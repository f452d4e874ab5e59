package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// call is a call of a method, which returns its verdict.
type call struct {
	text string
	make func(s *postgres.Store) string
}

// meeting is two calls that meet: node A waits between two of its statements, each of which has a snapshot of its own, until the call of node
// B has ended or waits for node A.
type meeting struct {
	name    string
	prepare []call
	waits   string // "INSERT ON table": node A waits after such a statement
	held    string // or it waits for a row, which this statement locks
	a, b    call
	between []call // after b has ended, while a waits
	after   []call
	wrong   func(v verdicts) bool // no order of the calls explains the verdicts
}

// verdicts are those of a meeting. Those of between are "" if b waited for a.
type verdicts struct {
	a, b           string
	between, after [2]string
}

func verdictOf(err error) string {
	for verdict, text := range map[error]string{
		storage.ErrNotFound: "not found", storage.ErrConsumed: "consumed", storage.ErrRevoked: "revoked", storage.ErrConflict: "conflict",
	} {
		if errors.Is(err, verdict) {
			return text
		}
	}
	if err != nil {
		return "fault: " + err.Error()
	}
	return "ok"
}

// trace lists the calls of a meeting.
type trace struct{ strings.Builder }

func (t *trace) add(node, text, verdict string) {
	fmt.Fprintf(t, "\n  node %s  %-52s %s", node, text, verdict)
}

// run makes the calls in a database, and returns them if no order explains their verdicts, or "".
func (m meeting) run(t *testing.T, d database) string {
	t.Helper()
	s := openStore(t, d.pool, postgres.Config{})
	var told trace
	told.WriteString(m.name)
	for _, c := range m.prepare {
		verdict := c.make(s)
		told.add("A", c.text, verdict)
		require.Equal(t, "ok", verdict, "%s", &told)
	}
	var resume func()
	if m.waits != "" {
		resume = pauseAfter(t, d, m.waits)
	} else {
		resume = hold(t, d, m.held)
	}
	var v verdicts
	a, b := make(chan string, 1), make(chan string, 1)
	go func() { a <- m.a.make(s) }()
	waitForLocks(t, d.pool, 1)
	told.add("A", m.a.text, "waits after "+m.waits+m.held)
	go func() { b <- m.b.make(s) }()
	ended := func() bool {
		select {
		case v.b = <-b:
			return true
		default:
			return false
		}
	}
	require.Eventually(t, func() bool { return ended() || locksAwaited(t, d.pool) == 2 }, 2*time.Minute, time.Millisecond)
	if v.b != "" {
		told.add("B", m.b.text, v.b)
		for i, c := range m.between {
			v.between[i] = c.make(s)
			told.add("B", c.text, v.between[i])
		}
	} else {
		told.add("B", m.b.text, "waits for node A")
	}
	resume()
	v.a = <-a
	told.add("A", m.a.text, v.a)
	if v.b == "" {
		v.b = <-b
		told.add("B", m.b.text, v.b)
	}
	for i, c := range m.after {
		v.after[i] = c.make(s)
		told.add("A", c.text, v.after[i])
	}
	if strings.HasPrefix(v.a, "fault") || strings.HasPrefix(v.b, "fault") || m.wrong(v) {
		return told.String()
	}
	return ""
}

// pauseAfter makes the first statement such as "UPDATE ON grants" wait when it has changed its rows, until the function that it returns is
// called. What is committed meanwhile is seen by the following statements.
func pauseAfter(t *testing.T, d database, statement string) (resume func()) {
	t.Helper()
	t.Cleanup(func() {
		_, err := d.pool.Exec(bg, "DROP FUNCTION IF EXISTS pause() CASCADE")
		require.NoError(t, err)
	})
	_, err := d.pool.Exec(bg, `DROP FUNCTION IF EXISTS pause() CASCADE;
		CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF pg_try_advisory_xact_lock(2) THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER pause AFTER `+strings.Replace(statement, "ON ", "ON portner.", 1)+" FOR EACH STATEMENT EXECUTE FUNCTION pause()")
	require.NoError(t, err)
	return hold(t, d, "SELECT pg_advisory_xact_lock(1)")
}

// hold executes a statement that locks, and returns what ends its transaction.
func hold(t *testing.T, d database, sql string) (resume func()) {
	t.Helper()
	tx, err := d.pool.Begin(bg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(bg) }) // if the test fails before
	_, err = tx.Exec(bg, sql)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(bg)) }
}

// TestInterleavings verifies the verdicts of calls that meet: an order of them explains the verdicts (docs/threat-model.md J24).
func TestInterleavings(t *testing.T) {
	t.Parallel()
	for _, m := range meetings {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, m.run(t, newDatabase(t)))
		})
	}
}

// The records of the meetings: a user with sessions s1 to s4, of which the first has expired when the others are replaced, and a grant.
var (
	meetingUser = storage.HashOf("user-1")
	later       = epoch.Add(31 * time.Minute)
	meetingKey  = storage.ConsentKey{UserKey: meetingUser, ClientID: "client-a"}
	pushedOne   = storage.PushedRequest{Hash: storage.HashOf("urn"), ClientID: "c", Source: "c", Params: []byte("sealed"), ExpiresAt: epoch.Add(time.Minute)}
)

func meetingSession(n int, started time.Time) storage.Session {
	in := sessionOf(n, started)
	in.UserKey = meetingUser
	return in
}

// meetingCode returns the code of session 1.
func meetingCode(now time.Time) *storage.AuthorizationCode {
	c := codeOf(1, now)
	c.Grant.SessionID, c.Grant.LoginOnly = "session-1", true
	return c
}

func meetingIssuance(generation, next int) *storage.Issuance {
	i := issuanceOf(1, generation, meetingCode(epoch), epoch)
	i.Refresh.Hash, i.Refresh.Generation = meetingRefresh(next), next
	return i
}

func meetingRefresh(generation int) storage.Hash {
	return storage.HashOf(numbered("refresh", generation))
}

// replace inserts a session, or puts it in the place of session old.
func replace(old int, next storage.Session, limit int) call {
	text, hash := fmt.Sprintf("ReplaceSession none -> %s, limit %d", next.ID, limit), none
	if old > 0 {
		text, hash = fmt.Sprintf("ReplaceSession session-%d -> %s", old, next.ID), sessionOf(old, epoch).Hash
	}
	return call{text, func(s *postgres.Store) string {
		ended, err := s.ReplaceSession(bg, hash, next, limit, next.StartedAt)
		verdict := verdictOf(err)
		for i := range ended {
			verdict += ", ended " + ended[i].ID
		}
		return verdict
	}}
}

func endSession(n int) call {
	return call{fmt.Sprintf("EndSession session-%d", n), func(s *postgres.Store) string {
		_, err := s.EndSession(bg, sessionOf(n, epoch).Hash, epoch)
		return verdictOf(err)
	}}
}

func findSession(n int, now time.Time) call {
	return call{fmt.Sprintf("Session session-%d", n), func(s *postgres.Store) string {
		_, err := s.Session(bg, sessionOf(n, epoch).Hash, now)
		return verdictOf(err)
	}}
}

// finish inserts the code of session 1, with a change.
func finish(text string, now time.Time, change func(o *storage.Outcome)) call {
	return call{"FinishRequest" + text, func(s *postgres.Store) string {
		o := outcomeOf(1, meetingCode(now))
		change(&o)
		return verdictOf(s.FinishRequest(bg, o, now))
	}}
}

func visits(o *storage.Outcome) {
	in := sessionOf(1, epoch)
	o.Visit = &storage.Visit{Session: in.Hash, At: o.Code.Grant.CreatedAt, Until: epoch.Add(2 * time.Hour), Client: in.Clients[0]}
}

func outside(o *storage.Outcome) { o.Code.Grant.SessionID, o.Code.Grant.LoginOnly = "", false }

func consents(o *storage.Outcome) {
	outside(o)
	o.Consents, o.Granted = meetingKey, []storage.Consent{{Scope: "a", GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
}

// earlier inserts a consent and no code.
func earlier(o *storage.Outcome) {
	consents(o)
	o.RequestID, o.Code = "earlier", nil
}

func unchanged(*storage.Outcome) {}

func verb(text string, f func(s *postgres.Store) error) call {
	return call{text, func(s *postgres.Store) string { return verdictOf(f(s)) }}
}

var (
	redeem = verb("RedeemCode", func(s *postgres.Store) error {
		return s.RedeemCode(bg, meetingCode(epoch).Hash, meetingIssuance(0, 0), epoch)
	})
	rotate = verb("RotateRefreshToken r0 -> r1", func(s *postgres.Store) error {
		return s.RotateRefreshToken(bg, meetingRefresh(0), meetingIssuance(1, 1), 0, epoch)
	})
	retry = verb("RotateRefreshToken r0 -> r1, again", func(s *postgres.Store) error {
		return s.RotateRefreshToken(bg, meetingRefresh(0), meetingIssuance(2, 1), time.Minute, epoch)
	})
	rotateNext = verb("RotateRefreshToken r1 -> r2", func(s *postgres.Store) error {
		return s.RotateRefreshToken(bg, meetingRefresh(1), meetingIssuance(3, 2), 0, epoch)
	})
	insertGrant = verb("InsertGrant", func(s *postgres.Store) error { return s.InsertGrant(bg, meetingIssuance(0, 0), epoch) })
	outsider    = verb("InsertGrant", func(s *postgres.Store) error {
		i := meetingIssuance(0, 0)
		i.Grant.SessionID, i.Grant.LoginOnly = "", false
		return s.InsertGrant(bg, i, epoch)
	})
	code   = verb("Code", func(s *postgres.Store) error { _, err := s.Code(bg, meetingCode(epoch).Hash, epoch); return err })
	revoke = verb("Revoke the grant", func(s *postgres.Store) error {
		return s.Revoke(bg, storage.Revocation{GrantID: codeOf(1, epoch).Grant.ID}, epoch)
	})
	revokeAll = verb("Revoke the authorization", func(s *postgres.Store) error {
		return s.Revoke(bg, storage.Revocation{Authorization: meetingKey}, epoch)
	})
	push         = verb("PushRequest", func(s *postgres.Store) error { return s.PushRequest(bg, pushedOne, epoch) })
	consume      = verb("ConsumePushedRequest", func(s *postgres.Store) error { return s.ConsumePushedRequest(bg, pushedOne.Hash, epoch) })
	sweep        = verb("Sweep, when everything has expired", func(s *postgres.Store) error { _, err := s.Sweep(bg, epoch.Add(24*time.Hour)); return err })
	listConsents = call{"Consents", func(s *postgres.Store) string {
		all, err := s.Consents(bg, meetingKey, epoch)
		return fmt.Sprint(verdictOf(err), ", ", len(all))
	}}
	refreshToken = call{"RefreshToken r0", func(s *postgres.Store) string {
		r, _, err := s.RefreshToken(bg, meetingRefresh(0), epoch)
		return fmt.Sprint(verdictOf(err), ", rotated: ", !r.ConsumedAt.IsZero())
	}}
)

// accessToken finds the access token of an issuance.
func accessToken(generation int) call {
	return verb(fmt.Sprintf("AccessToken of issuance %d", generation), func(s *postgres.Store) error {
		_, _, err := s.AccessToken(bg, meetingIssuance(generation, 0).Access.Hash, epoch)
		return err
	})
}

var (
	loggedIn = []call{replace(0, meetingSession(1, epoch), 0)}
	finished = append(loggedIn[:1:1], finish("", epoch, unchanged))
	redeemed = append(finished[:2:2], redeem)
)

var meetings = []meeting{
	{
		name:  "a request that is pushed while it is consumed was not consumed",
		waits: "UPDATE ON pushed_requests", a: consume, b: push,
		wrong: func(v verdicts) bool { return v.a == "consumed" },
	},
	{
		name: "a code that is inserted while it is redeemed is used once", prepare: loggedIn,
		waits: "UPDATE ON grants", a: redeem, b: finish("", epoch, unchanged),
		wrong: func(v verdicts) bool { return v.a != "ok" && v.a != "not found" },
	},
	{
		name: "a request that is swept while it is finished again has no other outcome", prepare: []call{finish("", epoch, outside)},
		waits: "INSERT ON requests", a: finish("", epoch, outside), b: sweep,
		wrong: func(v verdicts) bool { return v.a != "ok" },
	},
	{
		name:    "a session that was not live does not end in the place of one that was",
		prepare: []call{replace(0, meetingSession(1, epoch), 0), replace(0, meetingSession(2, epoch.Add(20*time.Minute)), 0)},
		held:    "SELECT FROM portner.sessions WHERE id = 'session-2' FOR UPDATE", a: replace(0, meetingSession(3, later), 1),
		b:     finish(" with a visit, 2 minutes behind", epoch.Add(29*time.Minute), visits),
		after: []call{findSession(1, later), findSession(2, later)},
		wrong: func(v verdicts) bool { return v.after[0] != "ok" || v.after[1] != "not found" },
	},
	{
		name: "logout is final: a code", prepare: loggedIn,
		waits: "INSERT ON requests", a: finish("", epoch, unchanged), b: endSession(1), after: []call{code},
		wrong: func(v verdicts) bool { return v.b == "ok" && v.after[0] == "ok" },
	},
	{
		name: "logout is final: a code with a visit", prepare: loggedIn,
		waits: "INSERT ON requests", a: finish(" with a visit", epoch, visits), b: endSession(1), after: []call{code},
		wrong: func(v verdicts) bool { return v.b == "ok" && v.after[0] == "ok" },
	},
	{
		name: "logout is final: a grant without a code", prepare: loggedIn,
		waits: "INSERT ON grants", a: insertGrant, b: endSession(1), after: []call{accessToken(0)},
		wrong: func(v verdicts) bool { return v.b == "ok" && v.after[0] == "ok" },
	},
	{
		name: "logout is final: a switch to another session", prepare: loggedIn,
		waits: "INSERT ON sessions", a: replace(1, meetingSession(2, epoch), 0), b: endSession(1),
		wrong: func(v verdicts) bool { return v.b == "ok" && strings.HasPrefix(v.a, "ok") },
	},
	{
		name: "a session ends once", prepare: loggedIn,
		waits: "UPDATE ON sessions", a: endSession(1), b: endSession(1),
		wrong: func(v verdicts) bool { return v.a == v.b },
	},
	{
		name: "a session ends once, by itself or beyond the limit", prepare: loggedIn,
		waits: "UPDATE ON sessions", a: endSession(1), b: replace(0, meetingSession(2, epoch), 1),
		wrong: func(v verdicts) bool { return v.a == "ok" && v.b != "ok" },
	},
	{
		name: "the session limit", prepare: loggedIn,
		waits: "UPDATE ON sessions", a: replace(0, meetingSession(2, epoch.Add(time.Second)), 1), b: replace(0, meetingSession(3, epoch.Add(time.Second)), 1),
		after: []call{findSession(2, epoch), findSession(3, epoch)},
		wrong: func(v verdicts) bool { return v.after[0] == v.after[1] },
	},
	{
		name: "the consents end with the codes", prepare: []call{finish(" with a consent, no code", epoch, earlier)},
		waits: "UPDATE ON grants", a: revokeAll, b: finish(" with a consent", epoch, consents), after: []call{code, listConsents},
		wrong: func(v verdicts) bool { return v.after[0] == "ok" && v.after[1] == "ok, 0" },
	},
	{
		name: "the codes end with the consents", prepare: []call{finish(" with a consent, no code", epoch, earlier)},
		waits: "UPDATE ON grants", a: revokeAll, b: finish("", epoch, outside), between: []call{listConsents}, after: []call{code},
		wrong: func(v verdicts) bool { return v.between[0] == "ok, 1" && v.after[0] == "ok" },
	},
	{
		name: "the grants end with the consents", prepare: []call{finish(" with a consent, no code", epoch, earlier)},
		waits: "UPDATE ON grants", a: revokeAll, b: outsider, between: []call{listConsents}, after: []call{accessToken(0)},
		wrong: func(v verdicts) bool { return v.between[0] == "ok, 1" && v.after[0] == "ok" },
	},
	{
		name: "no token is rotated after the grant was revoked", prepare: redeemed,
		waits: "UPDATE ON refresh_tokens", a: rotate, b: revoke, between: []call{refreshToken},
		wrong: func(v verdicts) bool { return v.between[0] == "revoked, rotated: false" && v.a == "ok" },
	},
	{
		name: "a rotation is not retried after its successor was used", prepare: append(redeemed[:3:3], rotate),
		waits: "INSERT ON access_tokens", a: retry, b: rotateNext, between: []call{accessToken(2)},
		wrong: func(v verdicts) bool { return v.between[0] == "not found" && v.b == "ok" && v.a == "ok" },
	},
}
