package ansattporten_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	leikanger = "987464291" // docs/spec/ansattporten.md §6.6
	digdir    = "991825827"
	brreg     = "974760673"

	service = "urn:altinn:resource:2480:40"
	case3   = "urn:altinn:resource:sak-3"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// register is a source of reportees, employers and mandates. The zero value is empty.
type register struct {
	mu        sync.Mutex
	resources map[string]ansattporten.Resource
	employers []ansattporten.Reportee
	mandates  []ansattporten.Mandate
	err       error
	unknown   bool // there is no such resource
	missing   bool // the same, before the login
	lookup    error
	calls     int
}

func (r *register) Exist(context.Context, []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing {
		return fmt.Errorf("%w: unknown resource", rar.ErrValue)
	}
	return r.lookup
}

func (r *register) Reportees(_ context.Context, _ norway.PID, resources []string) ([]ansattporten.Resource, error) {
	r.called()
	if r.unknown {
		return nil, fmt.Errorf("%w: unknown resource", rar.ErrValue)
	}
	all := make([]ansattporten.Resource, len(resources))
	for i, name := range resources {
		all[i] = r.resources[name]
	}
	return all, r.err
}

func (r *register) called() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
}

func (r *register) Employers(context.Context, string) ([]ansattporten.Reportee, error) {
	r.called()
	return r.employers, r.err
}

func (r *register) Mandates(context.Context, norway.PID, []string) ([]ansattporten.Mandate, error) {
	r.called()
	return r.mandates, r.err
}

// brregServices returns a register with the service of docs/spec/ansattporten.md §6.6.
func brregServices() *register {
	return &register{resources: map[string]ansattporten.Resource{service: {
		Name: "Produkter og tjenester fra Brønnøysundregistrene",
		Reportees: []ansattporten.Reportee{
			{},
			{Orgno: leikanger, Name: "DIGITALISERINGSDIREKTORATET AVD LEIKANGER", UnitType: "BEDR", Rights: []string{"Read", "ArchiveDelete", "ArchiveRead"}},
			{Orgno: digdir, Name: "DIGITALISERINGSDIREKTORATET", UnitType: "ORGL", Rights: []string{"Read"}},
		},
	}}}
}

func types(r *register) *rar.Registry {
	return must(rar.NewRegistry(ansattporten.ServiceType(r), ansattporten.ResourceType(r), ansattporten.OrgnoType(r), ansattporten.FullmaktType(r)))
}

const personPID = "45840375084"

func login(name, pid, level string) session.Authentication {
	who := session.Identity{Subject: name, Attributes: map[string]string{"name": "Kari Nordmann"}}
	if pid != "" {
		who.Identifiers = optest.Identifiers(pid)
	}
	return session.Authentication{Identity: who, ACR: level, AMR: []string{"TestID"}}
}

// newOP returns an Ansattporten with the register.
func newOP(t testing.TB, r *register, change ...func(*provider.Config)) *optest.OP {
	t.Helper()
	return optest.New(t, optest.Options{
		Persons: map[string]session.Authentication{
			"kari": login("kari", personPID, acr.AnsattportenHigh), "entra": login("entra", "", acr.AnsattportenLow),
		},
		Change: func(c *provider.Config) {
			c.Profile, c.AuthorizationDetails = ansattporten.Profile(), types(r)
			for _, f := range change {
				f(c)
			}
		},
	})
}

func detail(members ...string) string {
	return `[{"type":"ansattporten:altinn:service","resource":"` + service + `"` + strings.Join(append([]string{""}, members...), ",") + `}]`
}

// represent logs kari in at the client and picks choices. If pick is nil, no representation page is expected.
func represent(t testing.TB, op *optest.OP, details string, pick []string) (optest.Request, optest.Page) {
	t.Helper()
	q := op.Request("tjeneste", "openid profile", "authorization_details", details)
	b := op.Browser()
	p := b.Login(t, q, "kari")
	if pick == nil {
		require.Equal(t, "", p.Step())
		return q, p
	}
	require.Equal(t, "representation", p.Step())
	return q, b.Post(t, p, url.Values{"choice": pick})
}

// claims returns the claims of a token.
func claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3)
	d := json.NewDecoder(bytes.NewReader(must(base64.RawURLEncoding.DecodeString(parts[1]))))
	d.UseNumber()
	var m map[string]any
	require.NoError(t, d.Decode(&m))
	return m
}

