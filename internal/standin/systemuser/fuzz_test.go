package systemuser_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzBody: the response to any body is JSON and no fault. A body that is no JSON object is rejected.
func FuzzBody(f *testing.F) {
	endpoints := []string{"POST systemregister/vendor", "POST systemuser/request/vendor", "PUT systemregister/vendor/" + system}
	for i := range endpoints {
		for _, body := range []string{"", "{}", "null", "[]", `{"id":1}`, `{"id":"a","id":"b"}`, `{"vendor":{"ID":"0192:991825827"}}`, `{"systemId":null}`, `{"unknown":1}`, `{"rights":[{"resource":[]}]}`} {
			f.Add(uint8(i), body)
		}
		for _, o := range []object{smartcloud(), request()} {
			text, err := json.Marshal(o)
			require.NoError(f, err)
			f.Add(uint8(i), string(text))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		w := registered(t)
		a := w.call(w.writer(), endpoints[int(which)%len(endpoints)], body)
		require.Less(t, a.status, 500, a.raw)
		require.True(t, a.raw == "" || json.Valid([]byte(a.raw)), a.raw)
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &object) != nil || object == nil {
			require.GreaterOrEqual(t, a.status, 400, a.raw)
		}
	})
}
