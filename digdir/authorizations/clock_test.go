package authorizations_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
)

// heldBody is a body that is held back for an hour.
type heldBody struct {
	io.Reader
	now *time.Time
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		*b.now = b.now.Add(time.Hour)
	}
	return n, err
}

// TestClockIsReadAfterTheBody checks that a machine that holds back the body of its request is authenticated, and that authorizations
// are listed, at the time when the body was read (docs/threat-model.md C11).
func TestClockIsReadAfterTheBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	w.cfg.Now = func() time.Time { return now }
	api, err := authorizations.New(w.cfg)
	require.NoError(t, err)
	list := func(body io.Reader) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/clients/authorizations", body)
		r.Header.Set("Authorization", "Bearer "+optest.Org)
		rec := httptest.NewRecorder()
		api.Handler().ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code, rec.Body)
		return rec.Body.String()
	}
	require.Contains(t, list(strings.NewReader(aboutKari)), "tjeneste")
	require.Equal(t, "[]", list(&heldBody{strings.NewReader(aboutKari), &now}), "it has expired meanwhile")
}
