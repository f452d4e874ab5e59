// Package keyset has references that resolve: RFC 6749 §4.1.3, RFC 7636 §4.1 to §4.4, OIDC Core §3.1.2.1, OIDC
// RP-Initiated Logout §2, FAPI 2.0 SP §5.3, docs.digdir.no: oidc_protocol_scope, MP-120, SHA-256, ES256, P-256, X.509.
package keyset

// docs/spec/idporten.md §12.4 and §21.3, docs/threat-model.md A12 and MV1; C0 and C1 control characters.
const internal = 1

// Exported has an unexported field.
type Exported struct {
	field int // docs/spec/idporten.md §12
}
