// Package rar implements Rich Authorization Requests (RFC 9396): it validates authorization_details, returns what pages show of
// them, and returns the details that the answers of the user grant: no detail is granted that no page showed, unless its type has
// NoApproval.
//
// The host defines the types. A [Registry] of them is part of the configuration of the authorization endpoint and of grant
// handlers that accept authorization_details. Without one the parameter is rejected. Types and scopes are independent: every
// client may request every registered type, and the Grant function of the type decides. The token endpoint needs the registry, too:
// the Refresh function decides what is left of granted details later.
package rar
