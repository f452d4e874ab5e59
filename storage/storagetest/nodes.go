package storagetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/history"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// Node is a store as one node of a provider opens it. The nodes of a provider share their data.
type Node struct {
	provider.Store
	PushedRequests authorize.PushedRequestStore // nil if the store has none
	Replay         client.ReplayStore           // nil if the store has none

	// Sweep deletes records that have expired at now. Nil leaves out its cases: the store deletes nothing, or its server does by itself.
	Sweep func(ctx context.Context, now time.Time) (int, error)
}

// nodes is the number of nodes that each case of RunNodes opens.
const nodes = 3

// RunNodes checks that a store with several nodes is one store: what one node changes the others see at once, whatever their clocks say and
// while expired records are deleted, and every result is explained by one order of all calls. It calls newNodes for each case; the n nodes
// share data of their own, which are empty. Run checks the methods of a single node.
func RunNodes(t *testing.T, newNodes func(t *testing.T, n int) []Node) {
	run(t, nodeCases(), func(t *testing.T) []Node { return newNodes(t, nodes) })
}

func nodeCases() []testCase[[]Node] {
	all := []testCase[[]Node]{
		{"Nodes/pushed requests", "a request that was pushed by one node is consumed once by any of them", nodesPushed},
		{"Nodes/jti", "an assertion is accepted once by all nodes together", nodesReplay},
		{"Nodes/histories", "one order of the calls of all nodes explains the results: the store is linearizable", histories},
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		all = append(all, testCase[[]Node]{
			"Nodes/" + name, "what a node has changed is read by every other node, which may have read the records before",
			func(t testing.TB, all []Node) { changedByAnother(t, all, changes[name]) },
		})
	}
	for _, c := range storeCases() {
		for _, c := range c {
			if slices.Contains(sharedRaces, c.name) {
				all = append(all, testCase[[]Node]{"Nodes/" + c.name, c.rule + ", also at different nodes", func(t testing.TB, all []Node) { c.f(t, spreadOver(all)) }})
			}
		}
	}
	return append(append(all, clockCases()...), sweepCases()...)
}

// sharedRaces are the cases of Run whose callers are at different nodes, too.
var sharedRaces = []string{
	"Race/one code", "Race/one refresh token", "Race/revoke and rotate", "Race/end session and redeem", "Race/replace session", "Race/one code per request",
	"Race/retries", "Race/session limit",
}

// changedByAnother makes a change at one node and reads at the others.
func changedByAnother(t testing.TB, all []Node, of func(reader, *records) change) {
	r := newRecords("r")
	do := of(reader{all[0].Store}, r)
	r.insert(t, all[0].Store)
	var others []change
	for _, n := range all[1:] {
		others = append(others, of(reader{n.Store}, r))
	}
	for i, c := range others { // a node may remember what it reads
		if n := c.made(); n > 0 {
			t.Fatalf("before the call: %d records are read at node %d as if it had been made", n, i+1)
		}
	}
	must(t, do.do(bg), "changing records that other nodes read")
	for i, c := range others {
		if n := c.made(); n != len(c.after) {
			t.Fatalf("after the call: %d of %d records are read at node %d as if it had not been made", len(c.after)-n, len(c.after), i+1)
		}
	}
	verdict(t, others[0].do(bg), do.again, "making the change again at another node")
}

// nodeStore is a store each of whose calls is made at a node.
type nodeStore struct {
	nodes  []Node
	calls  *atomic.Uint32
	called func() // before each call; nil for nothing
}

func spreadOver(all []Node) nodeStore { return nodeStore{nodes: all, calls: &atomic.Uint32{}} }

// at returns the node of the next call, in an order without a pattern.
func (s nodeStore) at() Node {
	if s.called != nil {
		s.called()
	}
	return s.nodes[int(s.calls.Add(1)*2654435761>>16)%len(s.nodes)]
}

// Session implements provider.Store.
func (s nodeStore) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	return s.at().Session(ctx, h, now)
}

