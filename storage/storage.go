// Package storage defines the records that a provider keeps and the errors with which its stores report a verdict.
// It has no interface: [github.com/portner-go/portner/provider.Store] describes the twelve methods of a store,
// [github.com/portner-go/portner/storage/memory] implements them in process, and
// [github.com/portner-go/portner/storage/storagetest] checks an implementation.
//
// Rules for every method of every store:
//
//   - A method is atomic. It does everything that its comment says and returns nil, or it changes nothing and returns
//     an error.
//   - The caller's now decides. A record is live if now is before its ExpiresAt; an expired record is ErrNotFound.
//     The clock of the store may decide only when garbage is collected.
//   - Inserting never overwrites. If a key exists, the method returns ErrConflict.
//   - Bearer values are stored as a [Hash]. A store never receives a code, token or cookie value, and it receives
//     identities and authorization details only sealed.
//   - Records are copied in both directions. Instants keep nanoseconds between the years 1678 and 2261, and the zero
//     time stays zero. Time zones may change, and nil and empty slices are equal.
//   - Keys are compared byte by byte, without a collation.
//   - If the context is done before a method starts, nothing changes. If it ends while a method runs, an error leaves
//     open whether the change was made as a whole or not at all.
//   - A full store returns ErrFull. It never evicts live records. A store with bounds divides them between users, clients
//     and sources of pushed requests, so that none of them uses up what others need.
//
// Stores may wrap these errors; callers use errors.Is.
package storage

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
)

// Verdicts of a store. Every other error is a fault of the store.
var (
	// ErrNotFound reports that a record is unknown, expired or collected.
	ErrNotFound = errors.New("storage: not found")
	// ErrConsumed reports that a single-use record was used. Lookups return the record with it.
	ErrConsumed = errors.New("storage: already consumed")
	// ErrRevoked reports that the grant was revoked, or that there is no such live session of the user.
	ErrRevoked = errors.New("storage: revoked")
	// ErrConflict reports that a key exists, or that a record changed after it was read.
	ErrConflict = errors.New("storage: conflict")
	// ErrFull reports that a bound of the store is reached. It wraps portner.ErrUnavailable.
	ErrFull = fmt.Errorf("storage: full: %w", portner.ErrUnavailable)
)

// MaxPage is the largest number of records that a method returns in one page.
const MaxPage = 1000

// Hash is the SHA-256 of a bearer value, or a keyed hash of a user.
type Hash [sha256.Size]byte

// HashOf returns the key under which a bearer value is stored.
func HashOf(value string) Hash {
	if len(value) > 64 {
		return hashOfLong(value)
	}
	var room [64]byte // codes, cookies and opaque tokens fit, so the conversion does not allocate
	return sha256.Sum256(append(room[:0], value...))
}

// hashOfLong is HashOf for JWTs. Longer values are converted on the heap.
func hashOfLong(value string) Hash {
	var room [2048]byte
	return sha256.Sum256(append(room[:0], value...))
}

// Session is the SSO session of one browser.
type Session struct {
	Hash    Hash   // of the cookie value; rotation changes it
	ID      string // internal; rotation does not change it
	Version int64  // incremented by each replacement and each visit

	UserKey Hash // keyed hash of the user

	StartedAt     time.Time // first authentication; the maximum lifetime counts from here
	LastRequestAt time.Time // last authorization request; the idle lifetime counts from here
	ExpiresAt     time.Time // end of the maximum lifetime, or of the last login-only grant if that is later

	Circles []Circle        // authentications, one for each circle
	Clients []SessionClient // clients that received a login, in the order of their first login
}

// Circle is the authentication that is valid for one circle of clients. A client receives the level and the identity of its own
// circle: two circles of a session may have been proved by different logins of the same user.
type Circle struct {
	Name     string    // "" is the common circle; the circle of an isolated client is its client_id
	Identity []byte    // as of this authentication, sealed with Session.ID and Name as associated data
	ACR      string    // level achieved
	AMR      []string  // methods used
	AuthTime time.Time // time of the authentication
}

// SessionClient is a client that received a login of the session.
type SessionClient struct {
	ClientID string    // of the client
	SID      string    // claim "sid" for this client
	LoginAt  time.Time // first login of the client in this session
	Open     bool      // every login of the client in this session disclosed who the user is: logout may name the user
}

