package krr_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
)

const (
	maskinporten = "https://test.maskinporten.no/"
	idporten     = "https://test.idporten.no"
	kari         = "21879498012"
	ola          = "45840375084"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

type object = map[string]any

// world is a register with the keys of its issuers.
type world struct {
	t                  *testing.T
	s                  *krr.Server
	machines, citizens *keyset.Set
	log                bytes.Buffer
}

// publish serves the keys of an issuer.
func publish(t *testing.T) (keys *keyset.Set, uri string) {
	t.Helper()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		doc, _ := keys.JWKS(now)
		_, _ = w.Write(doc)
	}))
	t.Cleanup(srv.Close)
	return keys, srv.URL
}

// open opens a server with a configuration, which is not served.
func open(t *testing.T, log *slog.Logger, config any, args ...string) (*krr.Server, error) {
	t.Helper()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "krr.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	s, err := standintest.Prepare(t, new(krr.Options).Command(), log.Handler(), append([]string{"-addr", "localhost:0", "-config", file}, args...)...)
	if err != nil {
		return nil, err
	}
	return s.(*krr.Server), nil
}

func newWorld(t *testing.T, persons ...object) *world {
	t.Helper()
	w := &world{t: t}
	if persons == nil {
		persons = []object{}
	}
	var at [2]string
	w.machines, at[0] = publish(t)
	w.citizens, at[1] = publish(t)
	s, err := open(t, slog.New(slog.NewJSONHandler(&w.log, nil)), object{
		"url": "http://localhost:8130", "maskinporten": []any{object{"issuer": maskinporten, "jwks_uri": at[0]}},
		"idporten": []any{object{"issuer": idporten, "jwks_uri": at[1]}}, "persons": persons,
	})
	require.NoError(t, err)
	s.Now = func() time.Time { return now }
	w.s = s
	return w
}

func (w *world) sign(keys *keyset.Set, claims object) string {
	w.t.Helper()
	raw, err := json.Marshal(claims)
	require.NoError(w.t, err)
	jwt, err := keys.Sign("", "", raw, now)
	require.NoError(w.t, err)
	return jwt
}

// machine returns a token of Maskinporten.
func (w *world) machine(scope string, further ...object) string {
	claims := object{
		"iss": maskinporten, "client_id": "etat", "client_amr": "private_key_jwt", "scope": scope, "token_type": "Bearer", "iat": now.Unix(), "exp": now.Unix() + 120, "jti": "j",
		"consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:974761076"},
	}
	for _, f := range further {
		for name, value := range f {
			claims[name] = value
		}
	}
	return w.sign(w.machines, claims)
}

// person returns a token of ID-porten.
func (w *world) person(pid, scope string) string {
	return w.sign(w.citizens, object{
		"iss": idporten, "sub": "s", "client_id": "etat", "scope": scope, "token_type": "Bearer", "iat": now.Unix(), "exp": now.Unix() + 120, "jti": "j", "acr": "idporten-loa-high",
		"pid": pid, "consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:974761076"},
	})
}

// call sends a request.
func (w *world) call(method, path, token, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8130"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a := httptest.NewRecorder()
	w.s.Handler().ServeHTTP(a, r)
	return a
}

