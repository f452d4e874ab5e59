package memory

import "github.com/portner-go/portner/storage"

// Leftovers returns the number of entries of each index, heap and counter that is not empty.
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
		add("users with sessions", len(s.users[i].sessions.m))
		add("codes", len(s.codes.shards[i].m))
		add("requests", len(s.requests.shards[i].m))
		add("grants", len(s.grants.shards[i].m))
		add("access tokens", len(s.access.shards[i].m))
		add("refresh tokens", len(s.refresh.shards[i].m))
		add("pushed requests", len(s.pushed.shards[i].m))
		add("pushing clients", len(s.pushedClients.shards[i].n))
		add("users with grants", len(s.users[i].grants.m))
		add("consents", len(s.users[i].consents.m))
		add("replays", len(s.replays[i].keys.m))
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

// Encoders, for the fuzz test.
var (
	EncodeSession = encodeSession
	EncodeGrant   = encodeGrant
	EncodeOutcome = encodeOutcome
	EncodeAccess  = encodeAccess
)

// GrantsOf returns the number of grants and codes in the chain of a user.
func (s *Store) GrantsOf(user storage.Hash) (n int) {
	h := s.hashOf(string(user[:]))
	for g := s.users[stripeOf(h)].grants.m[h]; g != nil; g = g.next {
		n++
	}
	return n
}

func (t sessionText) Decode() storage.Session             { return t.decode() }
func (t grantText) Decode() storage.Grant                 { return t.decode() }
func (t codeText) Decode() storage.AuthorizationCode      { return t.decode() }
func (t accessText) Decode(id string) storage.AccessToken { return t.decode(id) }