// Grant is what a user or an organisation authorized a client to do. Tokens belong to one grant and end with it.
type Grant struct {
	ID       string // unique among codes and grants; safe to log
	ClientID string // the client that was authorized

	UserKey  Hash   // keyed hash of the user; zero for machine grants
	Identity []byte // sealed with ID as associated data; nil for machine grants
	Subject  string // claim "sub" of a machine grant; "" for none, and for grants of users
	Customer string // client.Client.Party: the organisation of the client, and the customer that it acts for (onbehalfof)

	SessionID string // Session.ID of a live session of the same user when the record is inserted; "" outside a session
	SID       string // claim "sid"; "" if the client takes no part in logout
	LoginOnly bool   // has no scope but openid and profile, and ends with the session

	Scopes       []string // granted, in the order requested
	Resources    []string // audiences granted (RFC 8707)
	Pseudonymous bool     // no token of the grant identifies the user

	ACR      string    // level of the authentication
	AMR      []string  // methods of the authentication
	AuthTime time.Time // time of the authentication
	Locale   string    // language of the pages

	UserAgent            string     // browser of the user, shortened; "" unless the provider keeps it
	Delegation           Delegation // organisations and actors of machine grants and exchanged grants
	AuthorizationDetails []byte     // granted (RFC 9396), sealed with ID as associated data; nil if none
	Claims               []byte     // names of the requested claims (OIDC Core §5.5), as JSON; nil if none
	// Confirmation is what the refresh tokens of a public client are bound to (RFC 9449 §5, RFC 8705 §4). Those of other clients are
	// bound to the authentication of the client.
	Confirmation Confirmation

	CreatedAt time.Time // time of the authorization
	ExpiresAt time.Time // absolute end; rotation does not change it
}

// Confirmation is what a token is bound to (RFC 7800): the sender proves that it has the key or the certificate. It is zero for bearer
// tokens. With both fields the sender proves both.
type Confirmation struct {
	Key         string // jkt: thumbprint of a DPoP key (RFC 9449 §6.1)
	Certificate string // x5t#S256: thumbprint of a TLS client certificate (RFC 8705 §3.1)
}

// Delegation says who acts for whom in a machine grant or an exchanged grant. It is zero in other grants.
type Delegation struct {
	Consumer string // organisation number of the consumer; "" is the client's organisation
	Supplier string // organisation number of the supplier; "" is the one of the registration
	Source   string // claim "delegation_source"; "" if no source was consulted
	Actor    []byte // claim "act" as JSON (RFC 8693 §4.1); nil if none
	MayAct   []byte // claim "may_act" as JSON (RFC 8693 §4.4); nil if none
	// Subject is the access token that was exchanged for the grant. The grant ends with the grant of that token.
	// It is zero if no token was exchanged, or if another issuer made it.
	Subject Hash
	// ActorToken is the access token of this provider that was the actor token of the exchange (RFC 8693 §2.1). The grant ends with the
	// grant of that token, too. It is zero if there was none.
	ActorToken Hash
}

// AuthorizationCode is a code and the grant that becomes live when the code is redeemed.
type AuthorizationCode struct {
	Hash  Hash  // of the code
	Grant Grant // as it was authorized

	RedirectURI   string // the token request repeats it
	CodeChallenge string // method S256; "" only for clients that do not use PKCE
	Nonce         string // claim "nonce"; "" if the request had none
	DPoPKey       string // dpop_jkt: thumbprint of the key that the token request proves (RFC 9449 §10); "" for none

	ExpiresAt time.Time // end of redemption
}

// AccessToken is the record of an access token, opaque or self-contained.
type AccessToken struct {
	Hash                 Hash         // of the whole token
	GrantID              string       // ID of its grant
	JTI                  string       // claim "jti"
	Opaque               bool         // a random value instead of a JWT
	Scopes               []string     // a subset of those of the grant
	Audience             []string     // claim "aud"; nil if none
	ClientAMR            string       // how the client authenticated when it received the token
	AuthorizationDetails []byte       // of this token, sealed as those of the grant; nil if none
	Confirmation         Confirmation // claim "cnf"
	IssuedAt             time.Time    // claim "iat"
	ExpiresAt            time.Time    // claim "exp"
}

// RefreshToken is one generation of the refresh token of a grant. The store sets ConsumedAt, Successor and
// SuccessorUsed.
type RefreshToken struct {
	Hash       Hash      // of the token
	GrantID    string    // ID of its grant
	Generation int       // 0 for the token that was issued with the code
	ExpiresAt  time.Time // end of the idle lifetime, which restarts with each generation

	ConsumedAt    time.Time // when it was rotated; zero if it was not. The record is kept until the grant expires
	Successor     Hash      // the token that replaced it; zero if it was not rotated, or rotated without a successor
	SuccessorUsed bool      // reports that the successor was rotated or renewed
}

// Issuance is what one token request inserts, in one step. Grant.ID is the GrantID of both tokens.
type Issuance struct {
	Grant   Grant         // inserted when a code is redeemed, or by a grant handler without a code
	Access  AccessToken   // always inserted
	Refresh *RefreshToken // nil if the client gets none
}

// Outcome is the end of one authorization request: a code or a denial, and what the user answered.
type Outcome struct {
	RequestID string             // one outcome per request
	Code      *AuthorizationCode // nil if the request was denied
	Consents  ConsentKey         // whose consents Granted and Declined are
	Granted   []Consent          // remembered; see provider.Store for two consents for one scope
	Declined  []string           // scopes whose remembered consent ends
	RetainTo  time.Time          // RequestID, and the code if it was consumed, are recognised until then
	Visit     *Visit             // what the request changes in the session of the code; nil changes nothing
}

