package strictjson_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/strictjson"
)

// FuzzDecode: what is accepted has the value that encoding/json finds, also if encoding/json rejects unknown members.
func FuzzDecode(f *testing.F) {
	type inner struct {
		A string         `json:"a"`
		B []int          `json:"b"`
		C map[string]any `json:"c"`
	}
	type outer struct {
		inner

		D *inner  `json:"d"`
		E []inner `json:"e"`
		F bool    `json:"f"`
	}
	for _, text := range []string{
		"{}", "", "null", "[]", `{"a":"x","b":[1],"c":{"d":1}}`, `{"A":"x"}`, `{"a":"x","a":"y"}`, `{"d":{"d":1}}`, `{"e":[{"a":"x"},{}]}`, `{"f":1}`, "\xef\xbb\xbf{}", `{} {}`, `{"c":{"c":1,"c":2}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want outer
		if strictjson.Decode(text, &got) != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&want))
		require.Equal(t, want, got)
	})
}
