package redis

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// errShort reports a value without its fixed part.
var errShort = errors.New("it is not complete")

// maxLogins bounds the entries of one user. The oldest one is removed when there is one more.
const maxLogins = 200

// RecordLogin implements authorize.HistoryStore.
func (s *Store) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	texts := text(l.ClientID) + text(l.Orgno) + text(l.Service) + text(l.Method) + text(flag(l.Withheld, "0")+instant(l.At))
	return s.verdict(ctx, recordLoginScript, now, []string{s.key("logins", name(l.UserKey))}, l.ID, instant(l.ExpiresAt), texts, maxLogins)
}

// Logins implements authorizations.HistoryStore.
func (s *Store) Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error) {
	reply, err := s.run(ctx, loginsScript, now, []string{s.key("logins", name(userKey))})
	if err != nil {
		return nil, err
	}
	type entry struct {
		number string
		storage.Login
	}
	var entries []entry
	all, _ := reply.([]any)
	for i := 0; i+1 < len(all); i += 2 {
		id, value := list(all).text(i), list(all).text(i+1)
		if len(value) < 40 {
			return nil, errRecord("login", errShort)
		}
		l, err := decodeLogin(value[20:40], value[40:])
		if err != nil {
			return nil, err
		}
		l.ID, l.UserKey = id, userKey
		if record.Nanos(now) < record.Nanos(l.ExpiresAt) {
			entries = append(entries, entry{value[:20], l})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(b.number, a.number) })
	var out []storage.Login
	for _, e := range entries {
		out = append(out, e.Login)
	}
	return out, nil
}

func decodeLogin(stop, texts string) (storage.Login, error) {
	var p parser
	l := storage.Login{ExpiresAt: p.instant(stop), ClientID: p.text(&texts), Orgno: p.text(&texts), Service: p.text(&texts), Method: p.text(&texts)}
	if at := p.text(&texts); at != "" {
		l.Withheld, l.At = at[0] == '1', p.instant(at[1:])
	} else {
		p.keep(errShort)
	}
	if p.err != nil {
		return storage.Login{}, errRecord("login", p.err)
	}
	return l, nil
}
