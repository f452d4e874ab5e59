package record

import (
	"fmt"

	"github.com/portner-go/portner/storage"
)

// EncodeSession returns the encoding of s.
func EncodeSession(s *storage.Session) []byte {
	w := newWriter(kindSession)
	w.hash(1, &s.Hash)
	w.string(2, s.ID)
	w.int(3, s.Version)
	w.hash(4, &s.UserKey)
	w.time(5, s.StartedAt)
	w.time(6, s.LastRequestAt)
	w.time(7, s.ExpiresAt)
	w.count(8, len(s.Circles))
	for i := range s.Circles {
		c := &s.Circles[i]
		w.string(1, c.Name)
		w.bytes(2, c.Identity)
		w.string(3, c.ACR)
		w.strings(4, c.AMR)
		w.time(5, c.AuthTime)
		w.end()
	}
	w.count(9, len(s.Clients))
	for i := range s.Clients {
		c := &s.Clients[i]
		w.string(1, c.ClientID)
		w.string(2, c.SID)
		w.time(3, c.LoginAt)
		w.bool(4, c.Open)
		w.end()
	}
	return w
}

// DecodeSession returns the session that EncodeSession encoded as b.
func DecodeSession(b []byte) (storage.Session, error) {
	r := newReader(b, kindSession)
	var s storage.Session
	s.Hash = r.hash(1)
	s.ID = r.string(2)
	s.Version = r.int(3)
	s.UserKey = r.hash(4)
	s.StartedAt = r.time(5)
	s.LastRequestAt = r.time(6)
	s.ExpiresAt = r.time(7)
	if n := r.count(8); n > 0 {
		s.Circles = make([]storage.Circle, n)
	}
	for i := range s.Circles {
		c := &s.Circles[i]
		c.Name = r.string(1)
		c.Identity = r.bytes(2)
		c.ACR = r.string(3)
		c.AMR = r.strings(4)
		c.AuthTime = r.time(5)
		r.end()
	}
	if n := r.count(9); n > 0 {
		s.Clients = make([]storage.SessionClient, n)
	}
	for i := range s.Clients {
		c := &s.Clients[i]
		c.ClientID = r.string(1)
		c.SID = r.string(2)
		c.LoginAt = r.time(3)
		c.Open = r.bool(4)
		r.end()
	}
	if err := r.close(); err != nil {
		return storage.Session{}, fmt.Errorf("record: session: %w", err)
	}
	return s, nil
}

// EncodeGrant returns the encoding of g.
func EncodeGrant(g *storage.Grant) []byte {
	w := newWriter(kindGrant)
	w.grant(g)
	return w
}

// DecodeGrant returns the grant that EncodeGrant encoded as b.
func DecodeGrant(b []byte) (storage.Grant, error) {
	r := newReader(b, kindGrant)
	var g storage.Grant
	r.grant(&g)
	if err := r.close(); err != nil {
		return storage.Grant{}, fmt.Errorf("record: grant: %w", err)
	}
	return g, nil
}

func (w *writer) grant(g *storage.Grant) {
	w.string(1, g.ID)
	w.string(2, g.ClientID)
	w.hash(3, &g.UserKey)
	w.bytes(4, g.Identity)
	w.string(5, g.Subject)
	w.string(6, g.Customer)
	w.string(7, g.SessionID)
	w.string(8, g.SID)
	w.bool(9, g.LoginOnly)
	w.strings(10, g.Scopes)
	w.strings(11, g.Resources)
	w.bool(12, g.Pseudonymous)
	w.string(13, g.ACR)
	w.strings(14, g.AMR)
	w.time(15, g.AuthTime)
	w.string(16, g.Locale)
	w.string(17, g.UserAgent)
	w.string(18, g.Delegation.Consumer)
	w.string(19, g.Delegation.Supplier)
	w.string(20, g.Delegation.Source)
	w.bytes(21, g.Delegation.Actor)
	w.bytes(22, g.Delegation.MayAct)
	w.hash(23, &g.Delegation.Subject)
	w.hash(24, &g.Delegation.ActorToken)
	w.bytes(25, g.AuthorizationDetails)
	w.bytes(26, g.Claims)
	w.string(27, g.Confirmation.Key)
	w.string(28, g.Confirmation.Certificate)
	w.time(29, g.CreatedAt)
	w.time(30, g.ExpiresAt)
}

