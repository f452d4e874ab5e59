package token

import "github.com/portner-go/portner/client"

// ClaimPolicy chooses what the tokens and the userinfo of a client hold. It is asked once or twice per
// request and answers from memory.
type ClaimPolicy func(c *client.Client) Claims

// Claims is what leaves in tokens and userinfo beyond what every OpenID provider sends.
type Claims struct {
	// IDPorten adds ID-porten's claims: pid, locale, the e-mail and eIDAS claims and client_onbehalfof in
	// tokens, consumer, supplier, client_amr and acr in access tokens, pid and locale at userinfo. Without
	// it an id_token holds only what OpenID Connect Core section 2 names.
	IDPorten bool
	// Name adds the person's name to what IDPorten tells of them in id_tokens and at userinfo, as
	// Ansattporten does (idporten section 18.5).
	Name bool
	// AudOnBehalfOf names the id_token's onbehalfof claim aud_onbehalfof, as a sample of the service does,
	// and not client_onbehalfof, as its prose does (idporten section 21, C24).
	AudOnBehalfOf bool
	// ClientOrgno adds the deprecated client_orgno to access tokens (idporten section 7.2).
	ClientOrgno bool
	// Standard answers userinfo with the standard claims of the scopes profile, email, address and phone
	// (OpenID Connect Core section 5.4), as UserSource and login know them.
	Standard bool
	// Machine is for clients without persons: access tokens have no sub, the claim token_type, and a jti
	// of 43 characters, as Maskinporten's have.
	Machine bool
	// UserInfoScope is the scope an access token needs at userinfo; without it the answer is
	// insufficient_scope. "" is openid.
	UserInfoScope string
	// AccessTokenType is the header typ of JWT access tokens: "at+jwt" (RFC 9068), or "" to leave it out
	// as ID-porten does.
	AccessTokenType string
	// Audience is the aud of JWT access tokens for which no resource was requested and no scope enforces
	// one. nil: no aud, as ID-porten does; RFC 9068 section 2.2 requires one.
	Audience []string
}

// IDPortenClaims is the policy of ID-porten (idporten sections 6, 7 and 9).
func IDPortenClaims(*client.Client) Claims {
	return Claims{IDPorten: true, UserInfoScope: "profile"}
}

// OpenIDClaims is the policy of a plain OpenID provider whose APIs know the audience given (the issuer,
// most often): no claim that the conformance profiles do not expect, typed access tokens (RFC 9068).
func OpenIDClaims(audience ...string) ClaimPolicy {
	c := Claims{Standard: true, UserInfoScope: "openid", AccessTokenType: "at+jwt", Audience: audience}
	return func(*client.Client) Claims { return c }
}
