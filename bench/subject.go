package main

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"
)

// Values that are the same for every subject.
const (
	issuer   = "https://login.example.no"
	callback = "https://app.example.no/callback"
	state    = "st-6f1c0d9b2a"
	secret   = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"

	webClient    = "web"    // client_secret_basic, JWT access tokens
	opaqueClient = "opaque" // client_secret_basic, opaque access tokens
	keyClient    = "key"    // private_key_jwt with ES256, JWT access tokens
)

// subject is what is measured: a provider, or one of the two that the providers are compared with.
type subject struct {
	name string
	// open returns a new provider with an empty store.
	open func(settings) (*server, error)
	// lacks holds why the subject does not have an operation, by its name, or by its name and algorithm ("code exchange EdDSA"). Such an
	// operation is a dash in the table.
	lacks map[string]string
	// silent subjects return constants: their responses have no tokens.
	silent bool
	// oneKind is set if the access tokens of all clients are of one kind.
	oneKind bool
}

// lacking returns why the subject does not have an operation, or "".
func (s subject) lacking(op, alg string) string {
	if reason := s.lacks[op]; reason != "" {
		return reason
	}
	return s.lacks[op+" "+alg]
}

// peer reports whether the subject is a provider of others.
func (s subject) peer() bool { return !s.silent && s.name != ours }

// settings are the same for every subject of an operation.
type settings struct {
	Op  string
	Alg string
	// Key signs tokens, and ClientKey the assertions of keyClient: PKCS #8 in DER.
	Key, ClientKey []byte
	// Opaque makes a subject whose access tokens are of one kind for all clients issue opaque ones.
	Opaque bool
	// Signed holds the lengths of the texts that portner signs in a response, for the floor.
	Signed []int
}

func (s settings) signer() (crypto.Signer, error) { return parseKey(s.Key) }

func (s settings) clientSigner() (crypto.Signer, error) { return parseKey(s.ClientKey) }

func parseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%T is no signing key", key)
	}
	return signer, nil
}

// server is an open subject.
type server struct {
	http.Handler
	paths paths
	// scopes of a client that wants an id_token and a refresh token.
	scopes string
	// opaqueScopes lead to an opaque access token that userinfo accepts, and plainScopes to one without an id_token.
	opaqueScopes, plainScopes string
	// audience is the aud of client assertions. The request of a client with an assertion has a client_id too if clientIDWithAssertion.
	audience              string
	clientIDWithAssertion bool
	// check checks one DPoP proof, without HTTP. If nil, the subject has no DPoP.
	check func() error
	// expire moves the clock behind the end of everything, and removes what has expired. If nil, the subject does not remove records.
	expire func() error
	// keep keeps the store reachable while its size is measured.
	keep any
}

// paths are the paths of the endpoints.
type paths struct{ authorize, token, userInfo, introspection, metadata, jwks string }

// subjects returns the subjects in the order of the columns.
func subjects() []subject {
	return append([]subject{null(), floor(), portnerSubject(), zitadel(), fositeSubject()}, more...)
}

// more are the subjects of files that are not in every build (variant.go).
var more []subject

// peerModules are the modules whose versions the table names.
var peerModules = []string{"github.com/zitadel/oidc/v3", "github.com/ory/fosite", "github.com/luikyv/go-oidc"}

func find(name string) (subject, error) {
	for _, s := range subjects() {
		if s.name == name {
			return s, nil
		}
	}
	return subject{}, fmt.Errorf("no subject %q", name)
}

// lifetime is how long tokens and codes live, in every subject.
const lifetime = time.Hour