func numbers(pids ...string) string {
	text, err := json.Marshal(object{"personidentifikatorer": pids})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// persons looks up persons.
func (w *world) persons(path, scope string, pids ...string) []any {
	w.t.Helper()
	a := w.call(http.MethodPost, path, w.machine(scope), numbers(pids...))
	require.Equal(w.t, http.StatusOK, a.Code, a.Body)
	require.Equal(w.t, "no-store", a.Header().Get("Cache-Control"))
	var got object
	require.NoError(w.t, json.Unmarshal(a.Body.Bytes(), &got))
	require.Len(w.t, got, 1)
	return got["personer"].([]any)
}

// synthetic returns a synthetic number that no configuration has.
func synthetic(t *testing.T, i int) string {
	t.Helper()
	pid, err := norway.SyntheticPID(time.Date(1990, 3, 4, 0, 0, 0, 0, time.UTC), i)
	require.NoError(t, err)
	return pid.Reveal()
}

// unborn returns a valid number that is not synthetic. Nobody has it: it is of a birth on the last day of 2039.
func unborn(t *testing.T) string {
	t.Helper()
	digit := func(number string, weights ...int) int {
		sum := 0
		for i, w := range weights {
			sum += w * int(number[i]-'0')
		}
		return (11 - sum%11) % 11
	}
	for i := 999; i > 500; i-- {
		n := fmt.Sprintf("311239%d", i)
		first := digit(n, 3, 7, 6, 1, 8, 9, 4, 5, 2)
		n += fmt.Sprint(first)
		second := digit(n[:10], 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
		if pid, err := norway.ParsePID(n + fmt.Sprint(second)); first < 10 && second < 10 && err == nil {
			require.False(t, pid.IsSynthetic())
			return pid.Reveal()
		}
	}
	t.Fatal("no number")
	return ""
}

// someone returns the persons of TestLookup.
func someone(t *testing.T) []object {
	return []object{
		{
			"pid": kari, "email": object{"value": "kari@example.no", "updated": "2024-01-02T03:04:05Z", "verified": "2025-12-31T00:00:00Z"},
			"mobile": object{"value": "+4712345678", "updated": "2024-01-02T03:04:05+01:00"}, "language": "se", "language_updated": "2025-01-01T00:00:00Z",
			"mailbox": "kari.nordmann#9YDT", "mailbox_provider_orgno": "984661185", "certificate": "MIIC",
		},
		{"pid": ola, "reserved": true, "reserved_at": "2026-01-01T00:00:00Z", "email": object{"value": "ola@example.no", "updated": "2026-05-01T00:00:00Z"}},
		{"pid": synthetic(t, 1), "email": object{"value": "gammel@example.no", "updated": "2024-11-30T12:00:00Z"}},
		{"pid": synthetic(t, 2), "deleted": true, "email": object{"value": "slettet@example.no", "updated": "2026-05-01T00:00:00Z"}},
		{"pid": synthetic(t, 3)},
	}
}

// TestLookup checks docs/spec/krr.md §3: what each scope shows of each person, in the order of the request.
func TestLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, someone(t)...)
	const both = "krr:global/kontaktinformasjon.read krr:global/digitalpost.read"
	full := object{
		"personidentifikator": kari, "reservasjon": "NEI", "status": "AKTIV", "varslingsstatus": "KAN_VARSLES", "spraak": "se", "spraak_oppdatert": "2025-01-01T00:00:00Z",
		"kontaktinformasjon": object{
			"epostadresse": "kari@example.no", "epostadresse_oppdatert": "2024-01-02T03:04:05Z", "epostadresse_sist_verifisert": "2025-12-31T00:00:00Z",
			"mobiltelefonnummer": "+4712345678", "mobiltelefonnummer_oppdatert": "2024-01-02T02:04:05Z",
		},
		"digital_post": object{"postkasseadresse": "kari.nordmann#9YDT", "postkasseleverandoeradresse": "984661185"}, "sertifikat": "MIIC",
	}
	only := func(names ...string) object {
		o := object{}
		for name, value := range full {
			if slices.Contains(names, name) {
				o[name] = value
			}
		}
		return o
	}
	always := []string{"personidentifikator", "reservasjon", "status"}
	for _, path := range []string{"/rest/v1/personer", "/rest/v2/personer"} {
		require.Equal(t, []any{full}, w.persons(path, both, kari))
		require.Equal(t, []any{only(append(always, "varslingsstatus", "spraak", "spraak_oppdatert", "kontaktinformasjon")...)}, w.persons(path, "krr:global/kontaktinformasjon.read", kari))
		require.Equal(t, []any{only(append(always, "digital_post", "sertifikat")...)}, w.persons(path, "x:y krr:global/digitalpost.read", kari))
	}
	got := w.persons("/rest/v1/personer", both, ola, synthetic(t, 4), synthetic(t, 1), synthetic(t, 2), synthetic(t, 3), ola)
	none := func(i int, status string) object {
		return object{"personidentifikator": synthetic(t, i), "reservasjon": "NEI", "status": status, "varslingsstatus": "KAN_IKKE_VARSLES"}
	}
	reserved := object{
		"personidentifikator": ola, "reservasjon": "JA", "reservasjonstidspunkt": "2026-01-01T00:00:00Z", "reservasjon_oppdatert": "2026-01-01T00:00:00Z", "status": "AKTIV",
		"varslingsstatus": "KAN_IKKE_VARSLES", "kontaktinformasjon": object{"epostadresse": "ola@example.no", "epostadresse_oppdatert": "2026-05-01T00:00:00Z"},
	}
	expired := none(1, "AKTIV") // 18 months ago
	expired["kontaktinformasjon"] = object{"epostadresse": "gammel@example.no", "epostadresse_oppdatert": "2024-11-30T12:00:00Z"}
	require.Equal(t, []any{reserved, none(4, "IKKE_REGISTRERT"), expired, none(2, "SLETTET"), none(3, "AKTIV"), reserved}, got)
}

