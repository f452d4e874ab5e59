package admin_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/memory"
)

// FuzzBody: a body of the API is accepted and has made an entry, or it is rejected with a JSON document and has changed nothing.
func FuzzBody(f *testing.F) {
	paths := []string{"/clients", "/scopes", "/users", "/delegations"}
	for i := range paths {
		for _, body := range []string{
			"", "{}", "null", "[]", `{"client_id":"a"}`, `{"client_name":"Etaten","client_orgno":"991825827","scopes":["a:b"]}`, `{"prefix":"nav","subscope":"test","owner_orgno":"974761076"}`,
			`{"username":"kari","pid":"21879498012"}`, `{"a":1,"a":2}`, `{"username":"` + strings.Repeat("x", 3000) + `"}`, `{"client_secret":"short","password":"\u0000"}`,
		} {
			f.Add(uint8(i), body)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		w := newWorld(t, memory.New(), nil)
		path := "/api/v1" + paths[int(which)%len(paths)]
		list := func() string {
			rec, _ := w.do("GET", path, "")
			return rec.Body.String()
		}
		before := list()
		rec, _ := w.do("POST", path, body, "Content-Type", "application/json")
		require.Less(t, rec.Code, 500, rec.Body.String())
		requireJSON(t, rec)
		require.Equal(t, rec.Code < 300, before != list(), "%d %s", rec.Code, rec.Body)
	})
}

func requireJSON(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	if rec.Body.Len() > 0 && strings.Contains(rec.Header().Get("Content-Type"), "json") {
		require.True(t, json.Valid(rec.Body.Bytes()), rec.Body.String())
	}
}
