package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/helseidwalk"
	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/helseid"
	rules "github.com/portner-go/portner/nhn/helseid"
)

// bound is a request for a token that is bound to the key of a client (RFC 9449).
type bound struct {
	standin.TLS
	config, key, issuer, clientID, scope, organisation, api, method string

	client  journey.Client
	details any // claim assertion_details; nil without
}

func (b *bound) define(fs *flag.FlagSet) {
	fs.StringVar(&b.config, "config", "", "configuration `file` of the server (default: a server that ends with this command, with a client of its own)")
	fs.StringVar(&b.key, "key", "", "`file` with the private key of the client, a JWK; required with -config")
	fs.StringVar(&b.issuer, "issuer", "", "issuer `URL` of the running server (default: as the configuration)")
	fs.StringVar(&b.clientID, "client", "", "`client_id` (default: the first client of the configuration with client_credentials)")
	fs.StringVar(&b.scope, "scope", "", "`scopes`, separated by spaces (default: those of the client)")
	fs.StringVar(&b.organisation, "organisation", "", "`number` of the parent organisation of a multi-tenant client (default: the first one), or of the child organisation of a single-tenant client (default: none)")
	fs.StringVar(&b.api, "api", "", "`URL` of an API: print the header fields of a request to it, with a proof of the key; for curl -H @-")
	fs.StringVar(&b.method, "method", http.MethodGet, "`method` of that request")
	standin.BoolVar(fs, &b.InsecureTrustSelfSigned, "insecure-trust-self-signed", "requests accept any certificate")
}

// boundToken prints an access token of HelseID, or the header fields of a request with one.
func boundToken(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var b bound
	fs := flag.NewFlagSet("token helseid", flag.ContinueOnError)
	b.define(fs)
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
		return err
	}
	d, err := b.document()
	if err != nil {
		return err
	}
	if err := b.choose(d); err != nil {
		return err
	}
	b.client.HTTP = b.Outgoing()
	if b.config == "" || !listens(ctx, b.issuer) {
		if b.client.HTTP, err = temporary(ctx, "helseid", b.issuer, d, stderr); err != nil {
			return err
		}
	}
	more := map[string]any{}
	if b.details != nil {
		more["assertion_details"] = b.details
	}
	form := url.Values{"grant_type": {client.ClientCredentials}, "scope": {b.scope}}
	t, err := b.client.Token(ctx, &journey.Journal{}, journey.Call{}, journey.Call{}, form, more)
	if err != nil {
		return err
	}
	if b.api == "" {
		fmt.Fprintln(stderr, "portner token: the token is bound to the key of the client: an API accepts it with a proof only, which -api URL prints")
		_, err = fmt.Fprintln(stdout, t.AccessToken)
		return err
	}
	proof, err := b.client.Proof(b.method, b.api, t.AccessToken, "")
	if err == nil {
		_, err = fmt.Fprintf(stdout, "Authorization: DPoP %s\nDPoP: %s\n", t.AccessToken, proof)
	}
	return err
}

// document returns the configuration, and sets the key. Without -config both are new.
func (b *bound) document() (d standin.Document, err error) {
	if b.config == "" {
		if b.key != "" {
			return d, errors.New("-key: needs -config, which has the client of the key")
		}
		key, err := journey.NewKey()
		if err != nil {
			return d, err
		}
		b.client.Key = key
		d.Text, err = ownClient(key)
		return d, err
	}
	if b.key == "" {
		return d, errors.New("-key: is required with -config: the file with the private key of the client, a JWK")
	}
	text, err := os.ReadFile(b.key)
	if err != nil {
		return d, fmt.Errorf("-key: %w", err)
	}
	var jwk jose.JSONWebKey
	if json.Unmarshal(text, &jwk) != nil || jwk.IsPublic() || !jwk.Valid() {
		return d, fmt.Errorf("-key: %s must be a private key as JWK (RFC 7517)", b.key)
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return d, fmt.Errorf("-key: %s must be an EC or RSA key", b.key)
	}
	b.client.Key, b.client.KeyID, b.client.Algorithm = signer, jwk.KeyID, cmp.Or(jwk.Algorithm, algorithm(signer))
	return standin.ReadDocument(b.config)
}

// algorithm returns the algorithm of a key that names none.
func algorithm(key crypto.Signer) string {
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return string(jose.PS256)
	}
	return map[int]string{384: string(jose.ES384), 521: string(jose.ES512)}[ec.Params().BitSize] // "" is ES256
}

// ownClient returns a configuration with a client of a new key.
func ownClient(key *ecdsa.PrivateKey) ([]byte, error) {
	jwks, err := journey.JWKS(key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"clients": []any{map[string]any{
			"client_id": "mitt-system", "client_orgno": helseid.Hospital, "token_endpoint_auth_method": client.PrivateKeyJWT,
			"grant_types": []string{client.ClientCredentials}, "scopes": []string{helseid.ScopeJournal}, "jwks": jwks,
		}},
		"apis":          []any{map[string]any{"name": helseid.AudienceJournal, "scopes": []string{helseid.ScopeJournal}, "claims": helseid.APIClaims()}},
		"organisations": []any{map[string]any{"client_id": "mitt-system", "tenancy": rules.SingleTenant, "children": []string{helseid.Ward}}},
	})
}

// choose chooses the client, its scopes, its organisation and the issuer.
func (b *bound) choose(d standin.Document) error {
	opt := programs.HelseID()
	var flags []string
	if d.Path != "" {
		flags = []string{"-config", d.Path}
	}
	settings := opt.Command().Parse(flags, io.Discard)
	d.AllowHTTP = opt.AllowHTTP
	c, err := helseid.ParseConfig(d)
	if err := errors.Join(err, settings); err != nil {
		return err
	}
	i := slices.IndexFunc(c.Clients, func(e standin.ClientEntry) bool {
		return b.clientID == e.ClientID || b.clientID == "" && !e.Disabled && e.HasGrant(client.ClientCredentials)
	})
	if i < 0 {
		return fmt.Errorf("-client: the configuration has no client %q with client_credentials", b.clientID)
	}
	b.client.ID, b.scope = c.Clients[i].ClientID, cmp.Or(b.scope, strings.Join(c.Clients[i].Scopes, " "))
	b.issuer = cmp.Or(b.issuer, c.Issuer, "http://"+opt.Addr)
	b.client.Issuer = b.issuer
	r, err := c.Registration(context.Background(), b.client.ID)
	if err != nil {
		return fmt.Errorf("organisations: the configuration has none for client %s", b.client.ID)
	}
	switch {
	case r.Tenancy == rules.MultiTenant && len(r.Parents) > 0:
		b.details = helseidwalk.Parent(cmp.Or(b.organisation, r.Parents[0]))
	case b.organisation != "":
		b.details = helseidwalk.Child(b.organisation)
	}
	return nil
}
