package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// state is what the records of one key are between two calls. It is never changed: apply returns another one.
type state interface {
	// apply returns the result of a call in this state, or several of which each is right, separated by "|", and the state
	// afterwards.
	apply(o *Op) (result string, next state)
	equal(other state) bool
}

// starts are the states of the kinds of keys before the first call.
var starts = map[string]state{"grant": grantState{}, "user": userState{}, "pushed": onceState(0), "jti": onceState(0)}

// grantState is a request with its code, and the grant and tokens that come of it.
type grantState struct {
	outcome string // the code that finished the request; "" before
	spent   bool   // the code was consumed
	granted bool   // the code was redeemed
	revoked bool   // the grant was revoked
	refresh []refreshToken
	access  []string // sorted
}

type refreshToken struct {
	name       string
	generation string
	consumed   bool
	successor  string
	used       bool // the successor was rotated or renewed
}

func (t refreshToken) seen() string {
	return fmt.Sprintf(" generation %s successor %s used %v", t.generation, t.successor, t.used)
}

func (s grantState) equal(other state) bool {
	o := other.(grantState)
	return s.outcome == o.outcome && s.spent == o.spent && s.granted == o.granted && s.revoked == o.revoked &&
		slices.Equal(s.refresh, o.refresh) && slices.Equal(s.access, o.access)
}

func (s grantState) apply(o *Op) (string, state) {
	switch o.Method {
	case "FinishRequest":
		return s.finish(o.arg(0))
	case "Code":
		return s.codeVerdict(o.arg(0)), s
	case "RedeemCode":
		return s.redeem(o.arg(0), o.arg(1))
	case "RotateRefreshToken":
		return s.rotate(o.arg(0), o.arg(1), o.arg(2), o.arg(3) == "grace", o.arg(4))
	case "RefreshToken":
		return s.refreshVerdict(o.arg(0)), s
	case "AccessToken":
		return s.accessVerdict(o.arg(0)), s
	case "Grants":
		return fmt.Sprintf("%s %v", ok, s.granted && !s.revoked), s
	case "Revoke":
		s.spent = s.spent || s.outcome != ""
		s.revoked = s.granted
		return ok, s
	}
	panic("history: no method " + o.Method)
}

func (s grantState) finish(code string) (string, state) {
	switch {
	case s.outcome == "":
		s.outcome = code
		return ok, s
	case s.outcome != code:
		return conflict, s
	case s.spent:
		return consumed, s
	}
	return ok, s
}

func (s grantState) codeVerdict(code string) string {
	switch {
	case s.outcome != code:
		return notFound
	case s.spent:
		return consumed
	}
	return ok
}

// redeem consumes the code. An issuance of "" inserts nothing.
func (s grantState) redeem(code, issuance string) (string, state) {
	if verdict := s.codeVerdict(code); verdict != ok {
		return verdict, s
	}
	s.spent = true
	if issuance != "" {
		s.granted = true
		s.access = with(s.access, issuance)
		s.refresh = []refreshToken{{name: issuance, generation: "0"}}
	}
	return ok, s
}

func (s grantState) token(name string) int {
	return slices.IndexFunc(s.refresh, func(t refreshToken) bool { return t.name == name })
}

// rotate consumes the token. A next of "" is no successor, and the name of the token itself renews it.
func (s grantState) rotate(name, next, generation string, grace bool, access string) (string, state) {
	i := s.token(name)
	switch {
	case i < 0:
		return notFound, s
	case s.revoked:
		return revoked, s
	}
	t := s.refresh[i]
	if t.consumed && !(grace && next != "" && t.successor == next && !t.used) {
		return consumed, s
	}
	s.access = with(s.access, access)
	if t.consumed { // a retry
		return ok, s
	}
	s.refresh = slices.Clone(s.refresh)
	for k := range s.refresh {
		if s.refresh[k].successor == name {
			s.refresh[k].used = true
		}
	}
	if next == name {
		s.refresh[i].generation = generation
		return ok, s
	}
	s.refresh[i].consumed, s.refresh[i].successor = true, next
	if next != "" {
		s.refresh = append(s.refresh, refreshToken{name: next, generation: generation})
		slices.SortFunc(s.refresh, func(a, b refreshToken) int { return strings.Compare(a.name, b.name) })
	}
	return ok, s
}

func (s grantState) refreshVerdict(name string) string {
	i := s.token(name)
	if i < 0 {
		return notFound
	}
	verdict := ok
	switch t := s.refresh[i]; {
	case s.revoked:
		verdict = revoked
	case t.consumed:
		verdict = consumed
	}
	return verdict + s.refresh[i].seen()
}

func (s grantState) accessVerdict(name string) string {
	_, known := slices.BinarySearch(s.access, name)
	switch {
	case !known:
		return notFound
	case s.revoked:
		return revoked
	}
	return ok
}

// with returns sorted names with another one.
func with(names []string, name string) []string {
	i, _ := slices.BinarySearch(names, name)
	return slices.Insert(slices.Clone(names), i, name)
}

