package memory

import (
	"cmp"
	"strings"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// grantText is an encoded grant without its UserKey: end, flags, CreatedAt, the distance of AuthTime from it, the part that identifies it (ID,
// client, customer, session ID), and the rest.
type grantText string

const (
	grantFlagsAt   = 8
	grantCreatedAt = 9
	grantAuthAt    = 17
)

const (
	flagLoginOnly = 1 << iota
	flagPseudonymous
	flagExtras                                // members that most grants do not have
	flagDPoPKey                               // the code has a DPoPKey: few have one, and a byte in each counts
	flagReplaces                              // the grant with which the code was created follows
	codeFlags    = flagDPoPKey | flagReplaces // of a grant in the text of a code
)

func (t grantText) end() int64       { return intAt(string(t), 0) }
func (t grantText) loginOnly() bool  { return t[grantFlagsAt]&flagLoginOnly != 0 }
func (t grantText) hasDPoPKey() bool { return t[grantFlagsAt]&flagDPoPKey != 0 }

func (t grantText) id() string {
	r := t.identity()
	return r.string()
}

// identity returns a reader of the part that identifies the grant.
func (t grantText) identity() reader {
	r := reader{string(t[grantAuthAt:])}
	r.varint()
	return r
}

// compareAge orders grants by creation and then by ID.
func (t grantText) compareAge(u grantText) int {
	if n := cmp.Compare(intAt(string(t), grantCreatedAt), intAt(string(u), grantCreatedAt)); n != 0 {
		return n
	}
	return strings.Compare(t.id(), u.id())
}

// begins reports whether u, which may be in the text of a code, has the grant t at its beginning. No text of a grant is the beginning of
// another one.
func (t grantText) begins(u grantText) bool {
	const after = grantFlagsAt + 1
	return len(t) <= len(u) && t[:grantFlagsAt] == u[:grantFlagsAt] && t[grantFlagsAt] == u[grantFlagsAt]&^codeFlags && t[after:] == u[after:len(t)]
}

// first returns the grant at the beginning of t, without what follows it.
func (t grantText) first() grantText {
	if t == "" {
		return ""
	}
	g := t.decode(storage.Hash{})
	return encodeGrant(&g)
}

// replaces reports whether t may be redeemed by a code of the same user with the grant u.
func (t grantText) replaces(u grantText) bool {
	if t.begins(u) {
		return true
	}
	r := u.identity()
	all := r.rest
	r.string()
	r.symbol()
	r.symbol()
	r.skipRandom()
	return strings.HasPrefix(t.identity().rest, all[:len(all)-len(r.rest)])
}

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
	if hasExtras(g) {
		flags |= flagExtras
	}
	b = append(putTime(b, g.ExpiresAt), flags)
	b = putTime(b, g.CreatedAt)
	b = putTimeFrom(b, record.Nanos(g.CreatedAt), g.AuthTime)
	b = putString(b, g.ID)
	b = putSymbol(b, g.ClientID)
	b = putSymbol(b, g.Customer)
	b = putRandom(b, g.SessionID)
	b = putBytes(b, g.Identity)
	b = putRandom(b, g.SID)
	b = putSymbols(b, g.Scopes)
	b = putSymbol(b, g.ACR)
	b = putSymbols(b, g.AMR)
	b = putSymbol(b, g.Locale)
	if flags&flagExtras != 0 {
		b = putExtras(b, g)
	}
	return b
}

func hasExtras(g *storage.Grant) bool {
	return g.Subject != "" || g.Resources != nil || g.UserAgent != "" || g.Confirmation != (storage.Confirmation{}) || g.AuthorizationDetails != nil || g.Claims != nil ||
		isDelegated(&g.Delegation)
}

func isDelegated(d *storage.Delegation) bool {
	return d.Consumer != "" || d.Supplier != "" || d.Source != "" || d.Actor != nil || d.MayAct != nil ||
		d.Subject != storage.Hash{} || d.ActorToken != storage.Hash{}
}

func putExtras(b []byte, g *storage.Grant) []byte {
	b = putString(b, g.Subject)
	b = putStrings(b, g.Resources)
	b = putString(b, g.UserAgent)
	b = putRandom(b, g.Confirmation.Key)
	b = putRandom(b, g.Confirmation.Certificate)
	b = putBytes(b, g.AuthorizationDetails)
	b = putBytes(b, g.Claims)
	d := &g.Delegation
	b = putString(b, d.Consumer)
	b = putString(b, d.Supplier)
	b = putSymbol(b, d.Source)
	b = putBytes(b, d.Actor)
	b = putBytes(b, d.MayAct)
	b = putHash(b, &d.Subject)
	return putHash(b, &d.ActorToken)
}

func (t grantText) decode(userKey storage.Hash) storage.Grant {
	r := reader{string(t)}
	return r.grant(userKey)
}

func (r *reader) grant(userKey storage.Hash) storage.Grant {
	g := storage.Grant{UserKey: userKey}
	g.ExpiresAt = r.time()
	flags := r.take(1)[0]
	g.LoginOnly, g.Pseudonymous = flags&flagLoginOnly != 0, flags&flagPseudonymous != 0
	created := r.int()
	g.CreatedAt, g.AuthTime = record.Time(created), r.timeFrom(created)
	g.ID = r.string()
	g.ClientID, g.Customer = r.symbol(), r.symbol()
	g.SessionID = r.random()
	g.Identity = r.bytes()
	g.SID = r.random()
	g.Scopes = r.symbols()
	g.ACR = r.symbol()
	g.AMR = r.symbols()
	g.Locale = r.symbol()
	if flags&flagExtras != 0 {
		g.Subject, g.Resources = r.string(), r.strings()
		g.UserAgent = r.string()
		g.Confirmation = storage.Confirmation{Key: r.random(), Certificate: r.random()}
		g.AuthorizationDetails = r.bytes()
		g.Claims = r.bytes()
		g.Delegation = storage.Delegation{Consumer: r.string(), Supplier: r.string(), Source: r.symbol()}
		g.Delegation.Actor, g.Delegation.MayAct = r.bytes(), r.bytes()
		g.Delegation.Subject, g.Delegation.ActorToken = r.optionalHash(), r.optionalHash()
	}
	return g
}

