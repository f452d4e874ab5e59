package explore

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Verdicts, as they are compared and printed.
const (
	ok       = "ok"
	notFound = "not found"
	consumed = "consumed"
	revoked  = "revoked"
	conflict = "conflict"
	spent    = "consumed or not found" // of a pushed request: a store may return either
)

// state is what the model stores. The keys of the maps are names.
type state struct {
	clock  int // of node A
	latest int // the latest clock of a call: what has expired before may have been collected
	// swept names the records that had expired at a call of Sweep. No verdict depends on it, but a store that swept them is in another
	// state than one that did not.
	swept string

	sessions map[string]session // by ID
	codes    map[string]code
	grants   map[string]grant // those of redeemed codes
	access   map[string]string
	refresh  map[string]refresh
	pushed   map[string]bool // consumed
	jtis     map[string]bool
	keys     map[string]signingKey // by KID
	consents map[string]consent    // by scope
	answered map[string]bool       // requests without a code
}

type session struct {
	hash    string
	version int
	visited bool // by a client
	ended   bool
}

type code struct{ used bool }

type grant struct {
	revoked bool
	minted  int // access tokens
}

type refresh struct {
	grant      string
	generation int
	rotatedAt  int
	rotated    bool
	successor  string
	used       bool // rotated or renewed
}

type consent struct {
	version        int
	granted, until int
}

type signingKey struct {
	number  int
	deleted bool
}

func (s state) clone() state {
	s.sessions, s.codes, s.grants, s.access = maps.Clone(s.sessions), maps.Clone(s.codes), maps.Clone(s.grants), maps.Clone(s.access)
	s.refresh, s.pushed, s.jtis, s.keys = maps.Clone(s.refresh), maps.Clone(s.pushed), maps.Clone(s.jtis), maps.Clone(s.keys)
	s.consents, s.answered = maps.Clone(s.consents), maps.Clone(s.answered)
	return s
}

func empty() state {
	return state{
		sessions: map[string]session{}, codes: map[string]code{}, grants: map[string]grant{}, access: map[string]string{},
		refresh: map[string]refresh{}, pushed: map[string]bool{}, jtis: map[string]bool{}, keys: map[string]signingKey{},
		consents: map[string]consent{}, answered: map[string]bool{},
	}
}

// key identifies the state. fmt prints maps sorted.
func (s state) key() string { return fmt.Sprint(s) }

// machine makes one call. What the contract leaves open is decided by picks.
type machine struct {
	state
	now   int
	picks []bool
	asked int
}

// maybe returns the next decision; the first one is no.
func (m *machine) maybe() bool {
	if m.asked == len(m.picks) {
		m.picks = append(m.picks, false)
	}
	m.asked++
	return m.picks[m.asked-1]
}

// collected decides whether a record that is not needed after an instant has been collected.
func (m *machine) collected(end int) bool { return m.latest >= end && m.maybe() }

type result struct {
	verdict string
	next    state
}

// results returns every result that the contract allows for a call of a node.
func (s state) results(node int, o op) (all []result) {
	now := s.clock + offsets[node]
	s.latest = max(s.latest, now)
	for picks := []bool(nil); ; {
		m := machine{state: s, now: now, picks: picks}
		if !o.reads() || s.latest >= firstEnd {
			m.state = s.clone()
		}
		verdict := m.call(o)
		all = append(all, result{verdict, m.state})
		picks = m.picks
		for len(picks) > 0 && picks[len(picks)-1] {
			picks = picks[:len(picks)-1]
		}
		if len(picks) == 0 {
			return all
		}
		picks[len(picks)-1] = true
	}
}

// reads reports whether a call changes nothing, except that it shows what was collected.
func (o op) reads() bool {
	switch o.verb {
	case "Session", "Code", "RefreshToken", "AccessToken", "Grants", "PushedRequest", "SigningKeys", "Consents":
		return true
	}
	return false
}

// call makes a call and returns its verdict. The methods follow the comments of provider.Store.
func (m *machine) call(o op) string {
	switch o.verb {
	case "ReplaceSession":
		return m.replaceSession(o)
	case "Session", "EndSession":
		return m.readSession(o)
	case "FinishRequest":
		return m.finishRequest(o)
	case "InsertGrant":
		return m.insertGrant(o.record)
	case "Consent", "Decline", "Consents":
		return m.consent(o)
	case "Code":
		return m.codeVerdict(o.record)
	case "RedeemCode", "BurnCode":
		return m.redeemCode(o)
	case "RefreshToken":
		verdict := m.refreshVerdict(o.record)
		if t := m.refresh[o.record]; verdict != notFound && t.successor != "" {
			verdict += ", successor " + t.successor
		}
		return verdict
	case "RotateRefreshToken":
		return m.rotate(o)
	case "AccessToken", "Grants":
		return m.readGrant(o)
	case "Revoke":
		m.revoke(o.record)
		return ok
	case "RevokeAuthorization":
		for name := range codes {
			m.revoke(name)
		}
		clear(m.consents)
		return ok
	case "PushRequest", "PushedRequest", "ConsumePushedRequest", "ConsumeJTI":
		return m.single(o)
	case "InsertSigningKey", "DeleteSigningKey", "SigningKeys":
		return m.signingKeys(o)
	case "Sweep":
		m.sweep()
		return ok
	}
	panic(o.verb)
}