// Visit is what an authorization request that a session answered changes in the session.
type Visit struct {
	Session Hash          // Session.Hash when the request read the session; rotation may have changed it since
	At      time.Time     // of the request: LastRequestAt is not earlier afterwards
	Until   time.Time     // ExpiresAt is not earlier afterwards; zero changes nothing
	Client  SessionClient // added, unless Clients has one with its ClientID: that one loses Open unless Client.Open
}

// Apply changes s. The fields only grow, so visits may be applied in any order, and twice. The version changes with each visit, so that
// a replacement that read the session before is rejected.
func (v *Visit) Apply(s *Session) {
	s.Version++
	if s.LastRequestAt.Before(v.At) {
		s.LastRequestAt = v.At
	}
	if s.ExpiresAt.Before(v.Until) {
		s.ExpiresAt = v.Until
	}
	for i := range s.Clients {
		if s.Clients[i].ClientID != v.Client.ClientID {
			continue
		}
		if s.Clients[i].Open && !v.Client.Open {
			s.Clients = slices.Clone(s.Clients)
			s.Clients[i].Open = false
		}
		return
	}
	s.Clients = append(s.Clients[:len(s.Clients):len(s.Clients)], v.Client)
}

// ConsentKey identifies the consents of one user to one client for one customer.
type ConsentKey struct {
	UserKey  Hash   // Grant.UserKey
	ClientID string // Grant.ClientID
	Customer string // Grant.Customer
}

// Consent is the remembered answer of a user for one scope.
type Consent struct {
	Scope     string    // name of the scope
	Version   string    // version of the text that the user saw; "" if the scope has none
	GrantedAt time.Time // when the user answered first; an answer that renews a live consent does not change it
	ExpiresAt time.Time // end of the consent
}

// Revocation names what ends. Exactly one field is set.
type Revocation struct {
	GrantID       string     // this grant and its tokens
	Authorization ConsentKey // every grant, token and consent of a user at a client for a customer
}

// Validate reports whether exactly one field is set. An Authorization needs a user and a client.
func (r Revocation) Validate() error {
	switch a := r.Authorization; {
	case r.GrantID != "" && a == ConsentKey{}:
		return nil
	case r.GrantID == "" && a.UserKey != Hash{} && a.ClientID != "":
		return nil
	}
	return errors.New("storage: revocation: set GrantID, or Authorization with UserKey and ClientID")
}

// GrantQuery selects grants of a user: the one with an ID, or a page of all.
type GrantQuery struct {
	UserKey Hash   // keyed hash of the user
	ID      string // the grant with this ID alone
	After   string // of a page: it begins after the grant with this ID; "" begins with the newest
	Limit   int    // of a page: the largest number of grants, 1 to MaxPage
}

// Validate reports whether the query has an ID, and then neither After nor Limit, or a Limit from 1 to MaxPage.
func (q GrantQuery) Validate() error {
	switch {
	case q.ID != "" && (q.After != "" || q.Limit != 0):
		return errors.New("storage: grant query: ID excludes After and Limit")
	case q.ID == "" && (q.Limit < 1 || q.Limit > MaxPage):
		return fmt.Errorf("storage: grant query: Limit %d is not from 1 to %d", q.Limit, MaxPage)
	}
	return nil
}

// PushedRequest is a pushed authorization request (RFC 9126).
type PushedRequest struct {
	Hash      Hash      // of the request_uri
	ClientID  string    // the client that pushed it
	Source    string    // ClientID if the client authenticated, otherwise ClientID and the address of the caller; bounds count by it
	Params    []byte    // parameters of the request without client credentials, sealed
	ExpiresAt time.Time // end of use
}

// Login is one entry of the login history of a user.
type Login struct {
	ID        string    // of the grant that the login led to; one entry for each
	UserKey   Hash      // keyed hash of the user
	ClientID  string    // the client
	Orgno     string    // organisation number of the client
	Service   string    // name of the client or of its customer
	Method    string    // first method of the authentication, or "Federated" if an existing session was used
	Withheld  bool      // the client did not learn the identity of the user: its organisation may not see the entry
	At        time.Time // time of the login
	ExpiresAt time.Time // end of the entry
}

// SigningKey is a signing key of a provider that nodes share. A record is inserted once. It loses its Key when the key is deleted, and
// keeps the other fields, so that a number and a key are never used again.
type SigningKey struct {
	Set        string    // name of the key set: one store may hold those of several providers
	Number     int64     // 1 for the first key of the set. Each successor has the next one, so that one node inserts it
	KID        string    // RFC 7638 thumbprint of the public key
	Alg        string    // signature algorithm
	Key        []byte    // private key, sealed with the other fields as associated data; empty if it was deleted
	CreatedAt  time.Time // when it was made; it is published from then on
	ActiveFrom time.Time // when it begins to sign; zero for a key that signs from the start
}
