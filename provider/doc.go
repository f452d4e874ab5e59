// Package provider wires the building blocks into one OpenID provider: one Config, one http.Handler. Every
// endpoint is also a field, to be mounted alone.
//
//	op, err := provider.New(provider.Config{ … })
//	mux.Handle("/", op)
//	// or one by one
//	mux.Handle("/authorize", op.Authorize)
//	mux.Handle("POST /token", op.Token)
//
// The host brings a store, keys, client registrations and two pages: login and consent. The pages call
// op.Authorize.Resume, check the person, and hand over an authorize.Authentication.
//
// The package has no rules of its own: what an endpoint does is told by packages authorize, token, logout and
// discovery, and which rules of theirs hold is a [Profile]. It starts no goroutine. The host runs the server
// (TLS, timeouts, a bound on headers), lets a job sweep its store, and rotates keys and secrets.
//
// OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated, Front-Channel and Back-Channel Logout 1.0; RFC 6749,
// 6750, 7009, 7636, 7662, 8414, 8707, 9101, 9126, 9207, 9396 and 9700.
package provider
