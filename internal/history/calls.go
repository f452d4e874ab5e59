package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/storage"
)

const grace = time.Minute

// grantOf returns the grant of a key. The first and the second code have the same.
func grantOf(key string) storage.Grant {
	return storage.Grant{
		ID: "id of " + key, ClientID: "client", UserKey: hashOf(key, "user"), Identity: []byte("sealed"), Scopes: []string{"openid", "offline"},
		CreatedAt: epoch, ExpiresAt: end,
	}
}

func issuance(key, access, refresh, generation string) *storage.Issuance {
	g := grantOf(key)
	i := &storage.Issuance{Grant: g, Access: storage.AccessToken{Hash: hashOf(key, "access "+access), GrantID: g.ID, JTI: access, Opaque: true, IssuedAt: epoch, ExpiresAt: end}}
	if refresh != "" {
		i.Refresh = &storage.RefreshToken{Hash: hashOf(key, "refresh "+refresh), GrantID: g.ID, Generation: number(generation), ExpiresAt: end}
	}
	return i
}

// grantCall makes a call for a code, its grant or its tokens.
func (c *caller) grantCall(key string) {
	var refresh, access string
	c.knows(key, func(k *known) {
		if len(k.refresh) > 0 {
			refresh = k.refresh[len(k.refresh)-1-c.IntN(min(2, len(k.refresh)))] // one of the newest
			access = pick(c, k.access...)
		}
	})
	code := pick(c, "a", "a", "a", "b")
	switch n := c.IntN(100); {
	case refresh == "" && n < 40:
		c.finish(key, code)
	case refresh == "" && n < 60:
		c.readCode(key, code)
	case refresh == "" || n < 8:
		c.redeem(key, code)
	case n < 12:
		c.finish(key, code)
	case n < 20:
		c.readCode(key, code)
	case n < 65:
		c.rotate(key, refresh)
	case n < 80:
		c.readRefresh(key, refresh)
	case n < 90:
		c.readAccess(key, access)
	case n < 95:
		c.readGrants(key)
	case n < 98:
		c.revoke(key)
	default:
		c.consume(key, code)
	}
}

func (c *caller) finish(key, code string) {
	o := storage.Outcome{RequestID: "request of " + key, RetainTo: end, Code: &storage.AuthorizationCode{
		Hash: hashOf(key, "code "+code), Grant: grantOf(key), RedirectURI: "https://client.example.no/cb", ExpiresAt: end,
	}}
	c.record(key, "FinishRequest", []string{code}, func() (string, error) { return "", c.Store.FinishRequest(c.ctx, o, epoch) })
}

func (c *caller) redeem(key, code string) {
	name := c.unique("t")
	i := issuance(key, name, name, "0")
	if c.record(key, "RedeemCode", []string{code, name}, func() (string, error) { return "", c.Store.RedeemCode(c.ctx, hashOf(key, "code "+code), i, epoch) }) == notFound {
		return
	}
	c.knows(key, func(k *known) { k.refresh, k.access = append(k.refresh, name), append(k.access, name) })
}

func (c *caller) consume(key, code string) {
	c.record(key, "RedeemCode", []string{code, ""}, func() (string, error) {
		return "", c.Store.RedeemCode(c.ctx, hashOf(key, "code "+code), nil, epoch)
	})
}

func (c *caller) readCode(key, code string) {
	c.record(key, "Code", []string{code}, func() (string, error) {
		_, err := c.Store.Code(c.ctx, hashOf(key, "code "+code), epoch)
		return "", err
	})
}

// rotate rotates a refresh token to one of two successors, which callers share so that there are retries, or renews it.
func (c *caller) rotate(key, name string) {
	next, access := name+pick(c, "x", "x", "y"), c.unique("a")
	switch c.IntN(12) {
	case 0:
		next = ""
	case 1, 2:
		next = name
	}
	within, period := "grace", grace
	if c.IntN(3) == 0 {
		within, period = "strict", 0
	}
	generation := strconv.Itoa(c.IntN(100))
	i := issuance(key, access, next, generation)
	result := c.record(key, "RotateRefreshToken", []string{name, next, generation, within, access}, func() (string, error) {
		return "", c.Store.RotateRefreshToken(c.ctx, hashOf(key, "refresh "+name), i, period, epoch)
	})
	if result == ok || result == Unknown {
		c.knows(key, func(k *known) {
			k.access = append(k.access, access)
			if next != "" && next != name {
				k.refresh = append(k.refresh, next)
			}
		})
	}
}

