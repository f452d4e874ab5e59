package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
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
	t, err := x.minter.LookupAccessToken(ctx, p.value, x.Now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, p.role.badToken("unknown")
	case errors.Is(err, storage.ErrRevoked):
		return nil, p.role.badToken("revoked")
	case err != nil:
		return nil, err
	}
	if p.role == actorRole && t.Grant.ClientID != x.Client.ClientID {
		return nil, p.role.badToken("client_mismatch")
	}
	return &presented{
		Token: Token{
			Type: AccessToken, Issuer: x.cfg.Issuer, ClientID: t.Grant.ClientID, Subject: t.Subject, Consumer: consumer(t),
			Scopes: t.Token.Scopes, Audience: t.Token.Audience, ACR: t.Grant.ACR, ExpiresAt: earliest(t.Token.ExpiresAt, t.Grant.ExpiresAt),
			user: !t.Identity.IsZero(),
		},
		own: true, hash: t.Token.Hash, grant: t.Grant, identity: t.Identity, details: t.AuthorizationDetails,
		pseudonymous: t.Pseudonymous, opaque: t.Token.Opaque, exchanges: t.Exchanges,
	}, nil
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

// verifyIDToken verifies an id_token that this provider issued to the client. It rejects id_tokens of other clients, and access
// tokens, which are signed with the same keys.
func (x *exchange) verifyIDToken(ctx context.Context, p presentation) (*presented, error) {
	if x.cfg.IDTokens == nil {
		return nil, malformed("The type of the "+string(p.role)+" is not supported.", string(p.role)+"_type_unsupported")
	}
	payload, err := x.cfg.IDTokens.Keys.VerifyIDToken(p.value, x.Now)
	if err != nil {
		return nil, p.role.badToken("id_token_invalid")
	}
	claims, err := jose.ParseObject(payload)
	if err != nil {
		return nil, p.role.badToken("id_token_invalid")
	}
	login, f, ok := x.readIDToken(claims)
	if !ok {
		return nil, p.role.badToken("id_token_invalid")
	}
	if p.role == actorRole {
		return f, nil
	}
	found, err := x.cfg.IDTokens.User(ctx, login)
	if f, err = f.withUser(p.role, found, err); err != nil {
		return nil, err
	}
	return x.withKind(f, p.role, login)
}

// withKind sets whether the login of an id_token was open: its sub is that of an open or that of a pseudonymous document for the user
// that the host found. An open one without pid discloses no pid, so the new token is opaque.
func (x *exchange) withKind(f *presented, r role, login Login) (*presented, error) {
	c := x.Client.Client
	open, err := x.minter.Subject(c, &f.identity, false)
	if err != nil {
		return nil, err
	}
	if f.pseudonymous = login.Subject != open; !f.pseudonymous {
		f.opaque = login.PID.IsZero()
		return f, nil
	}
	pseudonym, err := x.minter.Subject(c, &f.identity, true)
	if err == nil && login.Subject != pseudonym {
		err = r.badToken("user_unknown")
	}
	return f, err
}

// readIDToken reads the claims of an id_token. It returns false for a token of another client, and an expired one.
func (x *exchange) readIDToken(claims jose.Object) (Login, *presented, bool) {
	iss, err := claims.String("iss")
	aud, err2 := claims.String("aud")
	sub, err3 := claims.String("sub")
	exp, err4 := claims.NumericDate("exp")
	pid, err5 := claims.OptionalString("pid")
	acr, err6 := claims.OptionalString("acr")
	if errors.Join(err, err2, err3, err4, err5, err6) != nil || iss != x.cfg.Issuer || aud != x.Client.ClientID || sub == "" {
		return Login{}, nil, false
	}
	end := time.Unix(exp, 0)
	if !x.Now.Before(end) {
		return Login{}, nil, false
	}
	login := Login{ClientID: aud, Subject: sub}
	if pid != "" {
		if login.PID, err = norway.ParsePID(pid); err != nil {
			return Login{}, nil, false
		}
	}
	amr, _ := claims.Strings("amr")
	authTime, _ := claims.NumericDate("auth_time")
	f := &presented{
		Token: Token{Type: IDToken, Issuer: iss, ClientID: aud, Subject: sub, ACR: acr, ExpiresAt: end},
		grant: storage.Grant{ACR: acr, AMR: amr, CreatedAt: x.Now},
	}
	if authTime > 0 {
		f.grant.AuthTime = time.Unix(authTime, 0)
	}
	return login, f, true
}
