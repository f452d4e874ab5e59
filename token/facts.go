package token

import (
	"encoding/json"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// facts holds the values that the documents of one grant are made from in one request. Its fields are values: a pointer would
// move the grant and the identity of the caller to the heap.
type facts struct {
	client       *client.Client
	grant        storage.Grant
	clientAMR    string
	identity     session.Identity // also in pseudonymous documents, for checkLeak
	user         User
	sub          string
	details      json.RawMessage // authorization_details of the token
	confirmation storage.Confirmation
	pseudonymous bool
	now          time.Time
}

// facts returns the facts of a grant. The caller sets clientAMR, details and confirmation, which belong to one token.
func (m *Minter) facts(c *client.Client, g *storage.Grant, id *session.Identity, u User, now time.Time) (facts, error) {
	f := facts{client: c, grant: *g, identity: *id, user: u, pseudonymous: m.pseudonymous(g), now: now}
	if g.Identity == nil { // a machine grant
		f.sub = g.Subject
		return f, nil
	}
	var err error
	f.sub, err = m.cfg.subject(c, id, f.pseudonymous)
	return f, err
}

// withhold removes the user from a document whose reader may not identify the user. Pseudonymous grants keep their sub. The documents of
// other grants have none then: the sub of a pseudonym would tell a reader who knows the user by another document, such as the token
// itself or an id_token, which pseudonym belongs to the user.
func (f *facts) withhold() {
	if !f.pseudonymous && f.grant.Identity != nil {
		f.pseudonymous, f.sub = true, ""
	}
}

// disclosedDetails returns the authorization_details for tokens and introspection. Details can name the user.
func (f *facts) disclosedDetails() json.RawMessage {
	if f.pseudonymous {
		return nil
	}
	return f.details
}

// clientDetails returns the authorization_details for the token response. The client does not see them if only introspection
// identifies the user.
func (m *Minter) clientDetails(f *facts, opaque bool) json.RawMessage {
	if len(f.details) == 0 || Protection(m.cfg.Scopes, &f.grant, opaque && f.sub != "") != pseudonym.Open {
		return nil
	}
	return f.details
}

// minSearchedSubject is the least length of a subject that checkLeak looks for: a shorter one can be a word of any document.
const minSearchedSubject = 8

// checkLeak checks the final bytes of a document. It fails closed, whichever claim contains the identifier, except in the texts that the
// client chose: they disclose nothing to it, and by a failure it would learn whether its guess of the user was right.
func (f *facts) checkLeak(final []byte) error {
	if !f.pseudonymous || !f.leaks(final) {
		return nil
	}
	if rest, err := withoutChosen(final); err == nil && !f.leaks(rest) {
		return nil
	}
	return errLeak
}

// leaks reports whether a document contains an identifier of the user, or the public subject: the document itself has a pairwise one.
func (f *facts) leaks(document []byte) bool {
	if pseudonym.Leaks(document, f.identity.Identifiers...) {
		return true
	}
	if len(f.identity.Subject) < minSearchedSubject {
		return false
	}
	id, err := pseudonym.NewIdentifier("subject", f.identity.Subject)
	return err != nil || pseudonym.Leaks(document, id)
}

// withoutChosen returns a document without nonce and aud: the client chose them, or the record of a scope has them. Their names are
// reserved, so no claims function writes them.
func withoutChosen(document []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, err
	}
	delete(members, "nonce")
	delete(members, "aud")
	return json.Marshal(members)
}
