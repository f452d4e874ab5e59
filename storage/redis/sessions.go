package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// Session implements provider.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	reply, err := s.values(ctx, sessionScript, now, []string{s.key("cookie", name(hash))}, name(hash))
	if err != nil {
		return storage.Session{}, err
	}
	return decodeSession(reply.list(0))
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	oldName, oldCookie := "", s.unused()
	if old != (storage.Hash{}) {
		oldName, oldCookie = name(old), s.key("cookie", name(old))
	}
	user, circles := name(next.UserKey), storage.Session{Circles: next.Circles}
	keys := []string{oldCookie, s.key("cookie", name(next.Hash)), s.key("session", next.ID), s.key("sessions", user)}
	reply, err := s.values(ctx, replaceSessionScript, now, keys, oldName, name(next.Hash), next.ID, user,
		strconv.FormatInt(next.Version, 10), strconv.FormatInt(next.Version+1, 10),
		instant(next.StartedAt), instant(next.LastRequestAt), instant(next.ExpiresAt), encodeClients(next.Clients),
		record.EncodeSession(&circles), limit)
	if err != nil {
		return nil, err
	}
	var ended []storage.Session
	for i := range reply.list(0) {
		one, err := decodeSession(reply.list(0).list(i))
		if err != nil {
			return nil, err
		}
		ended = append(ended, one)
	}
	return ended, nil
}

// EndSession implements provider.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	reply, err := s.values(ctx, endSessionScript, now, []string{s.key("cookie", name(hash))}, name(hash))
	if err != nil {
		return storage.Session{}, err
	}
	return decodeSession(reply.list(0))
}

// encodeClients returns the clients of a session as texts, which a visit changes within a script: the ID, "1" if it is open or "0" and
// the instant of the login, and the sid.
func encodeClients(all []storage.SessionClient) string {
	var b strings.Builder
	for i := range all {
		c := &all[i]
		b.WriteString(text(c.ClientID))
		b.WriteString(text(flag(c.Open, "0") + instant(c.LoginAt)))
		b.WriteString(text(c.SID))
	}
	return b.String()
}

// flag returns "1", or otherwise if set is false.
func flag(set bool, otherwise string) string {
	if set {
		return "1"
	}
	return otherwise
}

func (p *parser) clients(texts string) (all []storage.SessionClient) {
	for texts != "" && p.err == nil {
		c := storage.SessionClient{ClientID: p.text(&texts)}
		login := p.text(&texts)
		if login == "" {
			p.keep(errors.New("a client is not complete"))
			break
		}
		c.Open, c.LoginAt = login[0] == '1', p.instant(login[1:])
		c.SID = p.text(&texts)
		all = append(all, c)
	}
	return all
}

// decodeSession decodes a session_reply.
func decodeSession(v list) (storage.Session, error) {
	out, err := record.DecodeSession([]byte(v.text(8)))
	if err != nil {
		return storage.Session{}, errRecord("session", err)
	}
	var p parser
	out.ID = v.text(0)
	out.UserKey = p.hash(v.text(1))
	out.Hash = p.hash(v.text(2))
	out.Version = p.int64(v.text(3))
	out.StartedAt = p.instant(v.text(4))
	out.LastRequestAt = p.instant(v.text(5))
	out.ExpiresAt = p.instant(v.text(6))
	out.Clients = p.clients(v.text(7))
	if p.err != nil {
		return storage.Session{}, errRecord("session", p.err)
	}
	return out, nil
}