// TestVectors sends the requests of docs/spec/ansattporten.md §6.6 over HTTP.
func TestVectors(t *testing.T) {
	t.Parallel()
	t.Run("id_token", idTokenVector)
	t.Run("without_PKCE_state_or_nonce", func(t *testing.T) {
		t.Parallel()
		op := newOP(t, brregServices())
		for _, missing := range [][]string{{"code_challenge", "code_challenge_method"}, {"code_challenge"}, {"state"}, {"nonce"}} {
			q := op.Request("tjeneste", "openid")
			for _, name := range missing {
				q.Params.Del(name)
			}
			p := op.Browser().Get(t, q.URL())
			require.Equal(t, "invalid_request", p.Left.Query().Get("error"), missing)
		}
		relaxed := newOP(t, brregServices(), func(c *provider.Config) {
			inner := c.Clients
			c.Clients = source(func(ctx context.Context, id string) (*client.Client, error) {
				found, err := inner.Client(ctx, id)
				if err != nil {
					return nil, err
				}
				copied := *found
				copied.CodeChallengeMethod = "none"
				return &copied, nil
			})
		})
		q := relaxed.Request("tjeneste", "openid")
		q.Params.Del("code_challenge")
		q.Params.Del("code_challenge_method")
		require.Equal(t, "invalid_request", relaxed.Browser().Get(t, q.URL()).Left.Query().Get("error"), "the registration cannot opt out")
	})
	t.Run("no_representation", func(t *testing.T) {
		t.Parallel()
		op := newOP(t, &register{resources: map[string]ansattporten.Resource{service: {Name: "x"}}})
		q, p := represent(t, op, detail(), nil)
		a := op.Exchange(t, q, p.Code(t))
		require.Equal(t, []any{}, a.JSON["authorization_details"])
		require.Equal(t, []any{}, claims(t, a.String("id_token"))["authorization_details"])
	})
	t.Run("no_representation_though_required", func(t *testing.T) {
		t.Parallel()
		op := newOP(t, &register{resources: map[string]ansattporten.Resource{service: {Reportees: []ansattporten.Reportee{{}}}}})
		_, p := represent(t, op, detail(`"representation_is_required":true`), nil)
		require.Equal(t, "access_denied", p.Left.Query().Get("error"), "representing oneself is no representation")
		op = newOP(t, brregServices())
		_, p = represent(t, op, detail(`"representation_is_required":"true"`), []string{})
		require.Equal(t, "access_denied", p.Left.Query().Get("error"))
	})
	t.Run("types_mixed", func(t *testing.T) {
		t.Parallel()
		op := newOP(t, brregServices())
		for _, other := range []string{`{"type":"ansattporten:orgno"}`, `{"type":"ansattporten:altinn:resource","resource":"` + case3 + `"}`} {
			q := op.Request("tjeneste", "openid", "authorization_details", strings.TrimSuffix(detail(), "]")+","+other+"]")
			require.Equal(t, "invalid_authorization_details", op.Browser().Get(t, q.URL()).Left.Query().Get("error"))
		}
	})
	t.Run("capitals_as_documented", func(t *testing.T) {
		t.Parallel()
		r := brregServices()
		r.resources[case3] = r.resources[service]
		op := newOP(t, r)
		q, p := represent(t, op, detail(), []string{leikanger})
		text := string(must(json.Marshal(op.Exchange(t, q, p.Code(t)).JSON["authorization_details"])))
		require.Contains(t, text, `"Authority":"iso6523-actorid-upis"`)
		require.NotContains(t, text, `"authority"`)
		q, p = represent(t, op, `[{"type":"ansattporten:altinn:resource","resource":"`+case3+`"}]`, []string{leikanger})
		text = string(must(json.Marshal(op.Exchange(t, q, p.Code(t)).JSON["authorization_details"])))
		require.Contains(t, text, `"authority":"iso6523-actorid-upis"`)
		require.NotContains(t, text, `"Authority"`)
		// encoding/json reads both spellings.
		var read []struct {
			Parties []struct {
				Orgno struct{ Authority, ID string }
			} `json:"authorized_parties"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, "0192:"+leikanger, read[0].Parties[0].Orgno.ID)
	})
}

// source is a function as a client.Source.
type source func(context.Context, string) (*client.Client, error)

func (s source) Client(ctx context.Context, id string) (*client.Client, error) { return s(ctx, id) }

// idTokenVector compares the id_token with the published one, except for random claims and those of another client.
func idTokenVector(t *testing.T) {
	t.Parallel()
	issuedAt := time.Unix(1671033211, 0)
	op := newOP(t, brregServices(), func(c *provider.Config) { c.Now = func() time.Time { return issuedAt } })
	q, p := represent(t, op, detail(`"allow_multiple_organizations":"true"`), []string{leikanger})
	a := op.Exchange(t, q, p.Code(t))
	idToken, access := claims(t, a.String("id_token")), claims(t, a.String("access_token"))
	golden(t, "response_details.json", a.JSON["authorization_details"])
	require.Equal(t, idToken["authorization_details"], access["authorization_details"], "docs/spec/ansattporten.md §4.3")
	require.Len(t, access["authorization_details"], 1)

	var vector map[string]any
	d := json.NewDecoder(bytes.NewReader(must(os.ReadFile(filepath.Join("testdata", "vector_6_6.json")))))
	d.UseNumber()
	require.NoError(t, d.Decode(&vector))
	for name, value := range vector {
		switch name {
		case "iss", "sub", "aud": // of another provider and client
			require.IsType(t, value, idToken[name])
			continue
		}
		require.Equal(t, value, idToken[name], name)
	}
	require.Equal(t, "Kari Nordmann", idToken["name"], "Ansattporten adds name")
	require.NotContains(t, access, "name")
	require.Equal(t, idToken["sub"], access["sub"])
	for _, random := range []string{"jti", "sub", "sid"} {
		require.NotEmpty(t, idToken[random])
		idToken[random] = "..."
	}
	golden(t, "id_token.json", idToken)
}

// golden compares v with a file.
func golden(t testing.TB, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(v))
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
	}
	require.Equal(t, string(must(os.ReadFile(file))), b.String(), "run with -update after an intended change")
}
