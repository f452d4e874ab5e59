package memory

import (
	"encoding/binary"

	"github.com/portner-go/portner/storage"
)

// grantText is an encoded grant: end, flags, ID, the rest.
type grantText string

const grantIDAt = 9

const (
	flagLoginOnly = 1 << iota
	flagPseudonymous
	flagDelegation
)

func (t grantText) end() int64      { return intAt(string(t), 0) }
func (t grantText) loginOnly() bool { return t[8]&flagLoginOnly != 0 }
func (t grantText) id() string      { return (&reader{string(t[grantIDAt:])}).string() }

func encodeGrant(g *storage.Grant) grantText {
	var room scratch
	return grantText(putGrant(room[:0], g))
}

func putGrant(b []byte, g *storage.Grant) []byte {
	var flags byte
	if g.LoginOnly {
		flags |= flagLoginOnly
	}
	if g.Pseudonymous {
		flags |= flagPseudonymous
	}
	if delegates(&g.Delegation) {
		flags |= flagDelegation
	}
	b = append(putTime(b, g.ExpiresAt), flags)
	b = putString(b, g.ID)
	b = putTime(b, g.CreatedAt)
	b = putTime(b, g.AuthTime)
	b = append(b, g.UserKey[:]...)
	b = putSymbol(b, g.ClientID)
	b = putBytes(b, g.Identity)
	b = putRandom(b, g.SessionID)
	b = putRandom(b, g.SID)
	b = putSymbols(b, g.Scopes)
	b = putSymbols(b, g.Resources)
	b = putSymbol(b, g.ACR)
	b = putSymbols(b, g.AMR)
	b = putSymbol(b, g.Locale)
	b = putSymbol(b, g.OnBehalfOf)
	b = putSymbol(b, g.UserAgent)
	b = putBytes(b, g.AuthorizationDetails)
	return putDelegation(b, &g.Delegation)
}

func delegates(d *storage.Delegation) bool {
	return d.Consumer != "" || d.Supplier != "" || d.Source != "" || d.Actor != nil || d.MayAct != nil || d.Subject != storage.Hash{}
}

// putDelegation adds nothing for most grants: flagDelegation tells.
func putDelegation(b []byte, d *storage.Delegation) []byte {
	if !delegates(d) {
		return b
	}
	b = putSymbol(b, d.Consumer)
	b = putSymbol(b, d.Supplier)
	b = putSymbol(b, d.Source)
	b = putBytes(b, d.Actor)
	b = putBytes(b, d.MayAct)
	return append(b, d.Subject[:]...)
}

func (t grantText) decode() storage.Grant {
	r := reader{string(t)}
	var g storage.Grant
	g.ExpiresAt = r.time()
	flags := r.take(1)[0]
	g.LoginOnly, g.Pseudonymous = flags&flagLoginOnly != 0, flags&flagPseudonymous != 0
	g.ID = r.string()
	g.CreatedAt, g.AuthTime = r.time(), r.time()
	g.UserKey = r.hash()
	g.ClientID = r.symbol()
	g.Identity = r.bytes()
	g.SessionID, g.SID = r.random(), r.random()
	g.Scopes, g.Resources = r.symbols(), r.symbols()
	g.ACR = r.symbol()
	g.AMR = r.symbols()
	g.Locale, g.OnBehalfOf, g.UserAgent = r.symbol(), r.symbol(), r.symbol()
	g.AuthorizationDetails = r.bytes()
	if flags&flagDelegation != 0 {
		g.Delegation = storage.Delegation{Consumer: r.symbol(), Supplier: r.symbol(), Source: r.symbol()}
		g.Delegation.Actor, g.Delegation.MayAct, g.Delegation.Subject = r.bytes(), r.bytes(), r.hash()
	}
	return g
}

// codeText is an encoded code: hash, end, end of memory, where the grant starts, RequestID, the
// rest, the grant.
type codeText string

const (
	codeGrantAt = 48
	codeRestAt  = 52
)

func (t codeText) hash() string      { return string(t[:32]) }
func (t codeText) end() int64        { return intAt(string(t), 32) }
func (t codeText) retained() int64   { return max(intAt(string(t), 40), t.end()) }
func (t codeText) requestID() string { return (&reader{string(t[codeRestAt:])}).random() }
func (t codeText) grantAt() int {
	return int(t[codeGrantAt])<<24 | int(t[codeGrantAt+1])<<16 | int(t[codeGrantAt+2])<<8 | int(t[codeGrantAt+3])
}

func (t codeText) grant() grantText { return grantText(t[t.grantAt():]) }

func encodeCode(c *storage.AuthorizationCode) codeText {
	var room scratch
	b := append(room[:0], c.Hash[:]...)
	b = putTime(b, c.ExpiresAt)
	b = putTime(b, c.RetainUntil)
	b = append(b, 0, 0, 0, 0)
	b = putRandom(b, c.RequestID)
	b = putSymbol(b, c.RedirectURI)
	b = putRandom(b, c.CodeChallenge)
	b = putRandom(b, c.Nonce)
	b = putBool(b, c.AuthTimeAsked)
	binary.BigEndian.PutUint32(b[codeGrantAt:], uint32(len(b)))
	return codeText(putGrant(b, &c.Grant))
}

func (t codeText) decode() storage.AuthorizationCode {
	r := reader{string(t)}
	c := storage.AuthorizationCode{Hash: r.hash(), ExpiresAt: r.time(), RetainUntil: r.time()}
	r.take(codeRestAt - codeGrantAt)
	c.RequestID = r.random()
	c.RedirectURI = r.symbol()
	c.CodeChallenge, c.Nonce = r.random(), r.random()
	c.AuthTimeAsked = r.bool()
	c.Grant = grantText(r.rest).decode()
	return c
}

// accessText is an encoded access token without its GrantID: hash, end, the rest.
type accessText string

func (t accessText) hash() string { return string(t[:32]) }
func (t accessText) end() int64   { return intAt(string(t), 32) }

func encodeAccess(a *storage.AccessToken) accessText {
	var room scratch
	b := append(room[:0], a.Hash[:]...)
	b = putTime(b, a.ExpiresAt)
	b = putTime(b, a.IssuedAt)
	b = putBool(b, a.Opaque)
	b = putString(b, a.JTI)
	b = putSymbols(b, a.Scopes)
	b = putSymbols(b, a.Audience)
	b = putSymbol(b, a.ClientAMR)
	b = putBytes(b, a.AuthorizationDetails)
	return accessText(b)
}

func (t accessText) decode(grantID string) storage.AccessToken {
	r := reader{string(t)}
	return storage.AccessToken{
		GrantID: grantID,
		Hash:    r.hash(), ExpiresAt: r.time(), IssuedAt: r.time(), Opaque: r.bool(),
		JTI: r.string(), Scopes: r.symbols(), Audience: r.symbols(), ClientAMR: r.symbol(),
		AuthorizationDetails: r.bytes(),
	}
}
