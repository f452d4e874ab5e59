package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// The clocks of two nodes differ by at most session.MaxSkew.
const skew = session.MaxSkew

func clockCases() []testCase[[]Node] {
	return []testCase[[]Node]{
		{"Clocks/used records", "a record that one node used is used for every node, whose clock may be behind or ahead", clocksUsed},
		{"Clocks/revocation", "what one node revoked or ended has ended for every node, whose clock may be behind or ahead", clocksEnded},
		{"Clocks/rotations", "the generations of a refresh token are ordered by their links, whatever the clocks say", clocksRotations},
	}
}

// instants of two nodes, of which the first is the clock of the node that makes a change.
var skews = [][2]time.Time{{epoch.Add(skew), epoch}, {epoch, epoch.Add(skew)}}

// lasting returns a code and an issuance that outlive the skew.
func lasting(name string) (testCode, *storage.Issuance) {
	c := newCode(name)
	c.ExpiresAt = epoch.Add(10 * time.Minute)
	i := newIssuance(name, c)
	i.Access.ExpiresAt = c.ExpiresAt
	return c, i
}

func clocksUsed(t testing.TB, all []Node) {
	one, two := all[0], all[1]
	for i, now := range skews {
		c, first := lasting(numbered("c", i))
		must(t, createCode(one, bg, c, now[0]), "creating a code")
		must(t, one.RedeemCode(bg, c.Hash, first, now[0]), "redeeming a code")
		second := newIssuance(numbered("second", i), c)
		verdict(t, two.RedeemCode(bg, c.Hash, second, now[1]), storage.ErrConsumed, "redeeming it again at a node with another clock")
		next := successor(numbered("next", i), c, 1)
		must(t, two.RotateRefreshToken(bg, first.Refresh.Hash, next, 0, now[0]), "rotating a refresh token")
		late := successor(numbered("late", i), c, 1)
		verdict(t, one.RotateRefreshToken(bg, first.Refresh.Hash, late, 0, now[1]), storage.ErrConsumed, "rotating it again at a node with another clock")
		if p := newPushed(numbered("p", i)); one.PushedRequests != nil {
			must(t, one.PushedRequests.PushRequest(bg, p, now[0]), "pushing a request")
			must(t, one.PushedRequests.ConsumePushedRequest(bg, p.Hash, now[0]), "consuming a request")
			spent(t, two.PushedRequests.ConsumePushedRequest(bg, p.Hash, now[1]), "consuming it again at a node with another clock")
		}
		if key, end := storage.HashOf(numbered("jti", i)), epoch.Add(5*time.Minute); one.Replay != nil {
			must(t, one.Replay.ConsumeJTI(bg, "client-a", key, end, now[0]), "using an assertion")
			verdict(t, two.Replay.ConsumeJTI(bg, "client-a", key, end, now[1]), storage.ErrConsumed, "using it again at a node with another clock")
		}
	}
}

func clocksEnded(t testing.TB, all []Node) {
	one, two := all[0], all[1]
	for i, now := range skews {
		in := createSession(t, one, newSession(numbered("s", i), numbered("p", i)))
		c, login := lasting(numbered("login", i))
		c = given(c, in, true)
		login.Grant = c.Grant
		must(t, createCode(one, bg, c, epoch), "creating a code")
		must(t, one.RedeemCode(bg, c.Hash, login, epoch), "redeeming a code")
		d, data := lasting(numbered("data", i))
		must(t, createCode(two, bg, d, epoch), "creating a code")
		must(t, two.RedeemCode(bg, d.Hash, data, epoch), "redeeming a code")

		must(t, one.Revoke(bg, storage.Revocation{GrantID: d.Grant.ID}, now[0]), "revoking a grant")
		_, err := one.EndSession(bg, in.Hash, now[0])
		must(t, err, "ending a session")
		for _, at := range now {
			issuanceState(t, two, login, at, storage.ErrRevoked, "of an ended session, at a node with another clock")
			issuanceState(t, two, data, at, storage.ErrRevoked, "of a revoked grant, at a node with another clock")
			wantNoSession(t, two, in.Hash, at, "that another node ended")
			verdict(t, createCode(two, bg, given(newCode(numbered("late", i)), in, false), at), storage.ErrRevoked, "a code in a session that another node ended")
			verdict(t, replace(bg, two, none, newSession(numbered("s", i), "other"), at), storage.ErrConflict, "a session with the ID of one that another node ended")
		}
	}
}

// clocksRotations rotates a refresh token at nodes of which each has another clock.
func clocksRotations(t testing.TB, all []Node) {
	c, last := lasting("c")
	must(t, createCode(all[0], bg, c, epoch), "creating a code")
	must(t, all[0].RedeemCode(bg, c.Hash, last, epoch), "redeeming a code")
	issues, instants := []*storage.Issuance{last}, []time.Time{epoch, epoch.Add(skew), epoch.Add(-skew), epoch.Add(1)}
	for i := range 2 * len(instants) {
		next := successor(numbered("g", i), c, i+1)
		now, other := instants[i%len(instants)], instants[(i+1)%len(instants)]
		must(t, all[i%len(all)].RotateRefreshToken(bg, last.Refresh.Hash, next, 0, now), "rotating a refresh token")
		if i > 0 { // a retry of the rotation before the last one
			retry := again(numbered("retry", i), c, last)
			verdict(t, all[(i+1)%len(all)].RotateRefreshToken(bg, issues[i-1].Refresh.Hash, retry, 10*skew, other), storage.ErrConsumed, "a retry after the successor was rotated")
		}
		issues, last = append(issues, next), next
	}
	for i, issue := range issues {
		for _, now := range instants {
			got, _, err := all[i%len(all)].RefreshToken(bg, issue.Refresh.Hash, now)
			switch {
			case issue == last:
				verdict(t, err, nil, "the last generation")
			case !errors.Is(err, storage.ErrConsumed) || got.Successor != issues[i+1].Refresh.Hash || got.Generation != i:
				t.Fatalf("generation %d at %v: got generation %d and %v, want ErrConsumed and the next one as successor", i, now.Sub(epoch), got.Generation, err)
			}
		}
	}
}
