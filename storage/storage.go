// Package storage holds the records a provider keeps and the verdicts its stores
// give. It has no logic and no interfaces: those stand beside their consumers
// ([github.com/portner-go/portner/token], [github.com/portner-go/portner/authorize],
// [github.com/portner-go/portner/session], [github.com/portner-go/portner/client]).
//
// The contract every store keeps, and [github.com/portner-go/portner/storage/storagetest]
// checks:
//
//   - One atomic verb per state change. A verb either does all of what its comment says
//     or nothing, and its error is the verdict.
//   - The caller's now decides. A record is valid iff now.Before(record.ExpiresAt); a
//     store's own clock may only collect garbage. An expired record is ErrNotFound.
//   - Creation never overwrites: a key that exists is ErrConflict and nothing changes.
//   - Bearer values are keys of type Hash. A store never sees a code, token or cookie,
//     nor a national identity number (Grant.Identity and Session.Identity are sealed).
//   - Records go in and come out as copies; nobody shares memory with the store. Times keep
//     their instant to the nanosecond (between the years 1678 and 2261) and the zero time stays
//     zero; the zone may change, and nil and empty slices may turn into each other.
//   - A context that is done before a verb starts changes nothing. Later the verb does all or
//     nothing: with nil it did all, with an error of the context nobody knows which.
//   - A full store answers ErrFull and never evicts live security state.
//
// Stores may wrap these errors; callers use errors.Is.
package storage

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner"
)

// The verdicts of a store. Any other error is a fault of the store itself.
var (
	// ErrNotFound: unknown, expired or collected. The three are not told apart.
	ErrNotFound = errors.New("storage: not found")
	// ErrConsumed: the single-use record was used before. Lookups return the record with it.
	ErrConsumed = errors.New("storage: already consumed")
	// ErrRevoked: the grant the record belongs to was revoked.
	ErrRevoked = errors.New("storage: grant revoked")
	// ErrConflict: the key exists, or the record changed since it was read.
	ErrConflict = errors.New("storage: conflict")
	// ErrFull: a cap is reached. Try again later.
	ErrFull = fmt.Errorf("storage: full: %w", portner.ErrUnavailable)
)

// Hash is the SHA-256 of a bearer value (R4: bearer values are hashed at rest).
type Hash [sha256.Size]byte

// HashOf returns the key under which a bearer value is stored.
func HashOf(value string) Hash {
	var room [64]byte // codes, cookies and opaque tokens fit, and need no copy on the heap
	return sha256.Sum256(append(room[:0], value...))
}

// Session is one browser's SSO session.
type Session struct {
	Hash    Hash   // of the cookie value; changes when the session is rotated
	ID      string // random, stable over rotation, internal: it never leaves the provider
	Version int64  // counted up by ReplaceSession

	UserKey  Hash   // keyed hash of the person, for caps and lookups
	Identity []byte // sealed; who the person is

	StartedAt     time.Time // first authentication; the maximum lifetime counts from here
	LastRequestAt time.Time // last successful authorization request; idleness counts from here
	ExpiresAt     time.Time // the earlier of both limits

	Circles []Circle        // authentications, one per circle of trust
	Clients []SessionClient // relying parties that got a login, in the order of first login
}

// Circle is the authentication that holds for one circle of trust: the common one, or
// that of a single isolated client.
type Circle struct {
	Name     string    // "" is the common circle; an isolated client's is its client_id
	ACR      string    // the level achieved
	AMR      []string  // the methods used
	AuthTime time.Time // when; SSO never moves it
}

// SessionClient is one relying party the session logged in to.
type SessionClient struct {
	ClientID string    // the relying party
	SID      string    // the "sid" this client knows the session by; random per client and session
	LoginAt  time.Time // its first login in the session
}

// Grant is one authorization: a person (or machine) gave a client some scopes until a time.
// All tokens belong to one grant and die with it.
type Grant struct {
	ID       string // random, 128 bit or more; safe to log
	ClientID string // who may use it

	UserKey  Hash   // keyed hash of the person; zero for machine grants
	Identity []byte // sealed with the grant's ID as associated data; nil for machine grants

	SessionID string // Session.ID it was given in; "" outside a session
	SID       string // what the client knows the session by; "" if it does not take part in logout
	LoginOnly bool   // only openid and profile: dies at logout

	Scopes       []string // granted, in the order requested
	Resources    []string // granted audiences (RFC 8707)
	Pseudonymous bool     // sticky: no identifying claim ever leaves through this grant

	ACR      string    // the level of the authentication it rests on
	AMR      []string  // its methods
	AuthTime time.Time // its time
	Locale   string    // the language the person saw

	OnBehalfOf string // pre-registered sub-client value
	UserAgent  string // the browser it was given in, shortened; "" unless the host keeps it
	// Delegation is who acts for whom, where the client's registration alone does not say it.
	Delegation           Delegation
	AuthorizationDetails []byte // RFC 9396, granted; sealed as Identity is, for they may name people; nil if none

	CreatedAt time.Time // when the person authorized it
	ExpiresAt time.Time // absolute end; rotation never extends it
}