// TestOwnEntry checks docs/spec/krr.md §4.
func TestOwnEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, someone(t)...)
	for scope, want := range map[string][]string{
		"openid krr:user/kontaktinformasjon.read":                    {"kontaktinformasjon", "varslingsstatus", "spraak"},
		"openid krr:user/digitalpost.read":                           {"digital_post", "sertifikat"},
		"krr:user/kontaktinformasjon.read krr:user/digitalpost.read": {"kontaktinformasjon", "digital_post"},
	} {
		a := w.call(http.MethodGet, "/rest/v1/person", w.person(kari, scope), "")
		require.Equal(t, http.StatusOK, a.Code, scope)
		var got object
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &got))
		require.Equal(t, kari, got["personidentifikator"])
		for _, name := range want {
			require.Contains(t, got, name, scope)
		}
		require.Equal(t, strings.Contains(scope, "digitalpost"), got["digital_post"] != nil, scope)
	}
	a := w.call(http.MethodGet, "/rest/v1/person", w.person(synthetic(t, 5), "krr:user/kontaktinformasjon.read"), "")
	require.Contains(t, a.Body.String(), "IKKE_REGISTRERT")
}

// TestTokens: each API accepts the tokens of its own issuer only, with its own scopes.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, someone(t)...)
	const scope, userScope = "krr:global/kontaktinformasjon.read", "krr:user/kontaktinformasjon.read"
	supplied := object{"supplier": object{"authority": "iso6523-actorid-upis", "ID": "0192:991825827"}, "delegation_source": "https://annen.example.no/"}
	for name, tc := range map[string]struct {
		token  string
		status int
	}{
		"none":                           {"", 401},
		"no token":                       {"x", 401},
		"of a user with its scope":       {w.person(kari, scope), 401}, // of another issuer than the API's
		"expired":                        {w.machine(scope, object{"iat": now.Unix() - 200, "exp": now.Unix() - 11}), 401},
		"for another API":                {w.machine(scope, object{"aud": "https://api.example.no"}), 401},
		"for this API":                   {w.machine(scope, object{"aud": "http://localhost:8130"}), 200},
		"other scope":                    {w.machine("krr:global/kontaktinformasjon"), 403},
		"the scope of users":             {w.machine(userScope), 403},
		"another delegation source":      {w.machine(scope, supplied), 403},
		"a supplier":                     {w.machine(scope, supplied, object{"delegation_source": "https://tt02.altinn.no/"}), 200},
		"a login with Maskinporten keys": {w.machine(scope, object{"sub": "s", "acr": "idporten-loa-high", "pid": kari}), 403},
		"a person-restricted machine":    {w.machine(scope, object{"pid": ola}), 200},
	} {
		a := w.call(http.MethodPost, "/rest/v1/personer", tc.token, numbers(kari))
		require.Equal(t, tc.status, a.Code, name)
		if tc.status != 200 {
			require.NotContains(t, a.Body.String(), kari, name)
			require.Contains(t, a.Header().Get("Www-Authenticate"), `Bearer realm="krr"`, name)
		}
	}
	for name, token := range map[string]string{"a machine": w.machine(userScope), "a machine with a pid": w.machine(userScope, object{"pid": kari}), "none": ""} {
		require.Equal(t, 401, w.call(http.MethodGet, "/rest/v1/person", token, "").Code, name)
	}
	require.Equal(t, 403, w.call(http.MethodGet, "/rest/v1/person", w.person(kari, "openid profile"), "").Code)
	require.NotContains(t, w.log.String(), kari)
	require.NotContains(t, w.log.String(), "example.no\"")
}

// requireRejected verifies that a response tells what is wrong, without a number of the request, and that the log has the reason.
func (w *world) requireRejected(a *httptest.ResponseRecorder, status int, reason, message string, name ...any) {
	w.t.Helper()
	require.Equal(w.t, status, a.Code, name...)
	var body struct {
		Status         int
		Error, Message string
	}
	require.NoError(w.t, json.Unmarshal(a.Body.Bytes(), &body))
	require.Equal(w.t, status, body.Status, name...)
	require.Equal(w.t, http.StatusText(status), body.Error, name...)
	require.Contains(w.t, body.Message, message, name...)
	require.NotContains(w.t, body.Message, kari[:6], name...)
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	require.Contains(w.t, lines[len(lines)-1], `"endpoint":"krr"`, name...)
	require.Contains(w.t, lines[len(lines)-1], `"reason":"`+reason+`"`, name...)
}

