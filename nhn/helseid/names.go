package helseid

import "github.com/portner-go/portner/scope"

// Scopes of identities (utviklerportal.nhn.no: Scopes).
const (
	scopePrefix      = "helseid://scopes/"
	scopeAll         = scopePrefix + "identity/all"
	scopePID         = scopePrefix + "identity/pid"
	scopeLevel       = scopePrefix + "identity/security_level"
	scopeAssurance   = scopePrefix + "identity/assurance_level"
	scopeNetwork     = scopePrefix + "identity/network"
	scopePseudonym   = scopePrefix + "identity/pid_pseudonym"
	scopeHPR         = scopePrefix + "hpr/hpr_number"
	scopeClientInfo  = scopePrefix + "client/info"
	scopeClientName  = scopePrefix + "client/client_name"
	scopeJournal     = "nhn:sfm:journal-id"
	identityDescribe = "Identiteten din"
)

// Claims (utviklerportal.nhn.no: Claims).
const (
	claimPID        = "helseid://claims/identity/pid"
	claimLevel      = "helseid://claims/identity/security_level"
	claimAssurance  = "helseid://claims/identity/assurance_level"
	claimNetwork    = "helseid://claims/identity/network"
	claimPseudonym  = "helseid://claims/identity/pid_pseudonym"
	claimHPR        = "helseid://claims/hpr/hpr_number"
	claimHPRDetails = "helseid://claims/hpr/hpr_details"
	claimClientName = "helseid://claims/client/client_name"
	claimTenancy    = "helseid://claims/client/client_tenancy"
	claimOnBehalfOf = "helseid://claims/client/on_behalf_of"
	claimClientAMR  = "helseid://claims/client/amr"
	claimParent     = "helseid://claims/client/claims/orgnr_parent"
	claimChild      = "helseid://claims/client/claims/orgnr_child"
	claimSupplier   = "helseid://claims/client/claims/orgnr_supplier"
	claimJournal    = "nhn:sfm:journal_id"

	claimIDP        = "idp"
	claimPlainAMR   = "client_amr"
	claimMiddleName = "middle_name"
	claimIssuedAt   = "userinfo_issued_at"
)

// identityClaims maps the scopes of identities to their claims.
var identityClaims = map[string][]string{
	scopeAll: {claimPID, claimLevel, claimAssurance, claimNetwork, claimPseudonym},
	scopePID: {claimPID}, scopeLevel: {claimLevel}, scopeAssurance: {claimAssurance}, scopeNetwork: {claimNetwork},
	scopePseudonym: {claimPseudonym}, scopeHPR: {claimHPR},
	scopeClientInfo: {claimClientName, claimParent, claimChild, claimSupplier, claimTenancy, claimClientAMR},
	scopeClientName: {claimClientName},
	scope.Profile:   {"name", "given_name", claimMiddleName, "family_name"},
}

// APIClaims returns the claims that the access tokens of an API can have.
func APIClaims() []string {
	return []string{
		claimPID, claimLevel, claimAssurance, claimNetwork, claimPseudonym, claimHPR, "name", "given_name", claimMiddleName, "family_name",
		claimClientName, claimTenancy, claimOnBehalfOf, claimClientAMR, claimParent, claimChild, claimSupplier, claimJournal,
	}
}

// claimsSupported is claims_supported of the metadata.
func claimsSupported() []string {
	return append([]string{
		"sub", "iss", "aud", "exp", "nbf", "iat", "auth_time", "nonce", "amr", "jti", "sid", claimIDP, claimPlainAMR, claimHPRDetails,
	}, APIClaims()...)
}

// standardScopes returns the records of offline_access and of HelseID's own scopes, for every client that registers them. Those of
// identities are for users only.
func standardScopes() []scope.Scope {
	all := []scope.Scope{{Name: scope.OfflineAccess, AccessibleForAll: true, Description: "Tilgang også når du ikke er logget inn"}}
	for _, name := range []string{
		scopeAll, scopePID, scopeLevel, scopeAssurance, scopeNetwork, scopePseudonym, scopeHPR, scopeClientInfo, scopeClientName,
	} {
		all = append(all, scope.Scope{Name: name, AccessibleForAll: true, RequiresUser: true, Description: identityDescribe})
	}
	return append(all, scope.Scope{Name: scopeJournal, AccessibleForAll: true, Description: "Journalen som legemidler gjelder for"})
}
