package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/scope"
)

// database is a driver.Connector over values by statement and identifier.
type database map[string]map[string]string

func (d database) Connect(context.Context) (driver.Conn, error) { return conn(d), nil }
func (d database) Driver() driver.Driver                        { return nil }

type conn map[string]map[string]string

func (c conn) Prepare(query string) (driver.Stmt, error) { return stmt{c[query]}, nil }
func (c conn) Close() error                              { return nil }
func (c conn) Begin() (driver.Tx, error)                 { return nil, errors.ErrUnsupported }

type stmt struct{ table map[string]string }

func (stmt) Close() error                               { return nil }
func (stmt) NumInput() int                              { return 1 }
func (stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s stmt) Query(args []driver.Value) (driver.Rows, error) {
	if text, ok := s.table[args[0].(string)]; ok {
		return &rows{text}, nil
	}
	return &rows{}, nil
}

type rows struct{ text string }

func (*rows) Columns() []string { return []string{"text"} }
func (*rows) Close() error      { return nil }
func (r *rows) Next(dest []driver.Value) error {
	if r.text == "" {
		return io.EOF
	}
	dest[0], r.text = []byte(r.text), ""
	return nil
}

func registration(t *testing.T, id, subjectType string) string {
	t.Helper()
	secret, err := client.NewSecret(optest.Secret, time.Time{})
	require.NoError(t, err)
	text, err := json.Marshal(client.Client{
		ClientID: id, ClientName: "The application " + id, SubjectType: subjectType, RedirectURIs: []string{optest.RedirectURI(id)},
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, Secrets: []client.Secret{secret},
		Scopes: []string{"openid", "profile", scope.Introspection},
	})
	require.NoError(t, err)
	return string(text)
}

// start returns the provider of the program over a database.
func start(t *testing.T, users map[string]string) *optest.OP {
	t.Helper()
	t.Setenv("APP_SECRET", rand.Text()+rand.Text())
	t.Setenv("APP_PAIRWISE_KEY", rand.Text()+rand.Text())
	check = func(r *http.Request, _ string) (string, []string) {
		if r.PostForm.Get("password") != "passord" {
			return "", nil
		}
		return r.PostForm.Get("user"), []string{"pwd"}
	}
	keys, err := keyset.Directory{Path: t.TempDir(), Alg: keyset.ES256}.Open()
	require.NoError(t, err)
	op, err := newProvider(sql.OpenDB(database{
		"select registration from client where id = ?": {
			"app": registration(t, "app", client.Public), "other": registration(t, "other", client.Pairwise),
		},
		"select claims from user where id = ?": users,
	}), keys)
	require.NoError(t, err)
	return &optest.OP{Provider: op, Keys: keys}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func logIn(t *testing.T, op *optest.OP, clientID string) optest.Answer {
	t.Helper()
	r, b := op.Request(clientID, "openid profile"), op.Browser()
	p := b.Get(t, r.URL())
	for _, password := range []string{"feil", "passord"} { // a wrong password shows the page again
		m := csrfField.FindStringSubmatch(p.Body)
		require.Len(t, m, 2, p.Body)
		require.Contains(t, p.Body, "Log in to The application "+clientID)
		p.Header.Set("X-Test-Csrf", m[1])
		p = b.Post(t, p, url.Values{"user": {"kari"}, "password": {password}})
	}
	a := op.Exchange(t, r, p.Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	return a
}

// documents returns the four documents with claims about the user.
func documents(t *testing.T, op *optest.OP, clientID string, a optest.Answer) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{
		"introspection": op.Introspect(t, clientID, a.String("access_token")).JSON, "userinfo": op.UserInfo(t, a.String("access_token")).JSON,
	}
	for _, name := range []string{"id_token", "access_token"} {
		payload, _ := optest.Verified(t, op.Keys, a.String(name), time.Now())
		var claims map[string]any
		require.NoError(t, json.Unmarshal(payload, &claims))
		all[name] = claims
	}
	return all
}

// TestLogin: the claims of the host are part of every document, and so is the subject that the registration of the client selects.
func TestLogin(t *testing.T) {
	users := map[string]string{"kari": `{"roles": ["admin"], "tenant_id": "t1"}`}
	op := start(t, users)
	a := logIn(t, op, "app")
	for name, claims := range documents(t, op, "app", a) {
		require.Equal(t, []any{"admin"}, claims["roles"], name)
		require.Equal(t, "t1", claims["tenant_id"], name)
		require.Equal(t, "kari", claims["sub"], name)
	}
	subjects := map[any]bool{}
	other := logIn(t, op, "other")
	for _, claims := range documents(t, op, "other", other) {
		subjects[claims["sub"]] = true
	}
	require.Len(t, subjects, 1)
	require.NotContains(t, subjects, "kari")

	users["kari"] = `{"roles": ["reader"], "tenant_id": "t1"}`
	require.Equal(t, []any{"reader"}, op.UserInfo(t, a.String("access_token")).JSON["roles"], "the user is loaded for every request")
	delete(users, "kari")
	require.Equal(t, http.StatusUnauthorized, op.UserInfo(t, a.String("access_token")).Status)
	require.Equal(t, "invalid_grant", op.Refresh(t, "app", a.String("refresh_token")).String("error"))
}

func TestCancel(t *testing.T) {
	op := start(t, nil)
	b := op.Browser()
	p := b.Get(t, op.Request("app", "openid").URL())
	p.Header.Set("X-Test-Csrf", csrfField.FindStringSubmatch(p.Body)[1])
	p = b.Post(t, p, url.Values{"cancel": {"1"}})
	require.Equal(t, "access_denied", p.Left.Query().Get("error"))
}

// TestConfiguration: every problem of the configuration has the name of its field.
func TestConfiguration(t *testing.T) {
	t.Setenv("APP_SECRET", "change me")
	t.Setenv("APP_PAIRWISE_KEY", "")
	_, err := newProvider(nil, nil)
	var fields []string
	for _, e := range portner.FieldErrors(err) {
		fields = append(fields, e.Field)
	}
	require.ElementsMatch(t, []string{"Keys", "Secrets[0]", "PairwiseKey"}, fields, "%v", err)
}
