package redis

import (
	"context"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// isListed reports whether Grants lists a grant: those of machines are not listed, and have no authorization that could be revoked.
func isListed(g *storage.Grant) bool { return g.UserKey != storage.Hash{} || g.SessionID != "" }

// listedUser returns the name of the user of a grant that is listed, or "".
func listedUser(g *storage.Grant) string {
	if !isListed(g) {
		return ""
	}
	return name(g.UserKey)
}

// authorization returns the name of a user, a client and a customer.
func authorization(k *storage.ConsentKey) string {
	return name(k.UserKey) + ":" + hashed(k.ClientID, k.Customer)
}

func authorizationOf(g *storage.Grant) string {
	return authorization(&storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID, Customer: g.Customer})
}

// sessionKey returns the key of a session, or the unused one for a grant outside a session.
func (s *Store) sessionKey(id string) string {
	if id == "" {
		return s.unused()
	}
	return s.key("session", id)
}

// Consents implements provider.Store.
func (s *Store) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	reply, err := s.run(ctx, consentsScript, now, []string{s.key("consents", authorization(&key))})
	if err != nil {
		return nil, err
	}
	var out []storage.Consent
	var p parser
	all, _ := reply.([]any)
	for i := 0; i+1 < len(all); i += 2 {
		scope, value := list(all).text(i), list(all).text(i+1)
		if len(value) < 40 {
			return nil, errRecord("consent", errShort)
		}
		c := storage.Consent{Scope: scope, GrantedAt: p.instant(value[:20]), ExpiresAt: p.instant(value[20:40]), Version: value[40:]}
		if record.Nanos(now) < record.Nanos(c.ExpiresAt) {
			out = append(out, c)
		}
	}
	if p.err != nil {
		return nil, errRecord("consent", p.err)
	}
	return out, nil
}

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	keys := []string{s.key("request", o.RequestID), s.unused(), s.unused(), s.unused(), s.key("consents", authorization(&o.Consents))}
	args := make([]any, 0, 16+4*len(o.Granted)+len(o.Declined))
	if c := o.Code; c != nil {
		g := &c.Grant
		retained := o.RetainTo
		if retained.Before(c.ExpiresAt) {
			retained = c.ExpiresAt
		}
		keys[1], keys[2], keys[3] = s.key("code", name(c.Hash)), s.key("grant", g.ID), s.sessionKey(g.SessionID)
		args = append(args, name(c.Hash), g.ID, listedUser(g), g.SessionID, authorizationOf(g), instant(c.ExpiresAt), instant(retained), encodeCode(c))
	} else {
		args = append(args, "", "", "", "", "", "", instant(o.RetainTo), "")
	}
	if v := o.Visit; v != nil {
		args = append(args, "1", instant(v.At), instant(v.Until), v.Client.ClientID, flag(v.Client.Open, "0"),
			encodeClients([]storage.SessionClient{v.Client}))
	} else {
		args = append(args, "", "", "", "", "", "")
	}
	args = append(args, len(o.Declined), len(o.Granted))
	for i := range o.Granted {
		c := &o.Granted[i]
		args = append(args, c.Scope, instant(c.GrantedAt), instant(c.ExpiresAt), c.Version)
	}
	for _, scope := range o.Declined {
		args = append(args, scope)
	}
	return s.verdict(ctx, finishRequestScript, now, keys, args...)
}

// encodeCode encodes what a code has besides its fields in Redis.
func encodeCode(in *storage.AuthorizationCode) []byte {
	c := *in
	c.Hash, c.ExpiresAt, c.Grant.ID = storage.Hash{}, time.Time{}, ""
	return record.EncodeCode(&c)
}

// Code implements provider.Store.
func (s *Store) Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	v, verdict := s.values(ctx, codeScript, now, []string{s.key("code", name(hash))})
	if len(v) == 0 {
		return storage.AuthorizationCode{}, verdict
	}
	c, err := record.DecodeCode([]byte(v.text(2)))
	if err != nil {
		return storage.AuthorizationCode{}, errRecord("code", err)
	}
	var p parser
	c.Hash, c.Grant.ID, c.ExpiresAt = hash, v.text(0), p.instant(v.text(1))
	if p.err != nil {
		return storage.AuthorizationCode{}, errRecord("code", p.err)
	}
	return c, verdict
}

// RedeemCode implements provider.Store.
func (s *Store) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	code := s.key("code", name(hash))
	if i == nil {
		return s.verdict(ctx, consumeCodeScript, now, []string{code})
	}
	keys := append([]string{code}, s.issuanceKeys(i)...)
	return s.verdict(ctx, redeemCodeScript, now, keys, issuanceArgs(i)...)
}

// InsertGrant implements token.GrantStore.
func (s *Store) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	return s.verdict(ctx, insertGrantScript, now, s.issuanceKeys(i), issuanceArgs(i)...)
}

// issuanceKeys returns the keys of a grant, its tokens and its session.
func (s *Store) issuanceKeys(i *storage.Issuance) []string {
	refresh := s.unused()
	if i.Refresh != nil {
		refresh = s.key("refresh", name(i.Refresh.Hash))
	}
	return []string{s.key("grant", i.Grant.ID), s.key("access", name(i.Access.Hash)), refresh, s.sessionKey(i.Grant.SessionID)}
}

// issuanceArgs returns the arguments of redeem_code.lua and insert_grant.lua.
func issuanceArgs(i *storage.Issuance) []any {
	g := &i.Grant
	foreign := i.Access.GrantID != g.ID
	refreshStop, generation := "", 0
	if i.Refresh != nil {
		foreign = foreign || i.Refresh.GrantID != g.ID
		refreshStop, generation = instant(i.Refresh.ExpiresAt), i.Refresh.Generation
	}
	return []any{
		flag(foreign, ""), flag(g.LoginOnly, ""), authorizationOf(g), g.SessionID,
		g.ID, listedUser(g), instant(g.CreatedAt), instant(g.ExpiresAt), encodeGrant(g),
		instant(i.Access.ExpiresAt), encodeAccess(&i.Access), refreshStop, generation,
	}
}

// encodeGrant encodes what a grant has besides its fields in Redis.
func encodeGrant(in *storage.Grant) []byte {
	g := *in
	g.ID, g.UserKey, g.CreatedAt, g.ExpiresAt = "", storage.Hash{}, time.Time{}, time.Time{}
	return record.EncodeGrant(&g)
}

// decodeGrant decodes a grant_reply.
func decodeGrant(v list) (storage.Grant, error) {
	g, err := record.DecodeGrant([]byte(v.text(4)))
	if err != nil {
		return storage.Grant{}, errRecord("grant", err)
	}
	var p parser
	g.ID = v.text(0)
	if user := v.text(1); user != "" {
		g.UserKey = p.hash(user)
	}
	g.CreatedAt, g.ExpiresAt = p.instant(v.text(2)), p.instant(v.text(3))
	if p.err != nil {
		return storage.Grant{}, errRecord("grant", p.err)
	}
	return g, nil
}