// userState is the sessions of one user.
type userState struct {
	live  []session // by ID: those that started first come first
	ended []session
}

type session struct {
	id, hash string
	version  int
	last     int    // LastRequestAt
	clients  string // that received a login, in order
}

func (s session) seen() string {
	return fmt.Sprintf(" %s version %d last %d clients %s", s.id, s.version, s.last, s.clients)
}

func (s userState) equal(other state) bool {
	o := other.(userState)
	return slices.Equal(s.live, o.live) && slices.Equal(s.ended, o.ended)
}

func (s userState) apply(o *Op) (string, state) {
	switch o.Method {
	case "Session":
		if i := s.byHash(o.arg(0)); i >= 0 {
			return ok + s.live[i].seen(), s
		}
		return notFound, s
	case "ReplaceSession":
		return s.replace(o)
	case "EndSession":
		if i := s.byHash(o.arg(0)); i >= 0 {
			was := s.live[i]
			return ok + was.seen(), s.end(i)
		}
		return notFound, s
	case "FinishRequest":
		return s.visit(o.arg(0), o.arg(1), number(o.arg(2)))
	}
	panic("history: no method " + o.Method)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("history: " + err.Error())
	}
	return n
}

func (s userState) byHash(hash string) int {
	return slices.IndexFunc(s.live, func(x session) bool { return x.hash == hash })
}

func (s userState) byID(id string) int {
	return slices.IndexFunc(s.live, func(x session) bool { return x.id == id })
}

// end returns the state without a live session, whose Hash and ID stay reserved.
func (s userState) end(i int) userState {
	s.ended = append(slices.Clone(s.ended), s.live[i])
	slices.SortFunc(s.ended, func(a, b session) int { return strings.Compare(a.id, b.id) })
	s.live = slices.Delete(slices.Clone(s.live), i, i+1)
	return s
}

// replace has the arguments old hash, limit, and those of the session: ID, hash, version, last, clients.
func (s userState) replace(o *Op) (string, state) {
	old, limit := o.arg(0), number(o.arg(1))
	next := session{o.arg(2), o.arg(3), number(o.arg(4)), number(o.arg(5)), o.arg(6)}
	taken := s.byHash(next.hash)
	if next.hash != old && taken >= 0 && s.live[taken].id == next.id {
		return ok, s // a retry
	}
	from := s.byHash(old)
	if old != "" && from < 0 {
		return notFound, s
	}
	reserved := slices.ContainsFunc(s.ended, func(x session) bool { return x.hash == next.hash })
	if old != "" && s.live[from].id == next.id {
		if s.live[from].version != next.version || taken >= 0 && taken != from || reserved {
			return conflict, s
		}
		next.version++
		s.live = slices.Clone(s.live)
		s.live[from] = next
		return s.limit(ok, next.id, limit)
	}
	reserved = reserved || slices.ContainsFunc(s.ended, func(x session) bool { return x.id == next.id })
	if taken >= 0 || s.byID(next.id) >= 0 || reserved {
		return conflict, s
	}
	result := ok
	if old != "" {
		result += " ended " + s.live[from].id
		s = s.end(from)
	}
	i, _ := slices.BinarySearchFunc(s.live, next, func(a, b session) int { return strings.Compare(a.id, b.id) })
	s.live = slices.Insert(slices.Clone(s.live), i, next)
	return s.limit(result, next.id, limit)
}

// limit ends the oldest sessions beyond the limit, but not the one with the ID.
func (s userState) limit(result, id string, limit int) (string, state) {
	for i := 0; limit > 0 && len(s.live) > limit; {
		if s.live[i].id == id {
			i++
			continue
		}
		result += " ended " + s.live[i].id
		s = s.end(i)
	}
	return result, s
}

// visit is a request that a session answered.
func (s userState) visit(id, client string, at int) (string, state) {
	i := s.byID(id)
	if i < 0 {
		return revoked, s
	}
	s.live = slices.Clone(s.live)
	x := &s.live[i]
	x.version++
	x.last = max(x.last, at)
	if !strings.Contains(x.clients, client) {
		x.clients += client
	}
	return ok, s
}

// onceState is a record that is consumed once: a pushed request, or a jti, which is inserted by being consumed.
type onceState int

const (
	inserted onceState = iota + 1
	used
)

func (s onceState) equal(other state) bool { return s == other.(onceState) }

func (s onceState) apply(o *Op) (string, state) {
	switch o.Method {
	case "PushRequest":
		if s != 0 {
			return conflict, s
		}
		return ok, inserted
	case "PushedRequest":
		if s != inserted {
			return notFound, s
		}
		return ok, s
	case "ConsumePushedRequest":
		switch s {
		case 0:
			return notFound, s
		case used:
			return consumed + "|" + notFound, s
		}
		return ok, used
	case "ConsumeJTI":
		if s == used {
			return consumed, s
		}
		return ok, used
	}
	panic("history: no method " + o.Method)
}
