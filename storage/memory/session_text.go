package memory

import (
	"encoding/binary"
	"strings"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// sessionText is an encoded session: hash, user key, version, three times, ID, clients, circles.
type sessionText string

const (
	sessionVersionAt = 64
	sessionStartAt   = 72
	sessionEndAt     = 80
	sessionLastAt    = 88
	sessionIDAt      = 96
)

func (t sessionText) hash() string   { return string(t[:32]) }
func (t sessionText) version() int64 { return intAt(string(t), sessionVersionAt) }
func (t sessionText) start() int64   { return intAt(string(t), sessionStartAt) }
func (t sessionText) end() int64     { return intAt(string(t), sessionEndAt) }
func (t sessionText) id() string     { return (&reader{string(t[sessionIDAt:])}).string() }

// reserved returns the text up to the ID, which is all that is read of a session that has ended.
func (t sessionText) reserved() sessionText {
	r := reader{string(t[sessionIDAt:])}
	r.string()
	return sessionText(strings.Clone(string(t[:len(t)-len(r.rest)])))
}

func encodeSession(s *storage.Session) sessionText {
	var room scratch
	b := append(room[:0], s.Hash[:]...)
	b = append(b, s.UserKey[:]...)
	b = putInt(b, s.Version)
	b = putTime(b, s.StartedAt)
	b = putTime(b, s.ExpiresAt)
	b = putTime(b, s.LastRequestAt)
	b = putString(b, s.ID)
	b = putClients(b, s.Clients)
	b = putCircles(b, s.Circles)
	return sessionText(b)
}

// visited returns the text after a visit, which changes no circle.
func (t sessionText) visited(v *storage.Visit) sessionText {
	r := reader{string(t[sessionIDAt:])}
	r.string()
	head := t[:len(t)-len(r.rest)]
	s := storage.Session{Version: t.version(), ExpiresAt: record.Time(t.end()), LastRequestAt: record.Time(intAt(string(t), sessionLastAt)), Clients: r.clients()}
	v.Apply(&s)
	var room scratch
	b := append(room[:0], head...)
	putInt(b[:sessionVersionAt], s.Version)
	putTime(b[:sessionEndAt], s.ExpiresAt)
	putTime(b[:sessionLastAt], s.LastRequestAt)
	b = putClients(b, s.Clients)
	return sessionText(append(b, r.rest...))
}

func putCircles(b []byte, circles []storage.Circle) []byte {
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
		b = putTime(b, c.AuthTime)
	}
	return b
}

func putClients(b []byte, clients []storage.SessionClient) []byte {
	if clients == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(clients))+1)
	for i := range clients {
		c := &clients[i]
		b = putSymbol(b, c.ClientID)
		b = putString(b, c.SID)
		b = putTime(b, c.LoginAt)
		b = putBool(b, c.Open)
	}
	return b
}

func (t sessionText) decode() storage.Session {
	r := reader{string(t)}
	var s storage.Session
	s.Hash, s.UserKey = r.hash(), r.hash()
	s.Version = r.int()
	s.StartedAt, s.ExpiresAt, s.LastRequestAt = r.time(), r.time(), r.time()
	s.ID = r.string()
	s.Clients, s.Circles = r.clients(), r.circles()
	return s
}

func (r *reader) circles() []storage.Circle {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	v := make([]storage.Circle, n-1)
	for i := range v {
		v[i] = storage.Circle{Name: r.symbol(), Identity: r.bytes(), ACR: r.symbol(), AMR: r.symbols(), AuthTime: r.time()}
	}
	return v
}

func (r *reader) clients() []storage.SessionClient {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	v := make([]storage.SessionClient, n-1)
	for i := range v {
		v[i] = storage.SessionClient{ClientID: r.symbol(), SID: r.string(), LoginAt: r.time(), Open: r.bool()}
	}
	return v
}
