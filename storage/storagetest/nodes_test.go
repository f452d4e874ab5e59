package storagetest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

// One store in memory is all nodes of its process.
func TestMemoryNodes(t *testing.T) {
	storagetest.RunNodes(t, func(_ *testing.T, n int) []storagetest.Node {
		s := memory.New()
		return slices.Repeat([]storagetest.Node{{Store: s, PushedRequests: s, Replay: s, Sweep: s.Sweep}}, n)
	})
}

// each returns nodes that f makes around one model.
func each(defect string, f func(m *model) storagetest.Node) func(n int) []storagetest.Node {
	return func(n int) (all []storagetest.Node) {
		m := newModel(defect)
		for range n {
			all = append(all, f(m))
		}
		return all
	}
}

// around returns nodes with a store around one model.
func around(f func(m *model) provider.Store) func(n int) []storagetest.Node {
	return each("", func(m *model) storagetest.Node {
		return storagetest.Node{Store: f(m), PushedRequests: m, Replay: m, Sweep: m.Sweep}
	})
}

// withDefect returns nodes with one model.
func withDefect(defect string) func(n int) []storagetest.Node {
	return each(defect, func(m *model) storagetest.Node {
		return storagetest.Node{Store: m, PushedRequests: m, Replay: m, Sweep: m.Sweep}
	})
}

// everyMethod empties the caches of a node: what the node changes itself it reads.
var everyMethod = []string{"EndSession", "ReplaceSession", "Revoke", "ConsumePushedRequest", "RedeemCode", "RotateRefreshToken", "FinishRequest"}

// ownCache answers one method from a cache of each node.
func ownCache(what string) func(n int) []storagetest.Node {
	return around(func(m *model) provider.Store { return cached{m, what, everyMethod, &sync.Map{}} })
}

