package provider_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// ending is the body of a request. It records that it was read to its end.
type ending struct {
	io.Reader
	ended bool
}

func (b *ending) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func (*ending) Close() error { return nil }

// TestClockIsReadAfterTheBody checks that no endpoint reads the clock before it has read the body of a POST: a peer that holds back the
// body would decide the time of its request (docs/threat-model.md C11).
func TestClockIsReadAfterTheBody(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/revoke", "/logout", "/login", "/consent"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			body := &ending{Reader: strings.NewReader("client_id=tjeneste&token=x&request=x&grant_type=authorization_code&code=x")}
			early, read := 0, 0
			op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
				c.Now = func() time.Time {
					if read++; !body.ended {
						early++
					}
					return time.Now()
				}
			}})
			early, read = 0, 0
			r := httptest.NewRequestWithContext(t.Context(), "POST", optest.Issuer+path, nil)
			r.Body, r.ContentLength = body, -1
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", optest.Issuer)
			w := httptest.NewRecorder()
			op.ServeHTTP(w, r)
			require.True(t, body.ended, "%d %s", w.Code, w.Body)
			require.Positive(t, read, "the clock is read")
			require.Zero(t, early, "the clock is read before the body")
		})
	}
}
