package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// presented is a presented token that was verified, with its grant.
type presented struct {
	Token
	own          bool // an access token of this provider
	hash         storage.Hash
	grant        storage.Grant // incomplete unless own is set
	identity     session.Identity
	details      json.RawMessage
	pseudonymous bool
	opaque       bool
	exchanges    int
}

// presentation is a token of the form with its claimed type.
type presentation struct {
	role  role
	value string
	typ   string
}

// verify verifies a token by its type and issuer.
func (x *exchange) verify(ctx context.Context, p presentation) (*presented, error) {
	if len(p.value) > jose.MaxTokenX5C {
		return nil, p.role.badToken("too_long")
	}
	switch p.typ {
	case IDToken:
		return x.verifyIDToken(ctx, p)
	case AccessToken, JWT:
		if issuer, ok := x.otherIssuer(p.value); ok {
			return x.verifyForeign(ctx, p, issuer)
		}
		if p.typ == AccessToken {
			return x.lookup(ctx, p)
		}
	}
	return nil, malformed("The type of the "+string(p.role)+" is not supported.", string(p.role)+"_type_unsupported")
}

// otherIssuer returns the configured issuer that a JWT names, unverified. Opaque tokens can only be those of this provider.
func (x *exchange) otherIssuer(value string) (Issuer, bool) {
	if strings.Count(value, ".") != 2 || len(x.cfg.Issuers) == 0 {
		return Issuer{}, false
	}
	claims, err := jose.PeekPayload(value, jose.MaxTokenX5C)
	if err != nil {
		return Issuer{}, false
	}
	name, _ := claims.OptionalString("iss")
	issuer, ok := x.cfg.Issuers[name]
	return issuer, ok
}

// lookup finds an access token of this provider. Other tokens, such as id_tokens and refresh tokens, are not found.
func (x *exchange) lookup(ctx context.Context, p presentation) (*presented, error) {
	t, err := x.minter.LookupSubjectToken(ctx, p.value, x.Now)
	if err = p.role.badRecord(err); err != nil {
		return nil, err
	}
	if p.role == actorRole && t.Grant.ClientID != x.Client.ClientID {
		return nil, p.role.badToken("client_mismatch")
	}
	// RFC 8693 §1.1: the client may not be the sender that the token is bound to. A public client exchanges tokens of its own only, and does
	// not authenticate: without the binding, whoever stole a bound token could exchange it for one of another key.
	if x.Client.Public() && !x.Proves(t.Token.Confirmation) {
		return nil, p.role.badToken("binding_mismatch")
	}
	f := x.own(t)
	f.own, f.grant, f.details = true, t.Grant, t.AuthorizationDetails
	f.Scopes, f.Audience, f.opaque = t.Token.Scopes, t.Token.Audience, t.Token.Opaque
	return f, nil
}

// badRecord rejects a token of this provider that LookupSubjectToken or LookupIDToken does not find.
func (r role) badRecord(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return r.badToken("unknown")
	case errors.Is(err, storage.ErrRevoked):
		return r.badToken("revoked")
	}
	return err
}

// own returns what is presented of a login or a machine by a token of this provider, which t is or was issued with.
func (x *exchange) own(t *token.LiveToken) *presented {
	return &presented{
		Token: Token{
			Type: AccessToken, Issuer: x.cfg.Issuer, ClientID: t.Grant.ClientID, Subject: t.Subject, Consumer: consumer(t),
			ACR: t.Grant.ACR, ExpiresAt: earliest(t.Token.ExpiresAt, t.Grant.ExpiresAt), user: !t.Identity.IsZero(),
		},
		hash: t.Token.Hash, identity: t.Identity, pseudonymous: t.Pseudonymous, exchanges: t.Exchanges,
	}
}

func consumer(t *token.LiveToken) string {
	if t.Grant.Delegation.Consumer != "" {
		return t.Grant.Delegation.Consumer
	}
	return t.Client.OrganisationNo
}

func earliest(a time.Time, others ...time.Time) time.Time {
	for _, b := range others {
		if b.Before(a) {
			a = b
		}
	}
	return a
}

