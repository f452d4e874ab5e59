package main

import (
	"fmt"
	"net/http"
	"strings"
)

// causes say for each numbered error what is wrong most often: error_uri leads here.
var causes = map[string]string{
	"MP-011": "The assertion or one of its claims cannot be read: a line break in it, a resource that is no absolute URI, a pid that is not eleven digits, no scope, or consumer_org with a prefix.",
	"MP-012": "The assertion, or its jti, has been used. Sign a new one for each request.",
	"MP-100": "iss is not the client_id of an active client of this server. It is not an organisation number.",
	"MP-110": "aud is not the issuer, byte for byte: mind the slash at its end, and which environment it names.",
	"MP-120": "The business certificate is not from an authority this server trusts, is expired or was revoked.",
	"MP-121": "The registered key is older than a year. Register it again.",
	"MP-122": "The certificate is of another organisation than the client.",
	"MP-123": "x5c is not an array of certificates in base64, the leaf first.",
	"MP-124": "The signature is not that of the key or certificate named, or the algorithm is none of RS256, RS384 and RS512.",
	"MP-130": "exp has passed. Look at the clock.",
	"MP-200": "The client has not registered the scope, or the scope is not active.",
	"MP-201": "The scope is not for clients of this integration type.",
	"MP-250": "The owner of the API has not given the organisation access: scope_access in the configuration.",
	"MP-251": "The consumer has not delegated the scope to the client's organisation: delegations in the configuration.",
	"MP-301": "The type is none of authorization_details_types_supported in the metadata.",
	"MP-302": "An object of authorization_details has a member its type does not know.",
	"MP-303": "A value in authorization_details is wrong, or there is no such system user or consent: the client is not on the system's list, or externalRef differs.",
}

// explain answers GET /errors/MP-nnn.
func explain(w http.ResponseWriter, r *http.Request) {
	number := strings.TrimPrefix(r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], "/")
	cause, ok := causes[number]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s\n\n%s\n", number, cause)
}
