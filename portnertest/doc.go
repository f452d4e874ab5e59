// Package portnertest runs a provider inside a test: an ID-porten, Maskinporten, Altinn, Ansattporten or HelseID on a loopback address, with
// TLS, keys, clients and users, and a browser that logs in.
//
//	op := portnertest.New(t, portnertest.Config{})
//	app := newApp(t, op.Issuer, op.HTTP)
//	resp, err := op.Browser(t, portnertest.Login{User: "kari"}).Get(app.URL + "/login")
//
// The package drives the tested app, not the protocol: [Provider.Browser] follows the app's own login, and answers the pages of the provider.
// [Provider.MintToken] and [Provider.LogIn] are for tests without an app, such as those of an API. The provider refuses what the service
// refuses, and is strict beyond that: it fails the test, with the name of a [Rule], if the app breaks a rule for clients that a server does not
// notice, such as a nonce that the app sends and does not compare.
//
// The clock of a provider moves only with [Provider.Advance]. [Provider.Fail] makes requests fail, [Provider.RotateKeys],
// [Provider.Revoke] and [Provider.EndSession] do what happens to apps in production, and [Provider.Requests] returns what the app sent.
// Providers share nothing, so that tests can be parallel. A provider stops when its test ends.
//
// Nothing in this package is secret: its keys and client secrets are public. It is for tests only.
package portnertest
