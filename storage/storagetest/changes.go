package storagetest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// records are a session of a user and what a user has at one client.
type records struct {
	name      string
	in        storage.Session
	key       storage.ConsentKey
	unused    testCode          // in the session, login-only
	code      testCode          // of login
	login     *storage.Issuance // in the session, login-only
	data      *storage.Issuance // in the session, for more than login; its refresh token was rotated
	dataCode  testCode
	successor *storage.Issuance // of data
}

func newRecords(name string) *records {
	r := &records{name: name, in: newSession(name, name)}
	r.key = storage.ConsentKey{UserKey: r.in.UserKey, ClientID: "client-a", Customer: "customer"}
	r.unused, r.code = given(newCode("unused "+name), r.in, true), given(newCode("login "+name), r.in, true)
	r.dataCode = given(newCode("data "+name), r.in, false)
	r.login, r.data = newIssuance("login "+name, r.code), newIssuance("data "+name, r.dataCode)
	r.successor = successor("data successor "+name, r.dataCode, 1)
	return r
}

func (r *records) insert(t testing.TB, s provider.Store) {
	t.Helper()
	createSession(t, s, r.in)
	o := r.unused.outcome()
	o.Consents, o.Granted = r.key, []storage.Consent{newConsent("a", time.Hour), newConsent("b", time.Hour)}
	must(t, s.FinishRequest(bg, o, epoch), "finishing a request")
	redeemed(t, s, r.code, "login "+r.name)
	redeemed(t, s, r.dataCode, "data "+r.name)
	must(t, s.RotateRefreshToken(bg, r.data.Refresh.Hash, r.successor, grace, epoch), "rotating a refresh token")
}

// change is a call of a method, what is read afterwards but not before, and the verdict on the same call made again.
type change struct {
	do    func(ctx context.Context) error
	after []func() bool
	again error
}

// reader reads records.
type reader struct{ provider.Store }

func (s reader) session(h storage.Hash, want error) func() bool {
	return func() bool { _, err := s.Session(yielding(), h, epoch); return errors.Is(err, want) }
}

func (s reader) code(c testCode, want error) func() bool {
	return func() bool { _, err := s.Code(yielding(), c.Hash, epoch); return errors.Is(err, want) }
}

func (s reader) access(i *storage.Issuance, want error) func() bool {
	return func() bool { _, _, err := s.AccessToken(yielding(), i.Access.Hash, epoch); return errors.Is(err, want) }
}

func (s reader) refresh(i *storage.Issuance, want error) func() bool {
	return func() bool {
		_, _, err := s.RefreshToken(yielding(), i.Refresh.Hash, epoch)
		return errors.Is(err, want)
	}
}

func (s reader) grants(r *records, n int) func() bool {
	return func() bool {
		all, err := s.Grants(yielding(), storage.GrantQuery{UserKey: r.key.UserKey, Limit: 100}, epoch)
		return err == nil && len(all) == n
	}
}

// consents reports whether the scopes a to d have consents.
func (s reader) consents(r *records, want string) func() bool {
	return func() bool {
		all, err := s.Consents(yielding(), r.key, epoch)
		if err != nil || len(all) != len(want) {
			return false
		}
		has := map[string]bool{}
		for _, c := range all {
			has[c.Scope] = true
		}
		for _, scope := range want {
			if !has[string(scope)] {
				return false
			}
		}
		return true
	}
}

// sessionEnded is what is read after the session has ended.
func (s reader) sessionEnded(r *records, more ...func() bool) []func() bool {
	return append(more,
		s.session(r.in.Hash, storage.ErrNotFound), s.code(r.unused, storage.ErrConsumed),
		s.access(r.login, storage.ErrRevoked), s.refresh(r.login, storage.ErrRevoked), s.grants(r, 1))
}

