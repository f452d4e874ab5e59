// Package compat serves a configuration of navikt/mock-oauth2-server with providers of this module: its JSON_CONFIG, its environment
// variables and its paths, with one provider for each issuer.
//
// It is strict: clients, their secrets and keys, redirect URIs, scopes, PKCE, codes and presented tokens are checked as in every provider.
// What that server does not check is a named [Switch] each. A switch supplies what the check compares with, such as the registration of a client
// that is not configured; no check is left out in the packages of the protocol. The switches are for test environments: each is off unless it is
// named, and logs a warning when the server starts.
//
// docs/migrating-from-mock-oauth2-server.md lists the settings, the switches and the differences.
package compat
