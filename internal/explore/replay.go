package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// move is one step of a path: a call of a node, or a step of the clock if the node is tick.
type move struct {
	node int
	op   op
}

const tick = -1

// step is a move and what the store returned.
type step struct {
	move
	now     int // of the node
	verdict string
}

// String returns the step as a line of a trace.
func (s step) String() string {
	return fmt.Sprintf("node %c at %3d s  %-44s %s", 'A'+s.node, s.now, s.op, s.verdict)
}

// explored holds what explore returned.
var explored sync.Map

type exploration struct {
	states int
	paths  [][]move
}

// explore returns the number of states that are reached with less than depth moves, and the paths to them with one more move, shortest
// first.
func (sc scenario) explore(depth int) (states int, paths [][]move) {
	key := fmt.Sprint(sc.name, sc.ops, depth)
	if known, ok := explored.Load(key); ok {
		return known.(exploration).states, known.(exploration).paths
	}
	defer func() { explored.Store(key, exploration{states, paths}) }()
	type found struct {
		state state
		path  []move
	}
	start := empty()
	for _, o := range sc.setup {
		start = start.results(0, o)[0].next
	}
	seen := map[string]bool{start.key(): true}
	level := []found{{start, nil}}
	for range depth - sc.less {
		var next []found
		for _, f := range level {
			for _, m := range sc.moves() {
				path := append(slices.Clip(f.path), m)
				paths = append(paths, path)
				after := sc.after(f.state, m)
				if key := after.key(); !seen[key] {
					seen[key] = true
					next = append(next, found{after, path})
				}
			}
		}
		level = next
	}
	return len(seen), paths
}

// of returns the scenario with those calls alone whose texts begin as given.
func (sc scenario) of(calls []string) scenario {
	sc.less, sc.ops = 0, slices.DeleteFunc(slices.Clone(sc.ops), func(o op) bool {
		return !slices.ContainsFunc(calls, func(begin string) bool { return strings.HasPrefix(o.String(), begin) })
	})
	return sc
}

func (sc scenario) moves() []move {
	all := []move{{node: tick}}
	for node := range offsets {
		for _, o := range sc.ops {
			all = append(all, move{node, o})
		}
	}
	return all
}

func (sc scenario) after(s state, m move) state {
	if m.node == tick {
		s.clock += sc.tick
		return s
	}
	return s.results(m.node, m.op)[0].next
}

// replay makes the moves of a path, with reads of every record before the last one (node A) and after it (both nodes). It returns a counterexample, or nil.
func (sc scenario) replay(store Store, path []move, number int) *counterexample {
	r := &replay{scenario: sc, world: newWorld(store, sc.name, number), possible: []state{empty()}}
	for _, o := range sc.setup {
		r.make(move{0, o})
	}
	for i, m := range path {
		if i == len(path)-1 {
			r.read(0)
		}
		r.make(m)
	}
	r.read(0, 1)
	if check(r.trace) != "" {
		r.failed = r.shortest()
	}
	return r.failed
}

// shortest returns the shortest part of the trace in which an invariant is broken.
func (r *replay) shortest() *counterexample {
	n := sort.Search(len(r.trace), func(n int) bool { return check(r.trace[:n]) != "" })
	return &counterexample{r.scenario, r.trace[:n], "the invariant is broken: " + check(r.trace[:n])}
}

// replay is one path on a store.
type replay struct {
	scenario
	world    world
	possible []state // states of the model that fit what the store returned
	trace    []step
	failed   *counterexample
}

func (r *replay) read(nodes ...int) {
	for _, node := range nodes {
		for _, o := range r.probes {
			r.make(move{node, o})
		}
	}
}

// make makes a move, unless a counterexample was found.
func (r *replay) make(m move) {
	if r.failed != nil {
		return
	}
	if m.node == tick {
		for i := range r.possible {
			r.possible[i].clock += r.tick
		}
		return
	}
	first := r.possible[0]
	now := first.clock + offsets[m.node]
	r.trace = append(r.trace, step{m, now, r.world.call(first, m.op, now)})
	last := r.trace[len(r.trace)-1]
	var next []state
	var allowed []string
	for _, s := range r.possible {
		for _, result := range s.results(m.node, m.op) {
			allowed = append(allowed, result.verdict)
			if result.verdict == last.verdict {
				next = append(next, result.next)
			}
		}
	}
	if len(next) == 0 {
		slices.Sort(allowed)
		want := strings.Join(slices.Compact(allowed), " or ")
		r.failed = &counterexample{r.scenario, r.trace, fmt.Sprintf("the store returned %q, and the contract says %q", last.verdict, want)}
		return
	}
	if r.possible = next; len(next) > 1 {
		slices.SortFunc(r.possible, func(a, b state) int { return strings.Compare(a.key(), b.key()) })
		r.possible = slices.CompactFunc(r.possible, func(a, b state) bool { return a.key() == b.key() })
	}
}

