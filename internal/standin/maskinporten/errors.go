package maskinporten

import (
	"fmt"
	"net/http"
	"strings"
)

// Causes describes the usual causes of each error, for the page of its error_uri.
var Causes = map[string]string{
	"MP-011": "The assertion or one of its claims cannot be read: a line break, a resource that is not an absolute URI, a pid that is not eleven digits, no scope, or consumer_org with a prefix.",
	"MP-012": "The assertion, or its jti, has been used. Sign a new one for each request.",
	"MP-100": "iss is not the client_id of an enabled client of this server. A client_id is not an organisation number.",
	"MP-110": "aud is not equal to the issuer. Check the trailing slash and the environment.",
	"MP-120": "The business certificate was not issued by a trusted authority, is expired, or is revoked. If x5c holds the certificate alone, its chain is incomplete unless the server knows the issuing authority (business_certificates.intermediates): send the issuing authority as the second element of x5c. The log names the reason: cert_chain_incomplete, cert_chain, cert_expired, cert_revoked.",
	"MP-121": "The registered key is older than one year. Register it again.",
	"MP-122": "The organisation of the certificate is not that of the client.",
	"MP-123": "x5c is not an array of certificates in base64, the leaf first.",
	"MP-124": "The key or certificate of the header does not verify the signature, or the algorithm is not RS256, RS384 or RS512.",
	"MP-130": "exp has passed. Check the clock.",
	"MP-200": "The client has not registered the scope, or the scope is not active.",
	"MP-201": "The scope does not allow the integration type of the client.",
	"MP-250": "The organisation has no access to the scope: see scope_access in the configuration.",
	"MP-251": "The consumer did not delegate the scope to the client's organisation: see delegations in the configuration.",
	"MP-301": "The type is not in authorization_details_types_supported of the metadata.",
	"MP-302": "An object of authorization_details has an unknown member.",
	"MP-303": "A value in authorization_details is invalid, or no system user or consent matches: the client is not in client_ids of the system user, or externalRef differs.",
}

// explain handles GET /errors/MP-nnn.
func explain(w http.ResponseWriter, r *http.Request) {
	number := strings.TrimPrefix(r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], "/")
	cause, ok := Causes[number]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s\n\n%s\n", number, cause)
}