func (r *reader) grant(g *storage.Grant) {
	g.ID = r.string(1)
	g.ClientID = r.string(2)
	g.UserKey = r.hash(3)
	g.Identity = r.bytes(4)
	g.Subject = r.string(5)
	g.Customer = r.string(6)
	g.SessionID = r.string(7)
	g.SID = r.string(8)
	g.LoginOnly = r.bool(9)
	g.Scopes = r.strings(10)
	g.Resources = r.strings(11)
	g.Pseudonymous = r.bool(12)
	g.ACR = r.string(13)
	g.AMR = r.strings(14)
	g.AuthTime = r.time(15)
	g.Locale = r.string(16)
	g.UserAgent = r.string(17)
	g.Delegation.Consumer = r.string(18)
	g.Delegation.Supplier = r.string(19)
	g.Delegation.Source = r.string(20)
	g.Delegation.Actor = r.bytes(21)
	g.Delegation.MayAct = r.bytes(22)
	g.Delegation.Subject = r.hash(23)
	g.Delegation.ActorToken = r.hash(24)
	g.AuthorizationDetails = r.bytes(25)
	g.Claims = r.bytes(26)
	g.Confirmation.Key = r.string(27)
	g.Confirmation.Certificate = r.string(28)
	g.CreatedAt = r.time(29)
	g.ExpiresAt = r.time(30)
}

// EncodeCode returns the encoding of c and its grant.
func EncodeCode(c *storage.AuthorizationCode) []byte {
	w := newWriter(kindCode)
	w.hash(1, &c.Hash)
	w = append(w, 2)
	w.grant(&c.Grant)
	w.end()
	w.string(3, c.RedirectURI)
	w.string(4, c.CodeChallenge)
	w.string(5, c.Nonce)
	w.string(6, c.DPoPKey)
	w.time(7, c.ExpiresAt)
	return w
}

// DecodeCode returns the code that EncodeCode encoded as b.
func DecodeCode(b []byte) (storage.AuthorizationCode, error) {
	r := newReader(b, kindCode)
	var c storage.AuthorizationCode
	c.Hash = r.hash(1)
	if !r.has(2) && r.err == nil {
		r.fail(errTruncated)
	}
	r.grant(&c.Grant)
	r.end()
	c.RedirectURI = r.string(3)
	c.CodeChallenge = r.string(4)
	c.Nonce = r.string(5)
	c.DPoPKey = r.string(6)
	c.ExpiresAt = r.time(7)
	if err := r.close(); err != nil {
		return storage.AuthorizationCode{}, fmt.Errorf("record: code: %w", err)
	}
	return c, nil
}

// EncodeAccess returns the encoding of a.
func EncodeAccess(a *storage.AccessToken) []byte {
	w := newWriter(kindAccess)
	w.hash(1, &a.Hash)
	w.string(2, a.GrantID)
	w.string(3, a.JTI)
	w.bool(4, a.Opaque)
	w.strings(5, a.Scopes)
	w.strings(6, a.Audience)
	w.string(7, a.ClientAMR)
	w.bytes(8, a.AuthorizationDetails)
	w.string(9, a.Confirmation.Key)
	w.string(10, a.Confirmation.Certificate)
	w.time(11, a.IssuedAt)
	w.time(12, a.ExpiresAt)
	return w
}

// DecodeAccess returns the access token that EncodeAccess encoded as b.
func DecodeAccess(b []byte) (storage.AccessToken, error) {
	r := newReader(b, kindAccess)
	var a storage.AccessToken
	a.Hash = r.hash(1)
	a.GrantID = r.string(2)
	a.JTI = r.string(3)
	a.Opaque = r.bool(4)
	a.Scopes = r.strings(5)
	a.Audience = r.strings(6)
	a.ClientAMR = r.string(7)
	a.AuthorizationDetails = r.bytes(8)
	a.Confirmation.Key = r.string(9)
	a.Confirmation.Certificate = r.string(10)
	a.IssuedAt = r.time(11)
	a.ExpiresAt = r.time(12)
	if err := r.close(); err != nil {
		return storage.AccessToken{}, fmt.Errorf("record: access token: %w", err)
	}
	return a, nil
}
