package memory

import "github.com/portner-go/portner/storage"

// grantText is an encoded grant: end, flags, ID, the rest.
type grantText string

const grantIDAt = 9

const (
	flagLoginOnly = 1 << iota
	flagPseudonymous
)

func (t grantText) end() int64      { return intAt(string(t), 0) }
func (t grantText) loginOnly() bool { return t[8]&flagLoginOnly != 0 }
func (t grantText) id() string      { return (&reader{string(t[grantIDAt:])}).string() }

func encodeGrant(g *storage.Grant) grantText {
	var room scratch
	var flags byte
	if g.LoginOnly {
		flags |= flagLoginOnly
	}
	if g.Pseudonymous {
		flags |= flagPseudonymous
	}
	b := append(putTime(room[:0], g.ExpiresAt), flags)
	b = putString(b, g.ID)
	b = putTime(b, g.CreatedAt)
	b = putTime(b, g.AuthTime)
	b = append(b, g.UserKey[:]...)
	b = putString(b, g.ClientID)
	b = putBytes(b, g.Identity)
	b = putString(b, g.SessionID)
	b = putString(b, g.SID)
	b = putStrings(b, g.Scopes)
	b = putStrings(b, g.Resources)
	b = putString(b, g.ACR)
	b = putStrings(b, g.AMR)
	b = putString(b, g.Locale)
	b = putString(b, g.OnBehalfOf)
	b = putBytes(b, g.AuthorizationDetails)
	return grantText(b)
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
	g.ClientID = r.string()
	g.Identity = r.bytes()
	g.SessionID, g.SID = r.string(), r.string()
	g.Scopes, g.Resources = r.strings(), r.strings()
	g.ACR = r.string()
	g.AMR = r.strings()
	g.Locale, g.OnBehalfOf = r.string(), r.string()
	g.AuthorizationDetails = r.bytes()
	return g
}

// codeText is an encoded code without its grant: hash, end, end of memory, RequestID, the rest.
type codeText string

func (t codeText) hash() string      { return string(t[:32]) }
func (t codeText) end() int64        { return intAt(string(t), 32) }
func (t codeText) retained() int64   { return max(intAt(string(t), 40), t.end()) }
func (t codeText) requestID() string { return (&reader{string(t[48:])}).string() }

func encodeCode(c *storage.AuthorizationCode) codeText {
	var room scratch
	b := append(room[:0], c.Hash[:]...)
	b = putTime(b, c.ExpiresAt)
	b = putTime(b, c.RetainUntil)
	b = putString(b, c.RequestID)
	b = putString(b, c.RedirectURI)
	b = putString(b, c.CodeChallenge)
	b = putString(b, c.Nonce)
	b = putBool(b, c.AuthTimeAsked)
	return codeText(b)
}

func (t codeText) decode() storage.AuthorizationCode {
	r := reader{string(t)}
	return storage.AuthorizationCode{
		Hash: r.hash(), ExpiresAt: r.time(), RetainUntil: r.time(),
		RequestID: r.string(), RedirectURI: r.string(), CodeChallenge: r.string(), Nonce: r.string(),
		AuthTimeAsked: r.bool(),
	}
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
	b = putStrings(b, a.Scopes)
	b = putStrings(b, a.Audience)
	b = putString(b, a.ClientAMR)
	return accessText(b)
}

func (t accessText) decode(grantID string) storage.AccessToken {
	r := reader{string(t)}
	return storage.AccessToken{
		GrantID: grantID,
		Hash:    r.hash(), ExpiresAt: r.time(), IssuedAt: r.time(), Opaque: r.bool(),
		JTI: r.string(), Scopes: r.strings(), Audience: r.strings(), ClientAMR: r.string(),
	}
}
