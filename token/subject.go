package token

import (
	"cmp"
	"errors"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
)

// Subject returns the sub of a user in the documents for a client, or "" for the zero identity. It returns an error if the sub is
// Identity.Subject and that is not at most 255 printable ASCII characters, is the client_id of the client, or has the form of a pairwise
// subject.
//
// A client with the subject type public receives Identity.Subject, and every other client a pairwise subject of its sector (OIDC
// Core §8). If the registration has no subject type, Config.SubjectType applies. A pseudonymous document has a pairwise subject at
// every client, and never that of an open document: see [pseudonym.Pairwise].
func (e *Endpoint) Subject(c *client.Client, id *session.Identity, pseudonymous bool) (string, error) {
	return e.cfg.subject(c, id, pseudonymous)
}

func (c *Config) subject(of *client.Client, id *session.Identity, pseudonymous bool) (string, error) {
	if !pseudonymous && c.hasPublicSubjects(of) {
		return id.Subject, checkPublicSubject(id.Subject, of)
	}
	identifier := id.PairwiseIdentifier()
	if identifier.IsZero() {
		return "", nil
	}
	protection := pseudonym.Open
	if pseudonymous {
		protection = pseudonym.Pseudonymous
	}
	return c.Pairwise.Subject(protection, of.Sector(), identifier)
}

func (c *Config) hasPublicSubjects(of *client.Client) bool {
	return cmp.Or(of.SubjectType, c.SubjectType) == client.Public
}

// maxSubject is the largest length of a subject in ASCII characters (OIDC Core §2).
const maxSubject = 255

var (
	errSubject       = errors.New("token: a public subject must be at most 255 printable ASCII characters")
	errClientSubject = errors.New("token: a public subject must not be the client_id of the client")
	errPairwiseForm  = errors.New("token: a public subject must not have the form of a pairwise subject")
)

// checkPublicSubject checks the public subject of a user at a client. Users may choose their subject at some hosts: one that is the
// client_id would turn the tokens of the user into tokens of the client itself (RFC 9068 §5), and one that is a pairwise subject would
// make the user another user of the client.
func checkPublicSubject(s string, of *client.Client) error {
	if len(s) > maxSubject {
		return errSubject
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return errSubject
		}
	}
	switch {
	case s != "" && s == of.ClientID:
		return errClientSubject
	case pseudonym.IsSubject(s):
		return errPairwiseForm
	}
	return nil
}
