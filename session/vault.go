package session

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Vault encrypts the identities in the records of stores, and derives the keys under which the records of users are
// found. Every part of a provider that reads or writes a Session or a Grant needs a Vault with the same issuer and secrets.
type Vault struct {
	identities *seal.Box
	details    *seal.Box
	users      *seal.KeyedHash
	sids       *seal.KeyedHash
	handles    *seal.KeyedHash
	positions  *seal.Box
	successors *seal.Tokens
	cookies    *seal.Tokens
}

// NewVault returns the Vault of an issuer. A Vault of another issuer with the same secrets opens none of its records and derives other
// keys and tokens. The first secret encrypts and every secret decrypts: to rotate, put a new secret first and keep the old
// ones while there are records that they encrypted. User keys, sids and handles of grants derive from the last secret. If the last
// secret is removed, they change, and sessions, grants and consents of users are no longer found by user. NewVault reports every
// problem at once, as the fields "Issuer" and "Secrets[1]".
func NewVault(issuer string, secrets ...portner.Secret) (*Vault, error) {
	var c fields.Checker
	c.URL("Issuer", issuer)
	c.Require(len(secrets) > 0, "Secrets")
	for i, s := range secrets {
		c.Secret(fmt.Sprintf("Secrets[%d]", i), s)
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	keys, err := seal.NewKeys(issuer, secrets...)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Vault{
		identities: keys.Box("identity"), details: keys.Box("authorization details"),
		users: keys.KeyedHash("user"), sids: keys.KeyedHash("sid"), handles: keys.KeyedHash("grant handle"),
		positions:  keys.Box("grant position"),
		successors: keys.Tokens("refresh token"), cookies: keys.Tokens("session cookie"),
	}, nil
}

// Seal encrypts an identity for the record with the given ID, such as Grant.ID. Open fails for every other record.
func (v *Vault) Seal(id Identity, recordID string) []byte {
	var room [256]byte // most identities fit, so that only the result is allocated
	return v.identities.Seal(id.appendTo(room[:0]), recordID)
}

// Open decrypts an identity. It returns an error if the identity was sealed for another record or with another secret.
func (v *Vault) Open(sealed []byte, recordID string) (Identity, error) {
	plain, err := v.identities.Open(sealed, recordID)
	if err != nil {
		return Identity{}, fmt.Errorf("session: decrypting an identity: %w", err)
	}
	return decodeIdentity(plain)
}

// sealCircle encrypts the identity of a circle of the session with the given ID.
func (v *Vault) sealCircle(id Identity, sessionID, circle string) []byte {
	return v.Seal(id, circleRecord(sessionID, circle))
}

// openCircle reverses sealCircle. The identity of another circle or session does not open.
func (v *Vault) openCircle(sessionID string, c *storage.Circle) (Identity, error) {
	return v.Open(c.Identity, circleRecord(sessionID, c.Name))
}

// circleRecord returns what the identity of a circle is bound to. The ID of a session has no NUL, and neither has that of a grant,
// so no two records have the same value.
func circleRecord(sessionID, circle string) string { return sessionID + "\x00" + circle }

// SealDetails encrypts authorization_details for the grant they belong to, because some types contain national identity
// numbers. An empty input returns nil.
func (v *Vault) SealDetails(details []byte, grantID string) []byte {
	if len(details) == 0 {
		return nil
	}
	return v.details.Seal(details, grantID)
}

// OpenDetails decrypts authorization_details. An empty input returns nil.
func (v *Vault) OpenDetails(sealed []byte, grantID string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := v.details.Open(sealed, grantID)
	if err != nil {
		return nil, fmt.Errorf("session: decrypting authorization_details: %w", err)
	}
	return plain, nil
}

// UserKey returns the key under which stores keep the records of the user with a subject (Identity.Subject). Without the secret,
// neither of key and subject can be computed from the other.
func (v *Vault) UserKey(subject string) storage.Hash { return v.users.Of(subject) }

// sid returns the "sid" of a session for a client. It is derived, so that a code can hold it before the session has the client.
func (v *Vault) sid(sessionID, clientID string) string {
	return seal.Text(v.sids.Of(sessionID + "\x00" + clientID))
}

// GrantHandle returns an identifier of a grant from which OpenGrantHandle computes the key of its user without a look-up. A handle
// discloses only grantID: the key of the user is masked, with a different mask for each grant.
func (v *Vault) GrantHandle(userKey storage.Hash, grantID string) string {
	return grantID + "." + seal.Text(v.mask(userKey, grantID))
}

// OpenGrantHandle reverses GrantHandle. It does not authenticate the handle: the caller must find the grant among those
// of the user.
func (v *Vault) OpenGrantHandle(handle string) (userKey storage.Hash, grantID string, ok bool) {
	i := strings.LastIndexByte(handle, '.')
	if i < 0 {
		return storage.Hash{}, "", false
	}
	masked, err := base64.RawURLEncoding.Strict().DecodeString(handle[i+1:])
	if err != nil || len(masked) != len(userKey) {
		return storage.Hash{}, "", false
	}
	return v.mask(storage.Hash(masked), handle[:i]), handle[:i], true
}

func (v *Vault) mask(userKey storage.Hash, grantID string) storage.Hash {
	mask := v.handles.Of(grantID)
	for i := range mask {
		mask[i] ^= userKey[i]
	}
	return mask
}

// GrantPosition returns a position in the list of the grants of a user: after the grant with an ID. It discloses nothing of the grant,
// and each call returns another value: a position can be given to a caller that may not see the grant.
func (v *Vault) GrantPosition(userKey storage.Hash, grantID string) string {
	return base64.RawURLEncoding.EncodeToString(v.positions.Seal([]byte(grantID), string(userKey[:])))
}

// OpenGrantPosition reverses GrantPosition. ok is false for a position in the list of another user.
func (v *Vault) OpenGrantPosition(userKey storage.Hash, position string) (grantID string, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(position)
	if err != nil {
		return "", false
	}
	id, err := v.positions.Open(sealed, string(userKey[:]))
	return string(id), err == nil && len(id) > 0
}

// Successor returns the refresh token that replaces a refresh token. It is derived, so that a retry returns the same one.
func (v *Vault) Successor(refreshToken string) string { return v.successors.Derive(0, refreshToken) }

// FindSuccessor returns the successor of a refresh token if its hash is the given one. It also finds a successor that was derived
// with an earlier secret.
func (v *Vault) FindSuccessor(refreshToken string, hash storage.Hash) (successor string, ok bool) {
	for i := range v.successors.Len() {
		successor = v.successors.Derive(i, refreshToken)
		if storage.HashOf(successor) == hash {
			return successor, true
		}
	}
	return "", false
}
