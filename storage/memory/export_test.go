package memory

import "github.com/portner-go/portner/storage"

// Leftovers counts everything the store still holds, by what holds it: all zero when empty.
func (s *Store) Leftovers() map[string]int {
	left := map[string]int{}
	add := func(what string, n int) {
		if n != 0 {
			left[what] += n
		}
	}
	for i := range shardCount {
		add("sessions by hash", len(s.sessionsByHash.shards[i].m))
		add("sessions by ID", len(s.sessionsByID.shards[i].m))
		add("people", len(s.people[i].sessions))
		add("codes", len(s.codes.shards[i].m))
		add("requests", len(s.requests.shards[i].m))
		add("grants", len(s.grants.shards[i].m))
		add("access tokens", len(s.access.shards[i].m))
		add("refresh tokens", len(s.refresh.shards[i].m))
		add("pushed requests", len(s.pushed.shards[i].m))
		add("pushing clients", len(s.pushedClients.shards[i].n))
		add("consents", len(s.consents[i].m))
		add("replays", len(s.replays[i].keys))
		add("replay heap", len(s.replays[i].heap))
		add("queued sessions", len(s.due.sessions.shards[i].heap))
		add("queued grants", len(s.due.grants.shards[i].heap))
		add("queued access tokens", len(s.due.access.shards[i].heap))
		add("queued refresh tokens", len(s.due.refresh.shards[i].heap))
		add("queued pushed requests", len(s.due.pushed.shards[i].heap))
		add("queued consents", len(s.due.consents.shards[i].heap))
	}
	stats := s.Stats()
	add("counters", stats.Sessions+stats.Grants+stats.Tokens+stats.PushedRequests+stats.Consents+stats.Replays)
	return left
}

// Codec functions for the round trip fuzzing.
var (
	EncodeSession = encodeSession
	EncodeGrant   = encodeGrant
	EncodeCode    = encodeCode
	EncodeAccess  = encodeAccess
)

// GrantsNotedIn is how many grants the session with this ID holds on to.
func (s *Store) GrantsNotedIn(sessionID string) int { return cap(s.sessionsByID.get(sessionID).grants) }

func (t sessionText) Decode() storage.Session             { return t.decode() }
func (t grantText) Decode() storage.Grant                 { return t.decode() }
func (t codeText) Decode() storage.AuthorizationCode      { return t.decode() }
func (t accessText) Decode(id string) storage.AccessToken { return t.decode(id) }
