package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// PushRequest implements authorize.PushedRequestStore.
func (s *Store) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	most := s.maxPushed
	if p.Source != p.ClientID {
		most = s.maxPushedPerAddress
	}
	source, client := hashed(p.ClientID, p.Source), hashed(p.ClientID)
	keys := []string{s.key("pushed", name(p.Hash)), s.key("pushing", source), s.key("pushing-client", client)}
	return s.verdict(ctx, pushRequestScript, now, keys, name(p.Hash), p.ClientID, p.Source, source, instant(p.ExpiresAt),
		milliseconds(p.ExpiresAt), milliseconds(now), p.Params, most, s.maxPushedOfClient)
}

// milliseconds returns the last millisecond before t. Lists are counted by it: a score is a double, which has room for that.
func milliseconds(t time.Time) string { return strconv.FormatInt(record.Nanos(t)/1e6, 10) }

// PushedRequest implements authorize.PushedRequestStore.
func (s *Store) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error) {
	v, err := s.values(ctx, pushedRequestScript, now, []string{s.key("pushed", name(hash))})
	if err != nil {
		return storage.PushedRequest{}, err
	}
	var p parser
	out := storage.PushedRequest{Hash: hash, ClientID: v.text(0), Source: v.text(1), ExpiresAt: p.instant(v.text(2)), Params: []byte(v.text(3))}
	if p.err != nil {
		return storage.PushedRequest{}, errRecord("pushed request", p.err)
	}
	return out, nil
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (s *Store) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error {
	return s.verdict(ctx, consumePushedRequestScript, now, []string{s.key("pushed", name(hash))}, name(hash))
}

// ConsumeJTI implements client.ReplayStore and dpop.ReplayStore.
func (s *Store) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if record.Nanos(now) >= record.Nanos(expiresAt) {
		return storage.ErrConsumed
	}
	minute := func(t time.Time) int64 { return record.Nanos(t) / int64(time.Minute) }
	return s.verdict(ctx, consumeJTIScript, now, []string{s.key("jti", name(key)), s.key("jtis", hashed(clientID))},
		instant(expiresAt), minute(expiresAt), minute(now.Add(-session.MaxSkew)), s.maxReplays)
}