// codeText is an encoded outcome without its consents: the hash of the code, its end, the end of recognition, RequestID, the grant, the
// rest of the code. A denial has zeros for the code, and ends after RequestID. If another grant was redeemed, it is before that of the
// code.
type codeText string

const codeRequestAt = 48

func (t codeText) hash() string      { return string(t[:32]) }
func (t codeText) end() int64        { return intAt(string(t), 32) }
func (t codeText) retained() int64   { return max(intAt(string(t), 40), t.end()) }
func (t codeText) requestID() string { return (&reader{string(t[codeRequestAt:])}).random() }

// grant returns the grant as it was redeemed, or as it was created, and what follows it.
func (t codeText) grant() grantText {
	r := reader{string(t[codeRequestAt:])}
	r.skipRandom() // RequestID
	return grantText(r.rest)
}

// redeemed returns the text with the grant that was redeemed.
func (t codeText) redeemed(g grantText) codeText {
	created := t.grant()
	if g.begins(created) {
		return t
	}
	var room scratch
	b := append(room[:0], t[:len(t)-len(created)]...)
	flags := len(b) + grantFlagsAt
	b = append(b, g...)
	b[flags] |= flagReplaces
	return codeText(append(b, created...))
}

func encodeOutcome(o *storage.Outcome) codeText {
	c := o.Code
	if c == nil {
		c = &storage.AuthorizationCode{}
	}
	var room scratch
	b := append(room[:0], c.Hash[:]...)
	b = putTime(b, c.ExpiresAt)
	b = putTime(b, o.RetainTo)
	b = putRandom(b, o.RequestID)
	if o.Code == nil {
		return codeText(b)
	}
	flags := len(b) + grantFlagsAt
	b = putGrant(b, &c.Grant)
	b = putRedirectURI(b, c.RedirectURI)
	b = putRandom(b, c.CodeChallenge)
	b = putRandom(b, c.Nonce)
	if c.DPoPKey != "" {
		b[flags] |= flagDPoPKey
		b = putRandom(b, c.DPoPKey)
	}
	return codeText(b)
}

// putRedirectURI writes a registered URI as a symbol, and one with http as a text: a native client chooses the port of a loopback
// address.
func putRedirectURI(b []byte, uri string) []byte {
	if strings.HasPrefix(uri, "http:") {
		return putText(b, uri)
	}
	return putSymbol(b, uri)
}

func (t codeText) decode(userKey storage.Hash) storage.AuthorizationCode {
	r := reader{string(t)}
	c := storage.AuthorizationCode{Hash: r.hash(), ExpiresAt: r.time()}
	r = reader{string(t.grant())}
	if r.rest[grantFlagsAt]&flagReplaces != 0 {
		r.grant(userKey)
	}
	dpopBound := grantText(r.rest).hasDPoPKey()
	c.Grant = r.grant(userKey)
	c.RedirectURI = r.symbol()
	c.CodeChallenge, c.Nonce = r.random(), r.random()
	if dpopBound {
		c.DPoPKey = r.random()
	}
	return c
}

// Flags of an access token.
const (
	flagOpaque = 1 << iota
	flagBound  // has a Confirmation
)

// accessText is an encoded access token without its GrantID: hash, end, the rest.
type accessText string

func (t accessText) hash() string { return string(t[:32]) }
func (t accessText) end() int64   { return intAt(string(t), 32) }

func encodeAccess(a *storage.AccessToken) accessText {
	var room scratch
	b := append(room[:0], a.Hash[:]...)
	b = putTime(b, a.ExpiresAt)
	b = putTime(b, a.IssuedAt)
	var flags byte
	if a.Opaque {
		flags |= flagOpaque
	}
	if a.Confirmation != (storage.Confirmation{}) {
		flags |= flagBound
	}
	b = append(b, flags)
	b = putString(b, a.JTI)
	b = putSymbols(b, a.Scopes)
	b = putStrings(b, a.Audience)
	b = putSymbol(b, a.ClientAMR)
	b = putBytes(b, a.AuthorizationDetails)
	if flags&flagBound != 0 {
		b = putRandom(b, a.Confirmation.Key)
		b = putRandom(b, a.Confirmation.Certificate)
	}
	return accessText(b)
}

func (t accessText) decode(grantID string) storage.AccessToken {
	r := reader{string(t)}
	a := storage.AccessToken{GrantID: grantID, Hash: r.hash(), ExpiresAt: r.time(), IssuedAt: r.time()}
	flags := r.take(1)[0]
	a.Opaque = flags&flagOpaque != 0
	a.JTI, a.Scopes, a.Audience, a.ClientAMR = r.string(), r.symbols(), r.strings(), r.symbol()
	a.AuthorizationDetails = r.bytes()
	if flags&flagBound != 0 {
		a.Confirmation = storage.Confirmation{Key: r.random(), Certificate: r.random()}
	}
	return a
}
