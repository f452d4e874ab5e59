package client_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/stretchr/testify/require"
)

func TestBasicIsStrict(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tc := range []struct {
		header, id, secret string
		ok                 bool
	}{
		{"Basic " + b64("id:secret"), "id", "secret", true},
		{"basic " + b64("id:secret"), "id", "secret", true},
		{"BASIC   " + b64("id:secret"), "id", "secret", true},
		{"Basic " + b64("a%3Ab:c%3Ad"), "a:b", "c:d", true},
		{"Basic " + b64("a+b:c%2Bd"), "a b", "c+d", true},
		{"Basic " + b64("a%253Ab:x"), "a%3Ab", "x", true}, // decoded once
		{"Basic " + b64("id:"), "id", "", true},           // a wrong secret, not a malformed field
		{"Basic " + b64(":secret"), "", "", false},
		{"Basic " + b64("id"), "", "", false},
		{"Basic " + b64("id:se:cret"), "", "", false},
		{"Basic " + b64("id::"), "", "", false},
		{"Basic " + b64("id:%zz"), "", "", false},
		{"Basic " + b64("id:%"), "", "", false},
		{"Basic " + b64("id:a%00b"), "", "", false},
		{"Basic " + b64("id:a%0Ab"), "", "", false},
		{"Basic " + b64("id:a\nb"), "", "", false},
		{"Basic " + b64("id:%C3%B8"), "", "", false},
		{"Basic " + b64("id:ø"), "", "", false},
		{"Basic " + b64("id:a%7Fb"), "", "", false},
		{"Basic " + strings.TrimRight(b64("id:secret1"), "="), "", "", false}, // no padding
		{"Basic " + b64("id:secret") + "=", "", "", false},
		{"Basic " + b64("id:secret") + " ", "", "", false},
		{"Basic " + b64("id:secret") + "\n", "", "", false},
		{"Basic " + b64("id:secret")[:4] + "\n" + b64("id:secret")[4:], "", "", false},
		{"Basic " + b64("id:secret")[:4] + "\r" + b64("id:secret")[4:], "", "", false},
		{"Basic " + b64("id:secret") + "," + b64("id:secret"), "", "", false},
		{"Basic aWQ6c2VjcmV0MR==", "", "", false}, // spare bits set
		{"Basic _-8:", "", "", false},             // base64url
		{"Basic\t" + b64("id:secret"), "", "", false},
		{"Basic" + b64("id:secret"), "", "", false},
		{"Basic", "", "", false},
		{"Basic ", "", "", false},
		{" Basic " + b64("id:secret"), "", "", false},
		{"Bearer " + b64("id:secret"), "", "", false},
		{"DPoP x", "", "", false},
		{"", "", "", false},
	} {
		id, secret, ok := client.DecodeBasic(tc.header)
		require.Equal(t, tc.ok, ok, "%q", tc.header)
		if tc.ok {
			require.Equal(t, tc.id, id)
			require.Equal(t, tc.secret, secret)
		}
	}
}

// FuzzBasic compares with net/http: credentials that are accepted are equal there, and credentials that net/http reads from a
// properly encoded field are accepted.
func FuzzBasic(f *testing.F) {
	for _, raw := range []string{"id:secret", "a%3Ab:c%3Ad", "a+b:c%2Bd", ":", "id", "id:a:b", "id:%zz", "\xff:x", "id:ø"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(raw)))
		f.Add("bAsIc  " + base64.RawStdEncoding.EncodeToString([]byte(raw)))
	}
	f.Add("Basic aWQ6\nc2Vj")
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, ok := client.DecodeBasic(header)
		r := http.Request{Header: http.Header{"Authorization": {header}}}
		user, pass, refOK := r.BasicAuth()
		refID, err1 := url.QueryUnescape(user)
		refSecret, err2 := url.QueryUnescape(pass)
		if ok && !strings.HasPrefix(header[6:], " ") {
			require.True(t, refOK)
			require.NoError(t, err1)
			require.NoError(t, err2)
			require.Equal(t, [2]string{refID, refSecret}, [2]string{id, secret})
			require.Equal(t, header[6:], base64.StdEncoding.EncodeToString([]byte(user+":"+pass)), "more than one spelling")
		}
		proper := refOK && err1 == nil && err2 == nil && refID != "" && visible(user+pass+refID+refSecret) && !strings.Contains(pass, ":")
		if proper && header[6:] == base64.StdEncoding.EncodeToString([]byte(user+":"+pass)) {
			require.True(t, ok, "%q", header)
		}
	})
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}