// sweep notes which records have expired.
func (m *machine) sweep() {
	var due []string
	add := func(end int, names iter.Seq[string]) {
		if m.now >= end {
			due = slices.AppendSeq(due, names)
		}
	}
	add(singleEnd, maps.Keys(m.jtis))
	add(singleEnd, maps.Keys(m.pushed))
	add(codeEnd, maps.Keys(m.codes))
	add(sessionEnd, maps.Keys(m.sessions))
	add(grantEnd, maps.Keys(m.access))
	for name, t := range m.refresh {
		add(refreshEnd(t.generation), slices.Values([]string{name}))
	}
	if len(due) > 0 {
		slices.Sort(due)
		m.swept = strings.Join(due, " ")
	}
}

// find returns the ID of the session with a hash, which may have ended.
func (m *machine) find(hash string) (id string) {
	for _, id := range slices.Sorted(maps.Keys(m.sessions)) {
		if m.sessions[id].hash == hash {
			if m.collected(sessionEnd) {
				delete(m.sessions, id)
				return ""
			}
			return id
		}
	}
	return ""
}

func (m *machine) live(id string) bool {
	x, known := m.sessions[id]
	return known && !x.ended && m.now < sessionEnd
}

func (m *machine) readSession(o op) string {
	id := m.find(o.record)
	if !m.live(id) {
		return notFound
	}
	if o.verb == "EndSession" {
		m.end(id)
		return ok
	}
	return versionText(m.sessions[id].version, m.sessions[id].visited)
}

func versionText(version int, visited bool) string {
	if visited {
		return fmt.Sprint("version ", version, ", visited")
	}
	return fmt.Sprint("version ", version)
}

// end ends a session: its unused codes are consumed, and its login-only grants are revoked.
func (m *machine) end(id string) {
	x := m.sessions[id]
	x.ended = true
	m.sessions[id] = x
	for name, c := range codes {
		if c.session != id {
			continue
		}
		g, redeemed := m.grants[name]
		switch one, known := m.codes[name]; {
		case redeemed && c.loginOnly:
			g.revoked = true
			m.grants[name] = g
		case known:
			one.used = true
			m.codes[name] = one
		}
	}
}

func (m *machine) replaceSession(o op) string {
	id := sessionOf(o.next)
	taken := m.find(o.next)
	if o.next != o.record && taken == id && m.live(id) {
		return ok // a retry
	}
	old := ""
	if o.record != "" {
		if old = m.find(o.record); !m.live(old) {
			return notFound
		}
	}
	if old == id {
		x := m.sessions[id]
		if x.version != o.n || taken != "" && taken != id {
			return conflict
		}
		m.sessions[id] = session{hash: o.next, version: o.n + 1}
		return ok
	}
	if _, known := m.sessions[id]; taken != "" || known && !m.collected(sessionEnd) {
		return conflict
	}
	m.sessions[id] = session{hash: o.next}
	for _, other := range slices.Sorted(maps.Keys(m.sessions)) {
		if other == old || o.limit == 1 && other != id && m.live(other) && m.find(m.sessions[other].hash) != "" {
			m.end(other)
		}
	}
	return ok
}

// admits reports whether a code or grant can be inserted in a session.
func (m *machine) admits(id string) bool {
	return id == "" || m.live(id) && m.find(m.sessions[id].hash) != ""
}

func (m *machine) finishRequest(o op) string {
	name := o.record
	if !m.admits(codes[name].session) {
		return revoked
	}
	c, known := m.codes[name]
	switch {
	case !known:
		m.codes[name] = code{}
	case c.used || m.now >= codeEnd || m.collected(codeEnd):
		return consumed
	}
	if o.visit && (!known || m.maybe()) { // the visit of an equal outcome may be applied again
		x := m.sessions[codes[name].session]
		x.version++
		x.visited = true
		m.sessions[codes[name].session] = x
	}
	return ok
}

func (m *machine) insertGrant(name string) string {
	if !m.admits(codes[name].session) {
		return revoked
	}
	if _, known := m.grants[name]; known {
		return conflict // the session ends before the grant, so that it was not collected
	}
	m.grants[name] = grant{}
	m.mint(name)
	return ok
}

// consent grants or declines the scope, or returns the live consent.
func (m *machine) consent(o op) string {
	const scope = "scope"
	old, known := m.consents[scope]
	if known && m.collected(old.until) {
		delete(m.consents, scope)
		known = false
	}
	live := known && m.now < old.until
	switch {
	case o.verb == "Consents" && live:
		return consentText(old.version, old.granted, old.until)
	case o.verb == "Consents":
		return noConsent
	case m.answered[o.record]:
		return ok
	case o.verb == "Decline":
		delete(m.consents, scope)
	default:
		next := consent{o.n, m.now, m.now + consentLife}
		if live && old.version == o.n {
			next.granted, next.until = old.granted, max(old.until, next.until)
		}
		m.consents[scope] = next
	}
	m.answered[o.record] = true
	return ok
}

