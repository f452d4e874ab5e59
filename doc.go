// Package portner holds what every other package of this module speaks: the
// protocol errors of OAuth 2.0 and OpenID Connect, secrets that redact
// themselves, and the events a provider reports.
//
// portner (Norwegian for gatekeeper) is a set of building blocks for OpenID
// Connect and OAuth 2.0 providers in the style of ID-porten, Norway's national
// login. Take one policy package ([github.com/portner-go/portner/pkce],
// [github.com/portner-go/portner/scope], [github.com/portner-go/portner/acr],
// [github.com/portner-go/portner/pseudonym], [github.com/portner-go/portner/session]),
// mount single endpoints ([github.com/portner-go/portner/authorize],
// [github.com/portner-go/portner/token], [github.com/portner-go/portner/logout]), or
// take them wired together from [github.com/portner-go/portner/provider].
package portner
