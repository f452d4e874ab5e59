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

// party is a token that was presented and verified, with all that stands behind it.
type party struct {
	Token
	own          bool // an access token of this provider
	hash         storage.Hash
	grant        storage.Grant // what is known of it; filled in part for tokens that are not ours
	identity     session.Identity
	details      json.RawMessage
	pseudonymous bool
	opaque       bool
	exchanges    int
}

// presentation is one token of a request and what it is said to be.
type presentation struct {
	role  role
	value string
	typ   string
}

// read verifies a token by its type and issuer.
func (x *exchanging) read(ctx context.Context, p presentation) (*party, error) {
	if len(p.value) > jose.MaxTokenX5C {
		return nil, p.role.badToken("too_long")
	}
	switch p.typ {
	case IDToken:
		return x.idToken(ctx, p)
	case AccessToken, JWT:
		if issuer, ok := x.foreign(p.value); ok {
			return x.accept(ctx, p, issuer)
		}
		if p.typ == AccessToken {
			return x.lookUp(ctx, p)
		}
	}
	return nil, malformed("The type of the "+string(p.role)+" is not supported.", string(p.role)+"_type")
}

// foreign finds the configured issuer a token claims to be of. Opaque ones are ours or nobody's.
func (x *exchanging) foreign(value string) (Issuer, bool) {
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

// lookUp finds an access token of this provider: what is no access token, such as an id_token or a refresh
// token, is not found (security row D8).
func (x *exchanging) lookUp(ctx context.Context, p presentation) (*party, error) {
	t, err := x.minter.LookupAccessToken(ctx, p.value, x.Now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, p.role.badToken("unknown")
	case errors.Is(err, storage.ErrRevoked):
		return nil, p.role.badToken("revoked")
	case err != nil:
		return nil, err
	}
	if p.role == actorRole && t.Grant.ClientID != x.Client.ClientID { // a token somebody else was given speaks for nobody here
		return nil, p.role.badToken("foreign_client")
	}
	return &party{
		Token: Token{
			Type: AccessToken, Issuer: x.cfg.Issuer, ClientID: t.Grant.ClientID, Subject: t.Subject, Orgno: consumer(t),
			Scopes: t.Token.Scopes, Audience: t.Token.Audience, ACR: t.Grant.ACR, ExpiresAt: earliest(t.Token.ExpiresAt, t.Grant.ExpiresAt),
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

// accept verifies an access token of another issuer.
func (x *exchanging) accept(ctx context.Context, p presentation, issuer Issuer) (*party, error) {
	t, err := issuer.Verifier.Verify(ctx, resource.Bearer(p.value))
	if e, rejected := errors.AsType[*resource.Error](err); rejected {
		return nil, p.role.badToken("rejected_" + e.Reason)
	} else if err != nil {
		return nil, unavailable("verifying a token of another issuer", err)
	}
	f := &party{
		Token: Token{
			Type: AccessToken, Issuer: t.Issuer, ClientID: t.ClientID, Orgno: t.Consumer.Orgno,
			Scopes: t.Scopes, Audience: t.Audience, ACR: t.ACR, ExpiresAt: t.ExpiresAt, Foreign: t,
		},
		// What a reference hid stays hidden, and so does who the issuer would not tell (decision K8).
		opaque: t.Introspected, pseudonymous: t.Introspected || t.PID.IsZero(),
		grant: storage.Grant{
			ACR: t.ACR, AMR: t.AMR, AuthTime: t.AuthTime, CreatedAt: x.Now,
			Delegation: storage.Delegation{Consumer: t.Consumer.Orgno, Supplier: t.Supplier.Orgno, Source: t.DelegationSource},
		},
	}
	if t.Consumer.ID != "" && t.Consumer.Orgno == "" || t.Consumer.SubEntity != "" || t.Supplier.ID != "" && t.Supplier.Orgno == "" {
		return nil, p.role.badToken("organisation") // what is told of it would be less, or more, than it is
	}
	if f.grant.Delegation.Actor, err = foreignChain(t); err != nil {
		return nil, p.role.badToken("act")
	}
	f.grant.Delegation.MayAct, _ = t.Claim("may_act")
	if f.details, err = details(t); err != nil {
		return nil, err
	}
	if t.IsMachine() {
		f.pseudonymous = false
		return f, nil
	}
	f.Subject = t.Subject
	if p.role == actorRole { // named as its issuer does; nobody of ours
		return f, nil
	}
	if issuer.Person == nil {
		return nil, p.role.badToken("person")
	}
	found, err := issuer.Person(ctx, t)
	return f.of(p.role, found, err)
}

// details are the authorization_details of another issuer's token, as one array.
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

// of adds the person the host found.
func (f *party) of(r role, found session.Identity, err error) (*party, error) {
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && found.Subject == "":
		return nil, r.badToken("person_unknown")
	case err != nil:
		return nil, unavailable("finding the person", err)
	}
	f.identity = found
	return f, nil
}

// idToken verifies an id_token the client got here. An id_token of another client is no business of this
// one, and an access token, which is signed with the same keys, is none (security row D8).
func (x *exchanging) idToken(ctx context.Context, p presentation) (*party, error) {
	if x.cfg.IDTokens == nil {
		return nil, malformed("The type of the "+string(p.role)+" is not supported.", string(p.role)+"_type")
	}
	payload, typ, err := x.cfg.IDTokens.Keys.Verify(p.value, x.Now)
	if err != nil || typ != "" && typ != "JWT" {
		return nil, p.role.badToken("id_token")
	}
	claims, err := jose.ParseObject(payload)
	if err != nil {
		return nil, p.role.badToken("id_token")
	}
	login, f, ok := x.readIDToken(claims)
	if !ok {
		return nil, p.role.badToken("id_token")
	}
	if p.role == actorRole {
		return f, nil
	}
	found, err := x.cfg.IDTokens.Person(ctx, login)
	return f.of(p.role, found, err)
}

// readIDToken takes the claims of an id_token; not ok is another kind of token, another client's, or old.
func (x *exchanging) readIDToken(claims jose.Object) (Login, *party, bool) {
	for _, name := range []string{"scope", "client_id", "events"} {
		if claims.Has(name) {
			return Login{}, nil, false
		}
	}
	iss, err := claims.String("iss")
	aud, err2 := claims.String("aud")
	sub, err3 := claims.String("sub")
	exp, err4 := claims.Int("exp")
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
	authTime, _ := claims.Int("auth_time")
	f := &party{
		Token:        Token{Type: IDToken, Issuer: iss, ClientID: aud, Subject: sub, ACR: acr, ExpiresAt: end},
		pseudonymous: pid == "",
		grant:        storage.Grant{ACR: acr, AMR: amr, CreatedAt: x.Now},
	}
	if authTime > 0 {
		f.grant.AuthTime = time.Unix(authTime, 0)
	}
	return login, f, true
}
