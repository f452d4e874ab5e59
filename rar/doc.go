// Package rar implements Rich Authorization Requests (RFC 9396): it validates authorization_details, returns what pages show of
// them, and returns the details that the answers of the user grant. A detail is granted only if a page showed it, unless its type
// has NoApproval.
//
// An authorization endpoint calls [Registry.Parse] and [Registry.Check] for a request, [Registry.Offer] for the pages, and
// [Offer.Grant] with the answers of the user. A token endpoint calls [Registry.Redeem] for a code, [Registry.Refresh] for a refresh
// token, and [Narrow] if a token request names details. For a request without a user, [Registry.Grant] takes the place of an offer.
// Packages authorize and token do so.
//
// The host defines the types. A [Registry] of them is part of the configuration of the authorization endpoint and of grant
// handlers that accept authorization_details. Without one the parameter is rejected. Types and scopes are independent: every
// client may request every registered type, and the Grant function of the type decides. The token endpoint needs the registry, too:
// the Refresh function decides what is left of granted details later.
package rar