// counterexample is a trace in which a store breaks an invariant or differs from the model.
type counterexample struct {
	scenario scenario
	trace    []step
	problem  string
}

// String returns the trace without reads that do not matter: all but those of the last record.
func (c *counterexample) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.scenario.name, c.problem)
	last := c.trace[len(c.trace)-1]
	n := 0
	for i, s := range c.trace {
		isRead := slices.Contains(c.scenario.probes, s.op)
		if isRead && s.op != last.op && i < len(c.trace)-1 {
			continue
		}
		n++
		fmt.Fprintf(&b, "%3d. %s\n", n, s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// world makes calls to a store. The records of a path have names with a salt of their own, and its instant 0 is after the others, because
// a store may reject what ends before a clock that it saw.
type world struct {
	store Store
	salt  string
	start time.Time
}

// pathLength is the time between the starts of two paths: longer than the life of every record.
const pathLength = 20 * time.Minute

func newWorld(store Store, scenario string, path int) world {
	first := time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)
	return world{store, fmt.Sprintf("%s %d ", scenario, path), first.Add(time.Duration(path) * pathLength)}
}

func (w world) at(seconds int) time.Time { return w.start.Add(time.Duration(seconds) * time.Second) }

func (w world) hash(name string) storage.Hash {
	if name == "" {
		return none
	}
	return storage.HashOf(w.salt + name)
}

func (w world) grant(name string) storage.Grant {
	g := storage.Grant{
		ID: w.salt + "grant " + name, ClientID: "client", UserKey: w.hash("user"), Identity: []byte("sealed"), Scopes: []string{"openid"},
		LoginOnly: codes[name].loginOnly, AuthTime: w.start, CreatedAt: w.start, ExpiresAt: w.at(grantEnd),
	}
	g.SessionID = w.salt + codes[name].session
	return g
}

// issuance returns the tokens of a request: the next access token of a grant, and a refresh token unless its name is "".
func (w world) issuance(s state, name, next string, generation int) *storage.Issuance {
	g := w.grant(name)
	access := s.accessName(name)
	i := &storage.Issuance{Grant: g, Access: storage.AccessToken{
		Hash: w.hash(access), GrantID: g.ID, JTI: access, IssuedAt: w.start, ExpiresAt: w.at(accessEnd(name)),
	}}
	if next != "" {
		i.Refresh = &storage.RefreshToken{Hash: w.hash(next), GrantID: g.ID, Generation: generation, ExpiresAt: w.at(refreshEnd(generation))}
	}
	return i
}

// verdictOf returns the text of an error.
func verdictOf(err error) string {
	for verdict, text := range map[error]string{
		storage.ErrNotFound: notFound, storage.ErrConsumed: consumed, storage.ErrRevoked: revoked, storage.ErrConflict: conflict,
	} {
		if errors.Is(err, verdict) {
			return text
		}
	}
	if err != nil {
		return "fault: " + err.Error()
	}
	return ok
}

// call makes a call to the store and returns its verdict.
func (w world) call(s state, o op, seconds int) string {
	ctx, now := context.Background(), w.at(seconds)
	switch o.verb {
	case "ReplaceSession":
		next := storage.Session{
			Hash: w.hash(o.next), ID: w.salt + sessionOf(o.next), UserKey: w.hash("user"), Version: int64(o.n),
			StartedAt: w.start, LastRequestAt: w.start, ExpiresAt: w.at(sessionEnd),
		}
		_, err := w.store.ReplaceSession(ctx, w.hash(o.record), next, o.limit, now)
		return verdictOf(err)
	case "Session":
		x, err := w.store.Session(ctx, w.hash(o.record), now)
		if err == nil {
			return versionText(int(x.Version), len(x.Clients) > 0)
		}
		return verdictOf(err)
	case "EndSession":
		_, err := w.store.EndSession(ctx, w.hash(o.record), now)
		return verdictOf(err)
	case "Consent", "Decline", "Consents":
		return w.consent(ctx, o, seconds)
	case "PushRequest":
		return verdictOf(w.store.PushRequest(ctx, storage.PushedRequest{
			Hash: w.hash(o.record), ClientID: w.salt, Source: w.salt, Params: []byte("sealed"), ExpiresAt: w.at(singleEnd),
		}, now))
	case "PushedRequest":
		_, err := w.store.PushedRequest(ctx, w.hash(o.record), now)
		return verdictOf(err)
	case "ConsumePushedRequest":
		verdict := verdictOf(w.store.ConsumePushedRequest(ctx, w.hash(o.record), now))
		if verdict == notFound || verdict == consumed {
			return spent
		}
		return verdict
	case "ConsumeJTI":
		return verdictOf(w.store.ConsumeJTI(ctx, "client", w.hash(o.record), w.at(singleEnd), now))
	case "Sweep":
		_, err := w.store.Sweep(ctx, now)
		return verdictOf(err)
	case "InsertSigningKey", "DeleteSigningKey", "SigningKeys":
		return w.signingKeys(ctx, o)
	}
	return w.callGrant(ctx, s, o, now)
}

// callGrant makes a call about codes, grants and tokens.
func (w world) callGrant(ctx context.Context, s state, o op, now time.Time) string {
	switch o.verb {
	case "FinishRequest":
		c := &storage.AuthorizationCode{Hash: w.hash(o.record), Grant: w.grant(o.record), RedirectURI: "https://client.example.no/cb", ExpiresAt: w.at(codeEnd)}
		out := storage.Outcome{RequestID: w.salt + "request " + o.record, Code: c, RetainTo: w.at(retainEnd)}
		if o.visit {
			out.Visit = &storage.Visit{At: w.start, Client: storage.SessionClient{ClientID: "client", LoginAt: w.start}}
		}
		return verdictOf(w.store.FinishRequest(ctx, out, now))
	case "InsertGrant":
		return verdictOf(w.store.InsertGrant(ctx, w.issuance(s, o.record, "", 0), now))
	case "Code":
		_, err := w.store.Code(ctx, w.hash(o.record), now)
		return verdictOf(err)
	case "RedeemCode":
		return verdictOf(w.store.RedeemCode(ctx, w.hash(o.record), w.issuance(s, o.record, o.next, 0), now))
	case "BurnCode":
		return verdictOf(w.store.RedeemCode(ctx, w.hash(o.record), nil, now))
	case "RefreshToken":
		t, _, err := w.store.RefreshToken(ctx, w.hash(o.record), now)
		verdict := verdictOf(err)
		for _, name := range []string{"r1", "x1", "r2"} {
			if verdict != notFound && t.Successor == w.hash(name) {
				verdict += ", successor " + name
			}
		}
		return verdict
	case "RotateRefreshToken":
		g := generation(o.record) + 1
		if o.next == o.record {
			g = s.refresh[o.record].generation + 1
		}
		return verdictOf(w.store.RotateRefreshToken(ctx, w.hash(o.record), w.issuance(s, "login", o.next, g), grace*time.Second, now))
	case "AccessToken":
		_, _, err := w.store.AccessToken(ctx, w.hash(o.record), now)
		return verdictOf(err)
	case "Grants":
		_, err := w.store.Grants(ctx, storage.GrantQuery{UserKey: w.hash("user"), ID: w.grant(o.record).ID}, now)
		return verdictOf(err)
	case "Revoke":
		return verdictOf(w.store.Revoke(ctx, storage.Revocation{GrantID: w.grant(o.record).ID}, now))
	case "RevokeAuthorization":
		return verdictOf(w.store.Revoke(ctx, storage.Revocation{Authorization: storage.ConsentKey{UserKey: w.hash("user"), ClientID: "client"}}, now))
	}
	panic(o.verb)
}

// consent finishes a request without a code, or reads the consents.
func (w world) consent(ctx context.Context, o op, seconds int) string {
	key := storage.ConsentKey{UserKey: w.hash("user"), ClientID: "client"}
	out := storage.Outcome{RequestID: w.salt + "request " + o.record, Consents: key, RetainTo: w.at(retainEnd)}
	switch o.verb {
	case "Consent":
		out.Granted = []storage.Consent{{
			Scope: "scope", Version: strconv.Itoa(o.n), GrantedAt: w.at(seconds), ExpiresAt: w.at(seconds + consentLife),
		}}
		return verdictOf(w.store.FinishRequest(ctx, out, w.at(seconds)))
	case "Decline":
		out.Declined = []string{"scope"}
		return verdictOf(w.store.FinishRequest(ctx, out, w.at(seconds)))
	}
	all, err := w.store.Consents(ctx, key, w.at(seconds))
	switch {
	case err != nil || len(all) > 1:
		return fmt.Sprint("fault: ", len(all), " consents: ", err)
	case len(all) == 0:
		return noConsent
	}
	version, _ := strconv.Atoi(all[0].Version)
	after := func(t time.Time) int { return int(t.Sub(w.start) / time.Second) }
	return consentText(version, after(all[0].GrantedAt), after(all[0].ExpiresAt))
}

func (w world) signingKeys(ctx context.Context, o op) string {
	switch o.verb {
	case "InsertSigningKey":
		return verdictOf(w.store.InsertSigningKey(ctx, storage.SigningKey{
			Set: w.salt, Number: int64(o.n), KID: o.record, Alg: "ES256", Key: []byte("sealed"), CreatedAt: w.start,
		}))
	case "DeleteSigningKey":
		return verdictOf(w.store.DeleteSigningKey(ctx, w.salt, o.record))
	}
	keys, err := w.store.SigningKeys(ctx, w.salt)
	if err != nil {
		return verdictOf(err)
	}
	list := []string{}
	for _, k := range keys {
		list = append(list, keyText(int(k.Number), k.KID, len(k.Key) == 0))
	}
	return "keys " + strings.Join(list, " ")
}