// wrongNodes are stores whose nodes are not one store, and the cases that must reject each.
var wrongNodes = map[string]struct {
	open  func(n int) []storagetest.Node
	cases []string
}{
	"each node caches sessions":       {ownCache("Session"), []string{"Nodes/EndSession", "Nodes/a rotation of the session", "Nodes/the session limit", "Nodes/histories"}},
	"each node caches codes":          {ownCache("Code"), []string{"Nodes/RedeemCode", "Nodes/EndSession"}},
	"each node caches access tokens":  {ownCache("AccessToken"), []string{"Nodes/Revoke of a grant", "Nodes/Revoke of an authorization", "Nodes/EndSession"}},
	"each node caches refresh tokens": {ownCache("RefreshToken"), []string{"Nodes/RotateRefreshToken", "Nodes/a renewal", "Nodes/histories"}},
	"each node caches consents":       {ownCache("Consents"), []string{"Nodes/FinishRequest", "Nodes/Revoke of an authorization"}},
	"each node has its own jtis":      {each("", func(m *model) storagetest.Node { return storagetest.Node{Store: m, Replay: newModel("")} }), []string{"Nodes/jti", "Nodes/histories", "Clocks/used records"}},
	"each node has its own pushed requests": {each("", func(m *model) storagetest.Node { return storagetest.Node{Store: m, PushedRequests: newModel("")} }), []string{
		"Nodes/pushed requests", "Nodes/histories",
	}},
	"the lock of a redemption is that of a node": {each("redeem reads, then marks", func(m *model) storagetest.Node {
		return storagetest.Node{Store: ownLock{m, &sync.Mutex{}}}
	}), []string{"Nodes/Race/one code", "Nodes/histories"}},
	"rotate reads, then marks":     {withDefect("rotate reads, then marks"), []string{"Nodes/Race/one refresh token", "Nodes/histories"}},
	"replace reads, then writes":   {withDefect("replace reads, then writes"), []string{"Nodes/Race/replace session", "Nodes/histories"}},
	"a jti is looked up, then set": {withDefect("a jti is looked up, then written"), []string{"Nodes/jti", "Nodes/histories"}},
	"a pushed request is read, then marked": {withDefect("a pushed request is read, then marked"), []string{
		"Nodes/pushed requests", "Nodes/histories",
	}},
	"versions not compared": {withDefect("versions not compared"), []string{"Nodes/histories"}},
	"no visits":             {withDefect("no visits"), []string{"Nodes/histories"}},
	"forgets used codes":    {withDefect("forgets used codes"), []string{"Nodes/histories"}},
	"no retry":              {withDefect("no retry"), []string{"Nodes/histories"}},
	"a retry after the use": {withDefect("a retry after the successor was used"), []string{"Nodes/histories"}},
	"codes after the end":   {withDefect("codes after the end"), []string{"Nodes/histories"}},
	"used only after it was used": {func(n int) []storagetest.Node {
		at := &sync.Map{}
		return around(func(m *model) provider.Store { return usedLater{m, at} })(n)
	}, []string{"Clocks/used records"}},
	"consumed only after that": {around(func(m *model) provider.Store { return consumedLater{m} }), []string{"Clocks/rotations"}},
	"revoked only after that": {func(n int) []storagetest.Node {
		at := &sync.Map{}
		return around(func(m *model) provider.Store { return revokedLater{m, at} })(n)
	}, []string{"Clocks/revocation"}},
	"sweeps a minute early":          {withDefect("sweeps a minute early"), []string{"Sweep/live records stay"}},
	"sweeps by expiry alone":         {withDefect("sweeps rotated tokens with their idle lifetime"), []string{"Sweep/used records are recognised"}},
	"sweeps consumed codes":          {withDefect("sweeps consumed codes with their lifetime"), []string{"Sweep/used records are recognised"}},
	"sweeps denials":                 {withDefect("sweeps denials"), []string{"Sweep/used records are recognised"}},
	"sweeps ended sessions":          {withDefect("sweeps ended sessions"), []string{"Sweep/used records are recognised"}},
	"sweeps jtis at their end":       {withDefect("sweeps jtis at their end"), []string{"Sweep/used records are recognised"}},
	"sweeps revoked grants":          {withDefect("sweeps revoked grants"), []string{"Sweep/used records are recognised"}},
	"sweeps grants with their codes": {withDefect("sweeps grants with their codes"), []string{"Sweep/used records are recognised"}},
	"sweeping never ends":            {withDefect("sweeping never ends"), []string{"Sweep/expired records stay away"}},
	"looks for expired records, then deletes": {withDefect("looks for expired records, then deletes"), []string{
		"Sweep/prolonged records stay",
	}},
}

// The nodes of the model pass, and each wrong store is rejected by the cases of the rules that it breaks.
func TestSuiteRejectsWrongNodes(t *testing.T) {
	storagetest.RunNodes(t, func(_ *testing.T, n int) []storagetest.Node { return withDefect("")(n) })
	slow.WithoutRaceDetector(t)
	if testing.Short() {
		t.Skip("races need their rounds")
	}
	for name, tt := range wrongNodes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range tt.cases {
				if v := storagetest.JudgeNodes(c, tt.open); v != storagetest.Failed {
					t.Errorf("the verdict of case %q is %d, want %d", c, v, storagetest.Failed)
				}
			}
		})
	}
}