const noConsent = "no consent"

func consentText(version, granted, until int) string {
	return fmt.Sprintf("version %d, %d s to %d s", version, granted, until)
}

func (m *machine) codeVerdict(name string) string {
	c, known := m.codes[name]
	switch {
	case !known:
		return notFound
	case c.used:
		return consumed
	case m.now >= codeEnd || m.collected(codeEnd):
		return notFound
	}
	return ok
}

func (m *machine) redeemCode(o op) string {
	if verdict := m.codeVerdict(o.record); verdict != ok {
		return verdict
	}
	m.codes[o.record] = code{used: true}
	if o.verb == "RedeemCode" {
		m.grants[o.record] = grant{}
		m.mint(o.record)
		if o.next != "" {
			m.refresh[o.next] = refresh{grant: o.record}
		}
	}
	return ok
}

// accessName returns the name of the next access token of a grant.
func (s state) accessName(grant string) string {
	return fmt.Sprintf("%s.%d", grant, s.grants[grant].minted)
}

func (m *machine) mint(name string) {
	m.access[m.accessName(name)] = name
	g := m.grants[name]
	g.minted++
	m.grants[name] = g
}

func (m *machine) revoke(name string) {
	if g, known := m.grants[name]; known {
		g.revoked = true
		m.grants[name] = g
	}
	if _, known := m.codes[name]; known {
		m.codes[name] = code{used: true}
	}
}

func (m *machine) readGrant(o op) string {
	name, end := o.record, grantEnd
	if o.verb == "AccessToken" {
		name = m.access[o.record]
		end = min(end, accessEnd(name))
	}
	g, known := m.grants[name]
	switch {
	case !known || m.now >= end || m.collected(end):
		return notFound
	case g.revoked && o.verb == "Grants":
		return notFound
	case g.revoked:
		return revoked
	}
	return ok
}

func (m *machine) refreshVerdict(name string) string {
	t, known := m.refresh[name]
	end := grantEnd
	if !t.rotated {
		end = min(end, refreshEnd(t.generation))
	}
	switch {
	case !known || m.now >= end || m.collected(end):
		return notFound
	case m.grants[t.grant].revoked:
		return revoked
	case t.rotated:
		return consumed
	}
	return ok
}

func (m *machine) rotate(o op) string {
	verdict := m.refreshVerdict(o.record)
	t := m.refresh[o.record]
	_, exists := m.refresh[o.next]
	switch {
	case verdict == consumed && o.next != "" && t.successor == o.next && m.now-t.rotatedAt < grace && !m.refresh[o.next].used && m.refreshVerdict(o.next) == ok:
		m.mint(t.grant) // a retry
		return ok
	case verdict != ok:
		return verdict
	case o.next == o.record: // a renewal
		t.generation++
	case exists:
		return conflict
	default:
		t.rotated, t.rotatedAt, t.successor = true, m.now, o.next
		if o.next != "" {
			m.refresh[o.next] = refresh{grant: t.grant, generation: generation(o.next)}
		}
	}
	t.used = true
	m.refresh[o.record] = t
	m.mint(t.grant)
	return ok
}

func (m *machine) single(o op) string {
	used, known := m.pushed[o.record]
	over := m.now >= singleEnd
	switch o.verb {
	case "ConsumeJTI":
		if over || m.jtis[o.record] || m.collected(singleEnd) { // a store that collected jtis rejects all with their ends
			return consumed
		}
		m.jtis[o.record] = true
		return ok
	case "PushRequest":
		if known && !m.collected(singleEnd) {
			return conflict
		}
		m.pushed[o.record] = false
		return ok
	case "PushedRequest":
		if !known || used || over || m.collected(singleEnd) {
			return notFound
		}
		return ok
	}
	if !known || used || over || m.collected(singleEnd) {
		return spent
	}
	m.pushed[o.record] = true
	return ok
}

func (m *machine) signingKeys(o op) string {
	k, known := m.keys[o.record]
	switch o.verb {
	case "InsertSigningKey":
		for _, other := range m.keys {
			known = known || other.number == o.n
		}
		if known {
			return conflict
		}
		m.keys[o.record] = signingKey{number: o.n}
		return ok
	case "DeleteSigningKey":
		if known {
			k.deleted = true
			m.keys[o.record] = k
		}
		return ok
	}
	list := []string{}
	for _, kid := range slices.SortedFunc(maps.Keys(m.keys), func(a, b string) int { return cmp.Compare(m.keys[a].number, m.keys[b].number) }) {
		list = append(list, keyText(m.keys[kid].number, kid, m.keys[kid].deleted))
	}
	return "keys " + strings.Join(list, " ")
}

func keyText(number int, kid string, deleted bool) string {
	if deleted {
		kid += " (deleted)"
	}
	return fmt.Sprintf("%d:%s", number, kid)
}