// TestBodies sends the bodies that are rejected (docs/spec/krr.md §3).
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.machine("krr:global/kontaktinformasjon.read")
	thousand := make([]string, 1000)
	for i := range thousand {
		thousand[i] = kari
	}
	require.Equal(t, http.StatusOK, w.call(http.MethodPost, "/rest/v1/personer", token, numbers(thousand...)).Code)
	unborn := unborn(t)
	const (
		object = "The body must be a JSON object with one member, personidentifikatorer."
		array  = "personidentifikatorer must be an array of 1 to 1000 strings."
	)
	for name, tc := range map[string]struct{ body, message string }{
		"no numbers":        {numbers(), array},
		"1001 numbers":      {numbers(append(thousand, ola)...), array},
		"ten digits":        {numbers("2187949801"), "personidentifikatorer[0] must be a national identity number"},
		"wrong check digit": {numbers(ola, "21879498013"), "personidentifikatorer[1] must be a national identity number"},
		"not synthetic":     {numbers(kari, unborn), "personidentifikatorer[1] must be a synthetic national identity number"},
		"no array":          {`{"personidentifikatorer":"` + kari + `"}`, array},
		"a number":          {`{"personidentifikatorer":[21879498012]}`, array},
		"unknown member":    {`{"personidentifikatorer":["` + kari + `"],"informasjonsbehov":[]}`, object},
		"another member":    {`{"personer":["` + kari + `"]}`, array},
		"member twice":      {`{"personidentifikatorer":["` + kari + `"],"personidentifikatorer":[]}`, object},
		"no object":         {`["` + kari + `"]`, object},
		"two objects":       {numbers(kari) + numbers(kari), object},
		"no JSON":           {`{"personidentifikatorer":["` + kari, object},
	} {
		a := w.call(http.MethodPost, "/rest/v1/personer", token, tc.body)
		w.requireRejected(a, http.StatusBadRequest, "body_malformed", tc.message, name)
	}
	large := w.call(http.MethodPost, "/rest/v1/personer", token, `{"personidentifikatorer":["`+strings.Repeat("1", 70<<10)+`"]}`)
	w.requireRejected(large, http.StatusRequestEntityTooLarge, "request_too_large", "The body must have at most 65536 bytes.")
	r := httptest.NewRequest(http.MethodPost, "/rest/v1/personer", strings.NewReader(numbers(kari)))
	r.Header.Set("Authorization", "Bearer "+token)
	a := httptest.NewRecorder()
	w.s.Handler().ServeHTTP(a, r)
	w.requireRejected(a, http.StatusUnsupportedMediaType, "body_media_type", "The Content-Type must be application/json.")
	for _, path := range []string{"/rest/v3/personer", "/rest/v1//personer", "/", "/rest/v1/person/" + kari} {
		w.requireRejected(w.call(http.MethodPost, path, token, numbers(kari)), http.StatusNotFound, "path_unknown", "The path is unknown.")
	}
	for request, allow := range map[string]string{
		"GET /rest/v1/personer": "POST", "PUT /rest/v2/personer": "POST", "POST /rest/v1/person": "GET, HEAD", "PATCH /rest/v1/person": "GET, HEAD",
	} {
		method, path, _ := strings.Cut(request, " ")
		a := w.call(method, path, token, "")
		w.requireRejected(a, http.StatusMethodNotAllowed, "method_not_allowed", "The methods of the path are "+allow+".", request)
		require.Equal(t, allow, a.Header().Get("Allow"), request)
	}
	require.NotContains(t, w.log.String(), unborn)
}

// TestConfiguration: problems are reported with the paths of their members, and no configuration holds the number of a person.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	_, err := open(t, log, object{
		"maskinporten": []any{object{}},
		"persons": []any{
			object{"pid": unborn(t)}, object{"pid": kari, "language": "de"}, object{"pid": kari, "mailbox": "x"}, object{"pid": ola, "email": object{"updated": now}},
		},
	})
	require.Error(t, err)
	for _, path := range []string{
		"maskinporten[0].issuer", "persons[0].pid", "persons[1].language", "persons[2].pid", "persons[2].mailbox_provider_orgno", "persons[3].email.value",
	} {
		require.ErrorContains(t, err, path)
	}
	_, err = open(t, log, object{"persons": []any{object{"pid": kari, "epost": "x"}}})
	require.ErrorContains(t, err, "persons[0].epost")
	_, err = open(t, log, object{}, "-store", "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	require.ErrorContains(t, err, "-store")

	s, err := open(t, log, object{})
	require.NoError(t, err)
	var out bytes.Buffer
	s.Greet(&out)
	require.Contains(t, out.String(), "/rest/v1/personer")
	require.Contains(t, fmt.Sprint(len(s.Config.Persons)), "2")
}