// Sweep deletes expired records.
func (m *model) Sweep(ctx context.Context, now time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	if m.is("sweeps a minute early") {
		now = now.Add(time.Minute)
	}
	over := func(end time.Time) bool { return !now.Before(end) }
	sessions, refresh := m.sweepable(over)
	m.gap(ctx, "looks for expired records, then deletes")
	for _, h := range sessions {
		delete(m.sessions, h)
	}
	for _, h := range refresh {
		delete(m.refresh, h)
	}
	removed := len(sessions) + len(refresh)
	count := func(before, after int) { removed += before - after }
	drop(count, m.codes, func(_ storage.Hash, c modelCode) bool {
		return over(c.ExpiresAt) && (over(c.retained) || c.used && m.is("sweeps consumed codes with their lifetime"))
	})
	drop(count, m.requests, func(_ string, r modelRequest) bool {
		return !m.remembers(r, now) || r.code == storage.Hash{} && m.is("sweeps denials")
	})
	drop(count, m.grants, func(_ string, g modelGrant) bool {
		_, coded := m.codes[m.codeOf[g.ID]]
		return over(g.ExpiresAt) || g.revoked && m.is("sweeps revoked grants") || !coded && m.is("sweeps grants with their codes")
	})
	drop(count, m.access, func(_ storage.Hash, a storage.AccessToken) bool { return over(a.ExpiresAt) })
	drop(count, m.pushed, func(_ storage.Hash, p modelPushed) bool { return over(p.ExpiresAt) })
	drop(count, m.consents, func(_ consentKey, c storage.Consent) bool { return over(c.ExpiresAt) })
	keep := session.MaxSkew
	if m.is("sweeps jtis at their end") {
		keep = 0
	}
	drop(count, m.jtis, func(_ storage.Hash, until time.Time) bool { return over(until.Add(keep)) })
	m.ended = slices.DeleteFunc(m.ended, func(s storage.Session) bool { return over(s.ExpiresAt) || m.is("sweeps ended sessions") })
	if m.is("sweeping never ends") {
		removed++
	}
	return removed, nil
}

// sweepable returns the sessions and refresh tokens that Sweep deletes.
func (m *model) sweepable(over func(time.Time) bool) (sessions, refresh []storage.Hash) {
	for h, s := range m.sessions {
		if over(s.ExpiresAt) {
			sessions = append(sessions, h)
		}
	}
	for h, r := range m.refresh {
		rotated := !r.ConsumedAt.IsZero() && !m.is("sweeps rotated tokens with their idle lifetime")
		if g, ok := m.grants[r.GrantID]; !ok || over(g.ExpiresAt) || over(r.ExpiresAt) && !rotated {
			refresh = append(refresh, h)
		}
	}
	return sessions, refresh
}

func drop[K comparable, V any](count func(before, after int), records map[K]V, which func(K, V) bool) {
	before := len(records)
	maps.DeleteFunc(records, which)
	count(before, len(records))
}

// ownLock takes a lock of its node for each redemption.
type ownLock struct {
	*model
	redemptions *sync.Mutex
}

func (s ownLock) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	s.redemptions.Lock()
	defer s.redemptions.Unlock()
	return s.model.RedeemCode(ctx, h, i, now)
}

// usedLater redeems a code again before the instant at which it was redeemed.
type usedLater struct {
	*model
	at *sync.Map
}

func (s usedLater) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	err := s.model.RedeemCode(ctx, h, i, now)
	if err == nil {
		s.at.Store(h, now)
	}
	if at, ok := s.at.Load(h); ok && now.Before(at.(time.Time)) {
		return nil
	}
	return err
}

// consumedLater reads a rotated token as live before the instant at which it was rotated.
type consumedLater struct{ *model }

func (s consumedLater) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	r, g, err := s.model.RefreshToken(ctx, h, now)
	if errors.Is(err, storage.ErrConsumed) && now.Before(r.ConsumedAt) {
		err = nil
	}
	return r, g, err
}

// revokedLater reads a token of a revoked grant as live before the instant of the revocation.
type revokedLater struct {
	*model
	at *sync.Map
}

func (s revokedLater) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	s.at.Store(r.GrantID, now)
	return s.model.Revoke(ctx, r, now)
}

func (s revokedLater) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	a, g, err := s.model.AccessToken(ctx, h, now)
	if at, ok := s.at.Load(g.ID); ok && now.Before(at.(time.Time)) {
		err = nil
	}
	return a, g, err
}
