// Package resource verifies access tokens for an API. It accepts tokens of ID-porten, Maskinporten, Ansattporten, Altinn and HelseID,
// and JWT or opaque tokens of any other OAuth 2.0 issuer: bearer tokens, and tokens that are bound to a key (DPoP) or to a certificate of
// the client (mutual TLS).
//
// A [Verifier] checks that a token was issued by the configured issuer for this API and is valid now. [Rules] check that the
// token allows the request. [Verifier.Protect] is a middleware that does both and passes the [Token] to the handler in the
// request's context.
//
// The default is strict: the issuer must match byte for byte, a foreign audience is rejected, and id_tokens, logout tokens and other JWTs
// are not accepted as access tokens. Each relaxation is a named field.
//
// # Bound tokens
//
// A token with the claim cnf is bound: the sender of the request must have the key or the certificate of the claim, so that a stolen token is
// of no use. [Config].DPoP verifies the proofs of keys; certificates are those of the TLS connection, or of Config.ClientCertificates. Bound
// tokens are always verified as such, and [Rules].SenderConstrained rejects all others. What cannot be verified is rejected.
//
// # Users, machines and organisations
//
// The token of a login has sub and acr ([Token.HasUser]). The token of a machine has no acr, and no sub that identifies a user
// ([Token.IsMachine]). It may have a pid: that claim names the person the request is about and does not prove that this person
// logged in.
//
// Base access decisions about organisations on the consumer ([Token.Consumer]): the organisation that legally uses the API. For a
// system user, use the customer in [Token.SystemUser]. Do not use client_id: an organisation may have many clients.
//
// A self-contained token cannot be revoked: do not cache a decision beyond [Token.ExpiresAt].
//
// # Reasons
//
// Every [Error] has one of these reasons, for logs and metrics:
//
//	token_missing                 no access token in the request
//	token_in_query                the query has a parameter access_token
//	authorization_repeated        more than one Authorization header field
//	authorization_malformed       the Authorization header field has no valid access token
//	request_malformed             the function of ProtectFunc rejected the request, or its path is not that of a URL
//	tls_certificate_unreadable    Config.ClientCertificates returned an error
//	token_malformed               not a JWT, or not a valid opaque token
//	token_opaque                  opaque, and the verifier does not introspect
//	token_type_mismatch           an id_token, a logout token or another JWT that is no access token
//	token_type_not_accepted       token_type is not that of the binding: DPoP for a key, otherwise Bearer
//	token_sender_constrained      bound in a way that is not verified here (cnf)
//	bound_token_as_bearer         bound to a key, and sent as a bearer token
//	token_not_bound               sent with the scheme DPoP, and not bound to a key
//	certificate_missing           bound to a certificate, and the connection has none
//	certificate_mismatch          bound to another certificate
//	dpop_…                        the proof is missing or refused: see package dpop
//	token_expired                 exp has passed, or is not after iat
//	token_not_yet_valid           iat or nbf is in the future
//	token_inactive                the introspection response says active: false
//	algorithm_not_accepted        alg is not configured, or does not fit the key
//	key_unknown                   no key of the issuer has this kid
//	signature_invalid             the signature does not verify
//	issuer_mismatch               iss is not the configured issuer
//	audience_missing              aud is required and absent
//	audience_mismatch             aud names other APIs only
//	claim_missing                 a required claim is absent
//	claim_invalid                 a claim has the wrong type or form
//	token_not_sender_constrained  the rules require a bound token
//	scope_missing                 a scope of the rules was not granted
//	user_missing                  the rules require a user
//	user_not_allowed              the rules require a machine
//	acr_insufficient              the level of assurance is below Rules.ACR
//	login_too_old                 auth_time is older than Rules.MaxAge
//	consumer_missing              neither sub nor consumer, or no consumer although Rules.Consumers is set
//	consumer_untrusted            the consumer's coding or register is not trusted
//	consumer_not_allowed          the consumer is not one of Rules.Consumers
//	sub_entity_not_allowed        the consumer is a sub-entity
//	supplier_untrusted            the supplier's coding or register is not trusted
//	delegation_source_missing     the token has no delegation source, and the supplier is not one of Rules.Suppliers
//	delegation_source_untrusted   the delegation source is not one of Rules.DelegationSources
//	pid_missing                   the rules require a person, and the token has no pid
//	pid_mismatch                  pid is not Rules.PID
//	client_amr_not_allowed        client_amr is not one of Rules.ClientAMR
//	system_user_missing           the rules require a system user
//	consent_missing               the rules require a consent
//	consent_expired               the consent is no longer valid
//	consent_consumer_mismatch     the consent was given to another organisation
//
// References: RFC 6750, RFC 7662, RFC 8705, RFC 9068, RFC 9449, RFC 9470, RFC 9701, RFC 9728; docs.digdir.no: Maskinporten, API consumer and
// API provider guides.
package resource