func (c *caller) readRefresh(key, name string) {
	names := map[storage.Hash]string{{}: "", hashOf(key, "refresh "+name+"x"): name + "x", hashOf(key, "refresh "+name+"y"): name + "y"}
	c.record(key, "RefreshToken", []string{name}, func() (string, error) {
		t, _, err := c.Store.RefreshToken(c.ctx, hashOf(key, "refresh "+name), epoch)
		if resultOf(err) == notFound {
			return "", err
		}
		successor, known := names[t.Successor]
		if !known {
			successor = fmt.Sprintf("%x", t.Successor[:4])
		}
		return refreshToken{generation: strconv.Itoa(t.Generation), successor: successor, used: t.SuccessorUsed}.seen(), err
	})
}

func (c *caller) readAccess(key, name string) {
	c.record(key, "AccessToken", []string{name}, func() (string, error) {
		_, _, err := c.Store.AccessToken(c.ctx, hashOf(key, "access "+name), epoch)
		return "", err
	})
}

func (c *caller) readGrants(key string) {
	c.record(key, "Grants", nil, func() (string, error) {
		all, err := c.Store.Grants(c.ctx, storage.GrantQuery{UserKey: hashOf(key, "user"), Limit: 10}, epoch)
		return fmt.Sprintf(" %v", len(all) > 0), err
	})
}

func (c *caller) revoke(key string) {
	g := grantOf(key)
	r := pick(c, storage.Revocation{GrantID: g.ID}, storage.Revocation{Authorization: storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID}})
	c.record(key, "Revoke", nil, func() (string, error) { return "", c.Store.Revoke(c.ctx, r, epoch) })
}

// userCall makes a call for a session of a user, who has few.
func (c *caller) userCall(key string) {
	id := fmt.Sprintf("s%d", c.IntN(5))
	last := session{id: id, hash: id + "a", version: 1}
	var any bool
	c.knows(key, func(k *known) {
		if any = len(k.sessions) > 0; any {
			last = k.sessions[len(k.sessions)-1-c.IntN(min(3, len(k.sessions)))]
		}
	})
	switch n := c.IntN(100); {
	case !any || n < 12:
		c.replaceSession(key, "", session{id: id, hash: id + "a", version: 1}, pick(c, 0, 0, 3))
	case n < 45:
		c.readSession(key, last.hash)
	case n < 70:
		next := last
		next.hash, next.last = pick(c, last.hash, last.id+c.unique("r")), next.last+1+c.IntN(3)
		c.replaceSession(key, last.hash, next, pick(c, 0, 0, 2))
	case n < 77:
		c.replaceSession(key, last.hash, session{id: id, hash: id + "a", version: 1}, 0)
	case n < 94:
		c.visit(key, last.id)
	default:
		c.endSession(key, last.hash)
	}
}

func sessionHash(key, name string) storage.Hash {
	if name == "" {
		return storage.Hash{}
	}
	return hashOf(key, "cookie "+name)
}

func sessionRecord(key string, x session) storage.Session {
	s := storage.Session{
		Hash: sessionHash(key, x.hash), ID: key + " " + x.id, Version: int64(x.version), UserKey: hashOf(key, "user"),
		StartedAt: epoch.Add(time.Duration(number(x.id[1:]))), LastRequestAt: epoch.Add(time.Duration(x.last)), ExpiresAt: end,
		Circles: []storage.Circle{{Identity: []byte("sealed"), ACR: "level", AuthTime: epoch}},
	}
	for _, client := range x.clients {
		s.Clients = append(s.Clients, sessionClient(string(client)))
	}
	return s
}

