package session

import (
	"encoding/base64"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Vault keeps persons out of stores: it seals identities for the records that carry them and derives
// the keys persons are found by (security row J1). Everything that reads or writes a Session or a
// Grant of one provider needs a vault of the same secrets.
type Vault struct {
	box     *seal.Box
	details *seal.Box
	users   *seal.KeyedHash
	sids    *seal.KeyedHash
}

// NewVault takes secrets of 32 bytes or more. The first one seals and all of them open, so a new
// secret is put in front while records of the old one live. Keys of persons come from the last one:
// they stay the same until it is dropped, and remembered consents are then asked for again.
func NewVault(secrets ...portner.Secret) (*Vault, error) {
	box, err := seal.New("identity", secrets...)
	if err != nil {
		return nil, fmt.Errorf("session: vault: %w", err)
	}
	details, err := seal.New("authorization details", secrets...)
	if err != nil {
		return nil, fmt.Errorf("session: vault: %w", err)
	}
	oldest := secrets[len(secrets)-1]
	users, err := seal.NewKeyedHash("user", oldest)
	if err != nil {
		return nil, fmt.Errorf("session: vault: %w", err)
	}
	sids, err := seal.NewKeyedHash("sid", oldest)
	if err != nil {
		return nil, fmt.Errorf("session: vault: %w", err)
	}
	return &Vault{box: box, details: details, users: users, sids: sids}, nil
}

// Seal encrypts an identity for the record whose ID is recordID (Session.ID or Grant.ID). Sealed
// for one record it does not open in another.
func (v *Vault) Seal(id Identity, recordID string) []byte {
	return v.box.Seal(id.encode(), recordID)
}

// Open reverses Seal. It fails for another record's identity and for secrets that are gone.
func (v *Vault) Open(sealed []byte, recordID string) (Identity, error) {
	plain, err := v.box.Open(sealed, recordID)
	if err != nil {
		return Identity{}, fmt.Errorf("session: identity: %w", err)
	}
	var id Identity
	if err := id.UnmarshalBinary(plain); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// SealDetails encrypts authorization_details for the grant they belong to: some name people by their
// numbers (idporten section 18.4). None stay none.
func (v *Vault) SealDetails(details []byte, grantID string) []byte {
	if len(details) == 0 {
		return nil
	}
	return v.details.Seal(details, grantID)
}

// OpenDetails reverses SealDetails.
func (v *Vault) OpenDetails(sealed []byte, grantID string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := v.details.Open(sealed, grantID)
	if err != nil {
		return nil, fmt.Errorf("session: authorization details: %w", err)
	}
	return plain, nil
}

// UserKey is the key of a person (Identity.Subject) in stores. Without the secret it neither tells
// the subject nor can be made from it.
func (v *Vault) UserKey(subject string) storage.Hash { return v.users.Of(subject) }

// sid is what a client knows a session by: random to everybody outside, different for each client
// and session (security row G15), and the same however often and wherever it is asked for, so that
// it can stand in a code before the session record names the client.
func (v *Vault) sid(sessionID, clientID string) string {
	h := v.sids.Of(sessionID + "\x00" + clientID)
	return base64.RawURLEncoding.EncodeToString(h[:])
}