// verifyForeign verifies an access token of another issuer.
func (x *exchange) verifyForeign(ctx context.Context, p presentation, issuer Issuer) (*presented, error) {
	t, err := issuer.Verifier.Verify(ctx, resource.Bearer(p.value))
	if e, rejected := errors.AsType[*resource.Error](err); rejected {
		return nil, p.role.badToken("rejected_" + e.Reason)
	} else if err != nil {
		return nil, unavailable("verifying a token of another issuer", err)
	}
	f := &presented{
		Token: Token{
			Type: AccessToken, Issuer: t.Issuer, ClientID: t.ClientID, Consumer: t.Consumer.Orgno,
			Scopes: t.Scopes, Audience: t.Audience, ACR: t.ACR, ExpiresAt: t.ExpiresAt, Foreign: t,
		},
		// docs/threat-model.md K8: claims that the client of the token could not read are not disclosed.
		opaque: t.Introspected, pseudonymous: t.Introspected || t.PID.IsZero(),
		grant: storage.Grant{
			ACR: t.ACR, AMR: t.AMR, AuthTime: t.AuthTime, CreatedAt: x.Now,
			Delegation: storage.Delegation{Consumer: t.Consumer.Orgno, Supplier: t.Supplier.Orgno, Source: t.DelegationSource},
		},
	}
	if t.Consumer.ID != "" && t.Consumer.Orgno == "" || t.Consumer.SubEntity != "" || t.Supplier.ID != "" && t.Supplier.Orgno == "" {
		return nil, p.role.badToken("organisation_not_accepted") // the claims of the new token could not name it
	}
	if f.grant.Delegation.Actor, err = foreignChain(t); err != nil {
		return nil, p.role.badToken("act_malformed")
	}
	f.grant.Delegation.MayAct, _ = t.Claim("may_act")
	if f.details, err = details(t); err != nil {
		return nil, err
	}
	if t.IsMachine() {
		f.pseudonymous = false
		return f, nil
	}
	f.Subject, f.user = t.Subject, true
	if p.role == actorRole { // the actor needs no user at this provider
		return f, nil
	}
	if issuer.User == nil {
		return nil, p.role.badToken("user_not_accepted")
	}
	found, err := issuer.User(ctx, t)
	return f.withUser(p.role, found, err)
}

// details returns the authorization_details of a token of another issuer as one array.
func details(t *resource.Token) (json.RawMessage, error) {
	if len(t.AuthorizationDetails) == 0 {
		return nil, nil
	}
	all := make([]json.RawMessage, len(t.AuthorizationDetails))
	for i, d := range t.AuthorizationDetails {
		all[i] = d.JSON
	}
	return json.Marshal(all)
}

// withUser sets the user that the host found.
func (f *presented) withUser(r role, found session.Identity, err error) (*presented, error) {
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && found.Subject == "":
		return nil, r.badToken("user_unknown")
	case err != nil:
		return nil, unavailable("finding the user", err)
	}
	f.identity = found
	return f, nil
}

// verifyIDToken verifies an id_token that this provider issued to the client. It rejects id_tokens of other clients, access tokens, which
// are signed with the same keys, and id_tokens whose grant or session has ended.
func (x *exchange) verifyIDToken(ctx context.Context, p presentation) (*presented, error) {
	if x.cfg.IDTokens == nil {
		return nil, malformed("The type of the "+string(p.role)+" is not supported.", string(p.role)+"_type_unsupported")
	}
	payload, err := x.cfg.IDTokens.VerifyIDToken(p.value, x.Now)
	if err != nil {
		return nil, p.role.badToken("id_token_invalid")
	}
	claims, err := jose.ParseObject(payload)
	if err != nil {
		return nil, p.role.badToken("id_token_invalid")
	}
	c, ok := x.readIDToken(claims)
	if !ok {
		return nil, p.role.badToken("id_token_invalid")
	}
	t, err := x.minter.LookupIDToken(ctx, c.jti, x.Now)
	if err = p.role.badRecord(err); err != nil {
		return nil, err
	}
	if t.Grant.ClientID != x.Client.ClientID || t.Subject != c.sub { // the client has another sub by now
		return nil, p.role.badToken("user_unknown")
	}
	f := x.own(t)
	f.Type, f.Consumer, f.ExpiresAt = IDToken, "", earliest(f.ExpiresAt, c.end)
	// The new grant is a grant of the same login, made now. The store inserts it only while the session of the login is live.
	f.grant = storage.Grant{
		UserKey: t.Grant.UserKey, SessionID: t.Grant.SessionID, Customer: t.Grant.Customer,
		ACR: t.Grant.ACR, AMR: t.Grant.AMR, AuthTime: t.Grant.AuthTime, CreatedAt: x.Now,
	}
	f.opaque = !f.pseudonymous && !c.hasPID // an open id_token without pid discloses no pid, so the new token is opaque
	return f, nil
}

// idToken holds the claims of an id_token that its record does not have.
type idToken struct {
	sub, jti string
	hasPID   bool
	end      time.Time
}

// readIDToken reads the claims of an id_token. It returns false for a token of another client, and an expired one.
func (x *exchange) readIDToken(claims jose.Object) (c idToken, ok bool) {
	iss, err := claims.String("iss")
	aud, err2 := claims.String("aud")
	sub, err3 := claims.String("sub")
	exp, err4 := claims.NumericDate("exp")
	jti, err5 := claims.String("jti")
	c = idToken{sub: sub, jti: jti, hasPID: claims.Has("pid"), end: time.Unix(exp, 0)}
	ok = errors.Join(err, err2, err3, err4, err5) == nil && iss == x.cfg.Issuer && aud == x.Client.ClientID && sub != "" && x.Now.Before(c.end)
	return c, ok
}
