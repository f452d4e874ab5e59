// Package rar is Rich Authorization Requests (RFC 9396): which authorization_details a provider
// understands, whether a request's are well formed, what a person may choose, and what is granted.
//
// The types are the host's. A [Registry] of them is given to the authorization endpoint and to the
// grants that take authorization_details; without one the parameter is refused. Scopes and
// authorization_details are disjoint: no scope opens a type, and every client may ask for every
// registered type (idporten section 18.4). What keeps a client from getting something is the type's
// own Grant.
package rar