// Delegation is who acts for whom in a grant of machines, or in one that came from a token exchange. It
// is zero in other grants.
type Delegation struct {
	Consumer string // number of the organisation the grant is for; "" is the client's own
	Supplier string // number of the organisation that acts for it; "" is the registration's
	Source   string // who knows of the delegation (delegation_source); "" if nobody was asked
	Actor    []byte // RFC 8693 section 4.1: the claim "act" as JSON; nil if nobody acts
	MayAct   []byte // RFC 8693 section 4.4: the claim "may_act" as JSON; nil if nobody is named
	// Subject is the access token that was exchanged for the grant, which ends with that token's grant;
	// zero if there was none, or it was another issuer's.
	Subject Hash
}

// AuthorizationCode is a code and the grant it stands for. The grant becomes live when the
// code is redeemed.
type AuthorizationCode struct {
	Hash      Hash   // of the code
	RequestID string // one code per authorization request: a second one is ErrConflict
	Grant     Grant  // Grant.ID is unique among all codes and grants

	RedirectURI   string // where the code went; the token request repeats it
	CodeChallenge string // S256; "" only for clients that opted out of PKCE
	Nonce         string // for the id_token; "" if the request had none
	AuthTimeAsked bool   // max_age was sent or auth_time requested: id_token must carry auth_time

	ExpiresAt   time.Time // redeemable until here
	RetainUntil time.Time // a used code and every RequestID stay recognisable until here
}

// AccessToken is what the provider remembers of an access token, opaque or not.
type AccessToken struct {
	Hash      Hash     // of the whole token text
	GrantID   string   // the grant it dies with
	JTI       string   // the "jti" of a JWT, and of introspection
	Opaque    bool     // a random string instead of a JWT
	Scopes    []string // of this token; never more than the grant's
	Audience  []string // the "aud"; nil if nobody asked
	ClientAMR string   // how the client authenticated when it got the token
	// AuthorizationDetails are those of this token, sealed as the grant's are; nil if none.
	AuthorizationDetails []byte
	IssuedAt             time.Time // the "iat"
	ExpiresAt            time.Time // the "exp"
}

// RefreshToken is one generation of a grant's refresh token.
type RefreshToken struct {
	Hash       Hash      // of the token
	GrantID    string    // the grant it dies with
	Generation int       // 0 for the one issued with the code; order never depends on time
	ExpiresAt  time.Time // idle end, restarted with each generation
	// ConsumedAt is set by the store when a successor replaced the token; the record then
	// stays recognisable until the grant ends.
	ConsumedAt time.Time
	// Latest is set by the store on a token that comes with ErrConsumed: the generation of the newest
	// token of its family. One more than Generation says that the successor has not been used.
	Latest int
}

// Issue is what one successful token request adds to the store, all in one step. The GrantID of
// both tokens is Grant.ID.
type Issue struct {
	Grant   Grant         // inserted when a code is redeemed
	Access  AccessToken   // inserted always
	Refresh *RefreshToken // nil if the client gets none
}

// PushedRequest is a pushed authorization request (RFC 9126).
type PushedRequest struct {
	Hash      Hash      // of the request_uri
	ClientID  string    // who pushed it, and alone may use it
	Params    []byte    // the request's parameters without client credentials, sealed
	ExpiresAt time.Time // usable until here
}

// Consent is a person's remembered yes to one scope of one client.
type Consent struct {
	UserKey   Hash      // keyed hash of the person
	ClientID  string    // to whom
	Scope     string    // to what
	GrantedAt time.Time // when
	ExpiresAt time.Time // remembered until here
}

// Login is one entry of a person's login history.
type Login struct {
	UserKey   Hash      // keyed hash of the person
	ClientID  string    // who the person logged in to
	Orgno     string    // the client's organisation
	Service   string    // the client's name, or its customer's
	Method    string    // how: the first method used, or Federated under single sign-on
	Hidden    bool      // the client was not told who the person is, and must not learn it here
	At        time.Time // when
	ExpiresAt time.Time // remembered until here
}