// changes are the methods that change records, each in each of its ways.
var changes = map[string]func(s reader, r *records) change{
	"EndSession": func(s reader, r *records) change {
		return change{func(ctx context.Context) error { _, err := s.EndSession(ctx, r.in.Hash, epoch); return err }, s.sessionEnded(r), storage.ErrNotFound}
	},
	"a switch of the session": func(s reader, r *records) change {
		next := newSession("next "+r.name, "next "+r.name)
		return change{func(ctx context.Context) error { return replace(ctx, s, r.in.Hash, next, epoch) }, s.sessionEnded(r, s.session(next.Hash, nil)), nil}
	},
	"the session limit": func(s reader, r *records) change {
		next := newSession("next "+r.name, r.name)
		return change{func(ctx context.Context) error { _, err := s.ReplaceSession(ctx, none, next, 1, epoch); return err }, s.sessionEnded(r, s.session(next.Hash, nil)), nil}
	},
	"a rotation of the session": func(s reader, r *records) change {
		next := r.in
		next.Hash = storage.HashOf("rotated " + r.name)
		return change{
			func(ctx context.Context) error { return replace(ctx, s, r.in.Hash, next, epoch) },
			[]func() bool{s.session(r.in.Hash, storage.ErrNotFound), s.session(next.Hash, nil)},
			nil,
		}
	},
	"a replacement of the session": func(s reader, r *records) change {
		return change{func(ctx context.Context) error { return replace(ctx, s, r.in.Hash, r.in, epoch) }, []func() bool{func() bool {
			got, err := s.Session(yielding(), r.in.Hash, epoch)
			return err == nil && got.Version == r.in.Version+1
		}}, storage.ErrConflict}
	},
	"Revoke of a grant": func(s reader, r *records) change {
		return change{
			func(ctx context.Context) error {
				return s.Revoke(ctx, storage.Revocation{GrantID: r.login.Grant.ID}, epoch)
			},
			[]func() bool{s.access(r.login, storage.ErrRevoked), s.refresh(r.login, storage.ErrRevoked), s.grants(r, 1)},
			nil,
		}
	},
	"Revoke of the grant of a code": func(s reader, r *records) change {
		return change{
			func(ctx context.Context) error {
				return s.Revoke(ctx, storage.Revocation{GrantID: r.unused.Grant.ID}, epoch)
			},
			[]func() bool{s.code(r.unused, storage.ErrConsumed)},
			nil,
		}
	},
	"Revoke of an authorization": func(s reader, r *records) change {
		return change{
			func(ctx context.Context) error { return s.Revoke(ctx, storage.Revocation{Authorization: r.key}, epoch) },
			[]func() bool{
				s.code(r.unused, storage.ErrConsumed), s.access(r.login, storage.ErrRevoked), s.refresh(r.login, storage.ErrRevoked),
				s.access(r.data, storage.ErrRevoked), s.refresh(r.data, storage.ErrRevoked), s.access(r.successor, storage.ErrRevoked),
				s.refresh(r.successor, storage.ErrRevoked), s.grants(r, 0), s.consents(r, ""),
			},
			nil,
		}
	},
	"RedeemCode": func(s reader, r *records) change {
		i := newIssuance("new "+r.name, r.unused)
		return change{
			func(ctx context.Context) error { return s.RedeemCode(ctx, r.unused.Hash, i, epoch) },
			[]func() bool{s.code(r.unused, storage.ErrConsumed), s.access(i, nil), s.refresh(i, nil), s.grants(r, 3)},
			storage.ErrConsumed,
		}
	},
	"RedeemCode without an issuance": func(s reader, r *records) change {
		return change{
			func(ctx context.Context) error { return s.RedeemCode(ctx, r.unused.Hash, nil, epoch) },
			[]func() bool{s.code(r.unused, storage.ErrConsumed)},
			storage.ErrConsumed,
		}
	},
	"RotateRefreshToken": func(s reader, r *records) change {
		next := successor("new "+r.name, r.dataCode, 2)
		used := func() bool {
			old, _, _ := s.RefreshToken(yielding(), r.data.Refresh.Hash, epoch)
			return old.SuccessorUsed
		}
		return change{
			func(ctx context.Context) error {
				return s.RotateRefreshToken(ctx, r.successor.Refresh.Hash, next, 0, epoch)
			},
			[]func() bool{s.refresh(r.successor, storage.ErrConsumed), s.access(next, nil), s.refresh(next, nil), used},
			storage.ErrConsumed,
		}
	},
	"a renewal": func(s reader, r *records) change {
		next := again("new "+r.name, r.code, r.login)
		next.Refresh.Generation = 1
		renewed := func() bool {
			got, _, err := s.RefreshToken(yielding(), r.login.Refresh.Hash, epoch)
			return err == nil && got.Generation == 1
		}
		return change{
			func(ctx context.Context) error {
				return s.RotateRefreshToken(ctx, r.login.Refresh.Hash, next, 0, epoch)
			},
			[]func() bool{s.access(next, nil), renewed},
			storage.ErrConflict,
		}
	},
	"FinishRequest": func(s reader, r *records) change {
		c := given(newCode("new "+r.name), r.in, false)
		o := c.outcome()
		o.Consents, o.Declined, o.Granted = r.key, []string{"a"}, []storage.Consent{newConsent("c", time.Hour)}
		v := visitOf(r.in, "client-c")
		o.Visit = &v
		visited := func() bool {
			got, err := s.Session(yielding(), r.in.Hash, epoch)
			return err == nil && got.Version > r.in.Version && len(got.Clients) == len(r.in.Clients)+1
		}
		return change{
			func(ctx context.Context) error { return s.FinishRequest(ctx, o, epoch) },
			[]func() bool{s.code(c, nil), s.consents(r, "bc"), visited},
			nil,
		}
	},
}