// ReplaceSession implements provider.Store.
func (s nodeStore) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	return s.at().ReplaceSession(ctx, old, next, limit, now)
}

// EndSession implements provider.Store.
func (s nodeStore) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	return s.at().EndSession(ctx, h, now)
}

// Consents implements provider.Store.
func (s nodeStore) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	return s.at().Consents(ctx, key, now)
}

// FinishRequest implements provider.Store.
func (s nodeStore) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	return s.at().FinishRequest(ctx, o, now)
}

// Code implements provider.Store.
func (s nodeStore) Code(ctx context.Context, h storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	return s.at().Code(ctx, h, now)
}

// RedeemCode implements provider.Store.
func (s nodeStore) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	return s.at().RedeemCode(ctx, h, i, now)
}

// RefreshToken implements provider.Store.
func (s nodeStore) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	return s.at().RefreshToken(ctx, h, now)
}

// RotateRefreshToken implements provider.Store.
func (s nodeStore) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return s.at().RotateRefreshToken(ctx, h, i, grace, now)
}

// AccessToken implements provider.Store.
func (s nodeStore) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	return s.at().AccessToken(ctx, h, now)
}

// Revoke implements provider.Store.
func (s nodeStore) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	return s.at().Revoke(ctx, r, now)
}

// Grants implements provider.Store.
func (s nodeStore) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	return s.at().Grants(ctx, q, now)
}

// PushRequest implements authorize.PushedRequestStore.
func (s nodeStore) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	return s.at().PushedRequests.PushRequest(ctx, p, now)
}

// PushedRequest implements authorize.PushedRequestStore.
func (s nodeStore) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	return s.at().PushedRequests.PushedRequest(ctx, h, now)
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (s nodeStore) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	return s.at().PushedRequests.ConsumePushedRequest(ctx, h, now)
}

// ConsumeJTI implements client.ReplayStore.
func (s nodeStore) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	return s.at().Replay.ConsumeJTI(ctx, clientID, key, end, now)
}

func nodesPushed(t testing.TB, all []Node) {
	if all[0].PushedRequests == nil {
		return
	}
	p := push(t, all[0].PushedRequests, "p")
	for _, n := range all {
		wantPushed(t, n.PushedRequests, p, "that another node pushed")
	}
	must(t, all[1].PushedRequests.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request that another node pushed")
	for _, n := range all {
		_, err := n.PushedRequests.PushedRequest(bg, p.Hash, epoch)
		verdict(t, err, storage.ErrNotFound, "reading a request that another node consumed")
		spent(t, n.PushedRequests.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request that another node consumed")
		verdict(t, n.PushedRequests.PushRequest(bg, p, epoch), storage.ErrConflict, "pushing a request that another node consumed")
	}
	pushedRace(t, spreadOver(all))
}

func nodesReplay(t testing.TB, all []Node) {
	if all[0].Replay == nil {
		return
	}
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	must(t, all[0].Replay.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
	for _, n := range all {
		verdict(t, n.Replay.ConsumeJTI(bg, "client-a", key, end, epoch), storage.ErrConsumed, "using an assertion that another node accepted")
	}
	jtiRace(t, spreadOver(all))
}

// patienceOfHistories bounds how long the history of one key is examined. It is a few calls long and takes milliseconds.
const patienceOfHistories = 2 * time.Minute

func histories(t testing.TB, all []Node) {
	var handles []history.Handle
	for _, n := range all {
		handles = append(handles, history.Handle{Store: n.Store, PushedRequests: n.PushedRequests, Replay: n.Replay})
	}
	for i := range size(2, 20, 200) {
		b := history.Batch{Space: fmt.Sprint(i), Seed: uint64(i), Processes: 1, Callers: 6, Steps: size(30, 60, 60)}
		if err := history.Check(history.Run(yielding(), b, handles...), patienceOfHistories); err != nil {
			t.Fatalf("batch %d: %s", i, strings.TrimPrefix(err.Error(), "history: "))
		}
	}
}
