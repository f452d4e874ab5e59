package systemuser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/storage"
)

// records are the records at one time: those of the log, and those of the configuration that it does not replace.
type records struct {
	logged, base changes.Changes
}

// list returns the records of a list, in the order of their keys.
func list[T any](r records, name string) ([]T, error) {
	entries := maps.Clone(r.base[name])
	if entries == nil {
		entries = map[string]json.RawMessage{}
	}
	maps.Copy(entries, r.logged[name])
	var all []T
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if entries[key] == nil {
			continue // deleted
		}
		var v T
		if err := json.Unmarshal(entries[key], &v); err != nil {
			return nil, fmt.Errorf("systemuser: a record of %s: %w", name, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// find returns the first record of a list that matches, nil if none does.
func find[T any](r records, name string, matches func(*T) bool) (*T, error) {
	all, err := list[T](r, name)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if matches(&all[i]) {
			return &all[i], nil
		}
	}
	return nil, nil
}

// system returns a system, also a deleted one, nil if there is none.
func (r records) system(id string) (*System, error) {
	return find(r, listSystems, func(s *System) bool { return s.ID == id })
}

// request returns a request as it is now, nil if there is none.
func (r records) request(id string, now time.Time) (*Request, error) {
	q, err := find(r, listRequests, func(q *Request) bool { return q.ID == id })
	if q != nil {
		*q = q.at(now)
	}
	return q, err
}

// user returns the system user of a customer in a system, nil if there is none.
func (r records) user(system, orgno, ref string) (*User, error) {
	return find(r, listUsers, func(u *User) bool {
		return !u.IsDeleted && u.SystemID == system && u.ReporteeOrgNo == orgno && u.ExternalRef == ref
	})
}

// clientTaken reports whether a client is that of a system other than id that is not deleted.
func (r records) clientTaken(clients []string, id string) (bool, error) {
	other, err := find(r, listSystems, func(s *System) bool {
		return s.ID != id && !s.IsDeleted && slices.ContainsFunc(s.ClientID, func(c string) bool { return slices.Contains(clients, c) })
	})
	return other != nil, err
}

// load returns the records of now.
func (a *API) load(ctx context.Context) (records, error) {
	logged, _, err := a.cfg.Log.Load(ctx)
	if err != nil {
		return records{}, unavailable(err)
	}
	return records{logged, a.base}, nil
}

// attempts bounds how often a change starts again because another request made one.
const attempts = 20

// change stores what edit returns, if it is not nil. edit is called again if another request changed the records meanwhile; after its error nothing is stored.
func (a *API) change(ctx context.Context, now time.Time, edit func(records) (changes.Changes, error)) error {
	for range attempts {
		logged, revision, err := a.cfg.Log.Load(ctx)
		if err != nil {
			return unavailable(err)
		}
		next, err := edit(records{logged, a.base})
		if err != nil || next == nil {
			return err
		}
		switch err := a.cfg.Log.Append(ctx, revision, next, now); {
		case err == nil:
			return nil
		case !errors.Is(err, storage.ErrConflict):
			return unavailable(err)
		}
	}
	return unavailable(errors.New("other requests change the records all the time"))
}

func unavailable(err error) error {
	return fmt.Errorf("systemuser: the records: %w: %w", portner.ErrUnavailable, err)
}