// late has the number of the last records of a change that may be read later than the others, until the method returns: the visit of a
// session.
var late = map[string]int{"FinishRequest": 1}

// changeCases are two cases for each change.
func changeCases() (all []testCase[provider.Store]) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		of := changes[name]
		all = append(all,
			testCase[provider.Store]{"Changes/" + name, "a record that was read is read again as the method leaves it, and one that was unknown is found", func(t testing.TB, s provider.Store) {
				changed(t, reader{s}, of)
			}},
			testCase[provider.Store]{"Changes in one step/" + name, "who sees a part of what a method changes sees all of it, and sees it from then on", func(t testing.TB, s provider.Store) {
				raceReaders(t, reader{s}, of, late[name])
			}})
	}
	return all
}

func changed(t testing.TB, s reader, of func(reader, *records) change) {
	r := newRecords("r")
	c := of(s, r)
	read := func() {
		for _, seen := range c.after {
			seen()
		}
	}
	read() // a store may remember what it did not find
	r.insert(t, s)
	for range 2 {
		for i, seen := range c.after {
			if seen() {
				t.Fatalf("before the call: record %d is read as if it had been made", i)
			}
		}
	}
	must(t, c.do(bg), "changing records that were read")
	for range 2 {
		for i, seen := range c.after {
			if !seen() {
				t.Fatalf("after the call: record %d is read as if it had not been made", i)
			}
		}
	}
}

// raceReaders reads the records in changing orders while the method runs.
func raceReaders(t testing.TB, s reader, of func(reader, *records) change, late int) {
	const readers = 3
	passes := size(1, 20, 20)
	for round := range few() {
		r := newRecords(numbered("r", round))
		r.insert(t, s)
		c := of(s, r)
		step := c.after[:len(c.after)-late]
		var done, torn atomic.Bool
		errs := together(t, readers+1, func(caller int) error {
			if caller == readers {
				defer done.Store(true)
				for range round % 12 { // another moment in each round
					runtime.Gosched()
				}
				if round%2 == 0 {
					return c.do(lingering())
				}
				return c.do(yielding())
			}
			seen := false
			for pass := range passes {
				last := done.Load()
				for i := range step {
					now := step[(i+pass+caller)%len(step)]()
					if (seen || last) && !now {
						torn.Store(true)
					}
					seen = seen || now
				}
				if last {
					break
				}
			}
			return nil
		})
		must(t, errs[readers], "changing records that others read")
		if torn.Load() {
			t.Fatalf("round %d: a caller saw a part of a change, or saw it and then did not", round)
		}
		for i, seen := range c.after {
			if !seen() {
				t.Fatalf("round %d: after the call record %d is read as if it had not been made", round, i)
			}
		}
	}
}
