package memory

import (
	"encoding/binary"
	"strings"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// sessionText is an encoded session without its UserKey, which user has: hash, start, end, ID, and the rest. The times of the rest are
// distances from the start.
type sessionText string

const (
	sessionStartAt = 32
	sessionEndAt   = 40
	sessionIDAt    = 48
)

func (t sessionText) hash() string { return string(t[:32]) }
func (t sessionText) start() int64 { return intAt(string(t), sessionStartAt) }
func (t sessionText) end() int64   { return intAt(string(t), sessionEndAt) }
func (t sessionText) id() string   { return (&reader{string(t[sessionIDAt:])}).string() }

func (t sessionText) version() int64 {
	r := t.rest()
	return r.varint()
}

// rest returns a reader of what follows the ID.
func (t sessionText) rest() reader {
	r := reader{string(t[sessionIDAt:])}
	r.string()
	return r
}

// reserved returns the text up to the ID, which is all that is read of a session that has ended.
func (t sessionText) reserved() sessionText {
	return sessionText(strings.Clone(string(t[:len(t)-len(t.rest().rest)])))
}

func encodeSession(s *storage.Session) sessionText {
	var room scratch
	start := record.Nanos(s.StartedAt)
	b := append(room[:0], s.Hash[:]...)
	b = putInt(b, start)
	b = putTime(b, s.ExpiresAt)
	b = putString(b, s.ID)
	b = putVisits(b, s, start)
	b = putCircles(b, s.Circles, start)
	return sessionText(b)
}

// visited returns the text after a visit, which changes no circle.
func (t sessionText) visited(v *storage.Visit) sessionText {
	r, start := t.rest(), t.start()
	head := t[:len(t)-len(r.rest)]
	s := storage.Session{ExpiresAt: record.Time(t.end())}
	r.visits(&s, start)
	v.Apply(&s)
	var room scratch
	b := append(room[:0], head...)
	putTime(b[:sessionEndAt], s.ExpiresAt)
	b = putVisits(b, &s, start)
	return sessionText(append(b, r.rest...))
}

// putVisits writes what a visit changes, except the end.
func putVisits(b []byte, s *storage.Session, start int64) []byte {
	b = binary.AppendVarint(b, s.Version)
	b = putTimeFrom(b, start, s.LastRequestAt)
	return putClients(b, s.Clients, start)
}

func (r *reader) visits(s *storage.Session, start int64) {
	s.Version, s.LastRequestAt = r.varint(), r.timeFrom(start)
	s.Clients = r.clients(start)
}

func putCircles(b []byte, circles []storage.Circle, start int64) []byte {
	if circles == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(circles))+1)
	for i := range circles {
		c := &circles[i]
		b = putSymbol(b, c.Name)
		b = putBytes(b, c.Identity)
		b = putSymbol(b, c.ACR)
		b = putSymbols(b, c.AMR)
		b = putTimeFrom(b, start, c.AuthTime)
	}
	return b
}

func putClients(b []byte, clients []storage.SessionClient, start int64) []byte {
	if clients == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(clients))+1)
	for i := range clients {
		c := &clients[i]
		b = putSymbol(b, c.ClientID)
		b = putString(b, c.SID)
		b = putTimeFrom(b, start, c.LoginAt)
		b = putBool(b, c.Open)
	}
	return b
}

func (t sessionText) decode(userKey storage.Hash) storage.Session {
	r, start := reader{string(t)}, t.start()
	s := storage.Session{UserKey: userKey, Hash: r.hash(), StartedAt: r.time(), ExpiresAt: r.time(), ID: r.string()}
	r.visits(&s, start)
	s.Circles = r.circles(start)
	return s
}

func (r *reader) circles(start int64) []storage.Circle {
	n := r.size()
	if n == 0 {
		return nil
	}
	v := make([]storage.Circle, n-1)
	for i := range v {
		v[i] = storage.Circle{Name: r.symbol(), Identity: r.bytes(), ACR: r.symbol(), AMR: r.symbols(), AuthTime: r.timeFrom(start)}
	}
	return v
}

func (r *reader) clients(start int64) []storage.SessionClient {
	n := r.size()
	if n == 0 {
		return nil
	}
	v := make([]storage.SessionClient, n-1)
	for i := range v {
		v[i] = storage.SessionClient{ClientID: r.symbol(), SID: r.string(), LoginAt: r.timeFrom(start), Open: r.bool()}
	}
	return v
}
