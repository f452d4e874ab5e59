package realclients_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/resource"
)

// Values of the vendor's story.
const (
	vendorOrg, customerOrg = "991825827", "910753614"
	vendorClient           = "leverandorsystem"
	vendorSystem           = vendorOrg + "_regnskap"
	vendorAPIScope         = "test:regnskap"
	vendorScopes           = "altinn:authentication/systemregister.write altinn:authentication/systemuser.request.write"
)

// vendors are programs of a vendor whose system uses system users of Altinn.
var vendors = []struct {
	name    string
	command func(t *testing.T, dir string) *exec.Cmd
}{
	{"openid-client", nodeProgram("vendor.mjs")},
	{"Authlib", func(_ *testing.T, dir string) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "python", "bin", "python"), "-B", "python/vendor.py")
	}},
}

// TestSystemUser: a vendor registers its system at Altinn and requests a system user; a user of the customer approves it in a browser; the vendor
// gets tokens of Maskinporten for it, with which it calls an API, and exchanges one at Altinn.
func TestSystemUser(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			maskinporten, altinn := w.startLandscape()
			api := w.systemUserAPI(maskinporten)
			step := func(name string) object {
				t.Helper()
				cmd := v.command(t, dir)
				cmd.Args = append(cmd.Args, name)
				cmd.Env = append(os.Environ(), "ISSUER="+maskinporten, "ALTINN="+altinn, "API="+api, "CLIENT_ID="+vendorClient, "CLIENT_KEY="+w.path("vendor.key"), "KEY_ID="+keyID,
					"VENDOR="+vendorOrg, "CUSTOMER="+customerOrg, "SYSTEM="+vendorSystem, "SCOPE="+vendorAPIScope, "VENDOR_SCOPE="+vendorScopes,
					"NODE_EXTRA_CA_CERTS="+w.path("ca.pem"), "REQUESTS_CA_BUNDLE="+w.path("ca.pem"))
				var errs bytes.Buffer
				cmd.Stderr = &errs
				out, err := cmd.Output()
				require.NoError(t, err, "%s: %s%s", name, out, errs.String())
				var answer object
				require.NoError(t, json.Unmarshal(out, &answer), "%s: %s", name, out)
				return answer
			}

			request := step("request")
			require.Equal(t, "New", request["status"])
			early := step("token")
			require.Equal(t, "invalid_altinn_customer_configuration", early["error"])
			require.Contains(t, early["description"], "Invalid authorization details values")

			b := w.browser()
			page := b.get(request["confirmUrl"].(string))
			require.Contains(t, page.body, vendorSystem)
			var manager string
			for option := range page.all("option") {
				manager = attr(option, "value")
			}
			page = b.submit(page, "decide", url.Values{"user": {manager}, "decision": {"approve"}})
			require.Equal(t, http.StatusOK, page.status, page.body)
			require.Contains(t, page.body, "godkjent")

			id := request["id"]
			details := step("token")
			require.Equal(t, []any{id}, details["systemuser_id"])
			require.Equal(t, vendorSystem, details["system_id"])
			called := step("call")
			require.EqualValues(t, http.StatusForbidden, called["refused"], "a token without a system user")
			want := object{"customer": customerOrg, "system": vendorSystem, "system_user": id, "vendor": vendorOrg}
			require.Equal(t, want, called["first"])
			require.Equal(t, want, called["again"])
			require.Equal(t, true, called["new_token"])
			require.Equal(t, customerOrg, called["altinn"].(object)["systembruker_hos"])
		})
	}
}

// startLandscape starts a Maskinporten with the client of the vendor, and an Altinn. It returns the issuer of the one and the base URL of the other.
func (w *world) startLandscape() (maskinporten, altinn string) {
	w.t.Helper()
	addr := w.free()
	for addr == w.addr { // which is free, too
		addr = w.free()
	}
	maskinporten, altinn = "https://"+w.addr+"/", "https://"+addr
	jwks, _ := w.rsaKey("vendor.key")
	scopes := []object{{"name": vendorAPIScope, "accessible_for_all": true}}
	w.stand(programs.Maskinporten().Command(), w.addr, object{
		"issuer": maskinporten, "altinn": altinn + "/", "scopes": scopes,
		"clients": []object{{
			"client_id": vendorClient, "client_orgno": vendorOrg, "jwks": jwks,
			"scopes": []string{vendorAPIScope, "altinn:authentication/systemregister.write", "altinn:authentication/systemuser.request.write"},
		}},
	})
	w.stand(programs.Altinn().Command(), addr, object{
		"issuer":       altinn + "/authentication/api/v1/openid/",
		"maskinporten": object{"issuers": []object{{"issuer": maskinporten, "jwks_uri": maskinporten + "jwk"}}},
	})
	return maskinporten, altinn
}

// stand serves a stand-in until the end of the test.
func (w *world) stand(c standin.Command, addr string, config object) {
	w.t.Helper()
	text, err := json.Marshal(config)
	require.NoError(w.t, err)
	w.write(c.Name+".json", text)
	prepared, err := standintest.Prepare(w.t, c, slog.DiscardHandler, "-addr", addr, "-config", w.path(c.Name+".json"),
		"-tls-cert", w.path("tls.pem"), "-tls-key", w.path("tls.key"), "-insecure-trust-self-signed")
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- prepared.Serve(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
}

// systemUserAPI serves an API for system users with package resource, and returns its URL.
func (w *world) systemUserAPI(issuer string) string {
	w.t.Helper()
	l, err := net.Listen("tcp", w.host()+":0")
	require.NoError(w.t, err)
	base := "https://" + l.Addr().String()
	verifier, err := resource.New(resource.Config{Issuer: issuer, Keys: resource.RemoteKeys{URI: issuer + "jwk", HTTP: w.browser().http}, URL: base})
	require.NoError(w.t, err)
	api := verifier.Protect(resource.Rules{Scopes: []string{vendorAPIScope}, RequireMachine: true}, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token := resource.FromContext(r.Context())
		user, ok := token.SystemUser()
		if !ok {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(rw).Encode(object{"customer": user.Org.Orgno, "system": user.SystemID, "system_user": user.IDs[0], "vendor": token.Consumer.Orgno})
	}))
	server := &http.Server{Handler: api, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	go func() { _ = server.ServeTLS(l, w.path("tls.pem"), w.path("tls.key")) }()
	w.t.Cleanup(func() { _ = server.Close() })
	return base
}
