// Package helseid is the profile of HelseID, the login and authorization service of the Norwegian health sector (Norsk helsenett), for
// stand-ins: its endpoints, scopes and claims, its rules for clients and organisations, and its token exchange (utviklerportal.nhn.no).
// Where its documentation is silent, docs/spec/helseid.md says what this package does.
//
//	h, err := helseid.New(helseid.Config{Registrations: registrations, APIs: apis, PseudonymKey: key})
//	types, err := rar.NewRegistry(h.DetailTypes()...)
//	op, err := provider.New(provider.Config{
//		Profile: h.Profile(), AuthorizationDetails: types, DPoP: proofs,
//		GrantHandlers: []token.GrantHandler{token.ClientCredentials(store), h.TokenExchange(store)},
//		...
//	})
//
// A login is the result of [Service.Authentication]. What an API receives about the user and the client depends on the API: its
// access tokens have the claims of [API]. id_tokens and userinfo have the claims of the scopes.
package helseid