func sessionClient(name string) storage.SessionClient {
	return storage.SessionClient{ClientID: name, SID: "sid " + name, LoginAt: epoch, Open: true}
}

// sessionOf is the reverse of sessionRecord.
func sessionOf(key string, s storage.Session) session {
	x := session{id: strings.TrimPrefix(s.ID, key+" "), version: int(s.Version), last: int(s.LastRequestAt.Sub(epoch))}
	for _, client := range s.Clients {
		x.clients += client.ClientID
	}
	return x
}

func (c *caller) readSession(key, hash string) {
	c.record(key, "Session", []string{hash}, func() (string, error) {
		s, err := c.Store.Session(c.ctx, sessionHash(key, hash), epoch)
		if err != nil {
			return "", err
		}
		x := sessionOf(key, s)
		x.hash = hash
		c.knows(key, func(k *known) { k.sessions = append(k.sessions, x) })
		return x.seen(), nil
	})
}

func (c *caller) replaceSession(key, old string, next session, limit int) {
	record := sessionRecord(key, next)
	args := []string{old, strconv.Itoa(limit), next.id, next.hash, strconv.Itoa(next.version), strconv.Itoa(next.last), next.clients}
	result := c.record(key, "ReplaceSession", args, func() (string, error) {
		ended, err := c.Store.ReplaceSession(c.ctx, sessionHash(key, old), record, limit, epoch)
		var seen string
		for _, s := range ended {
			seen += " ended " + strings.TrimPrefix(s.ID, key+" ")
		}
		return seen, err
	})
	if strings.HasPrefix(result, ok) || result == Unknown {
		if old != "" {
			next.version++
		}
		c.knows(key, func(k *known) { k.sessions = append(k.sessions, next) })
	}
}

func (c *caller) endSession(key, hash string) {
	c.record(key, "EndSession", []string{hash}, func() (string, error) {
		s, err := c.Store.EndSession(c.ctx, sessionHash(key, hash), epoch)
		if err != nil {
			return "", err
		}
		return sessionOf(key, s).seen(), nil
	})
}

// visit finishes a request of its own in a session.
func (c *caller) visit(key, id string) {
	client, at, name := pick(c, "p", "q", "r"), 1+c.IntN(20), c.unique("v")
	g := grantOf(key)
	g.ID, g.SessionID = key+" "+name, key+" "+id
	o := storage.Outcome{
		RequestID: key + " " + name, RetainTo: end, Code: &storage.AuthorizationCode{Hash: hashOf(key, "code "+name), Grant: g, ExpiresAt: end},
		Visit: &storage.Visit{Session: sessionHash(key, id+"a"), At: epoch.Add(time.Duration(at)), Client: sessionClient(client)},
	}
	c.record(key, "FinishRequest", []string{id, client, strconv.Itoa(at)}, func() (string, error) { return "", c.Store.FinishRequest(c.ctx, o, epoch) })
}

func (c *caller) pushedCall(key string) {
	p := storage.PushedRequest{Hash: hashOf(key, "urn"), ClientID: "client", Source: "client", Params: []byte("sealed"), ExpiresAt: end}
	switch c.IntN(4) {
	case 0:
		c.record(key, "PushRequest", nil, func() (string, error) { return "", c.PushedRequests.PushRequest(c.ctx, p, epoch) })
	case 1:
		c.record(key, "ConsumePushedRequest", nil, func() (string, error) { return "", c.PushedRequests.ConsumePushedRequest(c.ctx, p.Hash, epoch) })
	default:
		c.record(key, "PushedRequest", nil, func() (string, error) {
			_, err := c.PushedRequests.PushedRequest(c.ctx, p.Hash, epoch)
			return "", err
		})
	}
}

func (c *caller) jtiCall(key string) {
	c.record(key, "ConsumeJTI", nil, func() (string, error) {
		return "", c.Replay.ConsumeJTI(c.ctx, "client", hashOf(key, "jti"), end, epoch)
	})
}
