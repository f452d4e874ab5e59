package standin

import (
	"net/http"
	"net/http/httptest"
)

// Inside is a transport to a handler in the process, such as that of a server without a listener.
type Inside struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (h Inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:1"
	out := httptest.NewRecorder()
	h.ServeHTTP(out, in)
	resp := out.Result()
	resp.Request = r
	return resp, nil
}
