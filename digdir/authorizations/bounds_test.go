package authorizations_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// readingStore counts the grants that it returns.
type readingStore struct {
	*memory.Store
	read atomic.Int64
}

func (s *readingStore) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	page, err := s.Store.Grants(ctx, q, now)
	s.read.Add(int64(len(page)))
	return page, err
}

// requireBounded calls f, and verifies that it reads at most most grants.
func (s *readingStore) requireBounded(t *testing.T, most int, f func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	s.read.Store(0)
	rec := f()
	require.LessOrEqual(t, int(s.read.Load()), most)
	return rec
}

// insertGrants inserts n grants of kari at a client, each a second older than the one before, and newer than start.
func (w *world) insertGrants(n int, client string, scopes []string, start time.Time) {
	w.t.Helper()
	like, err := w.op.Store.Grants(w.t.Context(), storage.GrantQuery{UserKey: w.cfg.Vault.UserKey("kari"), Limit: 100}, time.Now())
	require.NoError(w.t, err)
	for i := range n {
		g := like[0]
		g.ID, g.SessionID, g.LoginOnly = fmt.Sprintf("%s-%s-%d", client, strings.Join(scopes, "-"), i), "", false
		g.Pseudonymous = slices.Contains(scopes, "test:pseudonym")
		g.ClientID, g.Scopes, g.CreatedAt = client, scopes, start.Add(time.Duration(n-i)*time.Second)
		issue := storage.Issuance{Grant: g, Access: storage.AccessToken{Hash: storage.HashOf(g.ID), GrantID: g.ID, ExpiresAt: g.ExpiresAt}}
		require.NoError(w.t, w.op.Store.InsertGrant(w.t.Context(), &issue, time.Now()))
	}
}

// nextPage returns the query of the next page, or "".
func nextPage(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	link := rec.Header().Get("Link")
	if link == "" {
		return ""
	}
	require.Regexp(t, `^<\?[^>]*>; rel="next"$`, link)
	return strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
}

// TestListsAreBounded verifies that a request reads at most 1,000 grants and returns at most 100, however many the user has, and that
// its pages have each authorization once (docs/threat-model.md J18).
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := &readingStore{Store: w.op.Store}
	w.cfg.Store = store
	w.use()
	w.insertGrants(250, "tjeneste", []string{"openid", "test:consent"}, time.Now().Add(-time.Hour))
	w.insertGrants(2500, "profil", []string{"openid", "other:api"}, time.Now())
	for name, list := range map[string]struct {
		query string
		want  int
		call  func(query string) *httptest.ResponseRecorder
	}{
		"a user": {"", 251, func(q string) *httptest.ResponseRecorder {
			return w.call("GET", "/clients/authorizations"+q, w.own, "")
		}},
		"a machine": {"?visibility=", 251, func(q string) *httptest.ResponseRecorder {
			return w.call("POST", "/clients/authorizations"+q, optest.Org, aboutKari)
		}},
		"every authorization": {"?require_user_consent=false", 2752, func(q string) *httptest.ResponseRecorder {
			return w.call("GET", "/clients/authorizations"+q, w.own, "")
		}},
	} {
		seen := map[string]bool{}
		pages := 0
		for query, first := list.query, true; first || query != ""; pages++ {
			first = false
			rec := store.requireBounded(t, 1000, func() *httptest.ResponseRecorder { return list.call(query) })
			require.Equal(t, http.StatusOK, rec.Code, rec.Body)
			var page []authorizations.Authorization
			require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &page))
			require.LessOrEqual(t, len(page), authorizations.MaxPage)
			for _, one := range page {
				require.False(t, seen[one.ID], "%s: listed twice", name)
				seen[one.ID] = true
			}
			query = nextPage(t, rec)
		}
		require.Len(t, seen, list.want, name)
		require.LessOrEqual(t, pages, 2+list.want/authorizations.MaxPage+2500/1000, name)
	}
}

// TestOneAuthorizationIsReadAlone verifies that the authorization of an ID is found without the others of the user, and that a request
// that ends one reads at most 1,000.
func TestOneAuthorizationIsReadAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := &readingStore{Store: w.op.Store}
	w.cfg.Store = store
	w.use()
	id := w.list("GET", "/clients/authorizations", w.own, "")[0].ID
	w.insertGrants(2500, "tjeneste", []string{"openid", "test:consent"}, time.Now())
	rec := store.requireBounded(t, 1, func() *httptest.ResponseRecorder { return w.call("DELETE", "/authorizations/"+id, otherOrg, "") })
	require.Equal(t, http.StatusNotFound, rec.Code)
	store.requireBounded(t, 1, func() *httptest.ResponseRecorder {
		require.ErrorIs(t, w.api.Revoke(t.Context(), "ola", id, time.Now()), authorizations.ErrNotFound)
		return nil
	})
	rec = store.requireBounded(t, 1001, func() *httptest.ResponseRecorder { return w.call("DELETE", "/authorizations/"+id, optest.Org, "") })
	require.Equal(t, http.StatusNoContent, rec.Code)
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/"+id, optest.Org, "").Code, "it has ended")

	newest := w.list("GET", "/clients/authorizations", w.own, "")[0].ID
	store.requireBounded(t, 1, func() *httptest.ResponseRecorder {
		require.NoError(t, w.api.Revoke(t.Context(), "kari", newest, time.Now()))
		return nil
	})
	require.Empty(t, w.list("GET", "/clients/authorizations", w.own, ""), "the user ends every grant at once")
}

// TestUnreadGrantsDoNotEnd verifies that an organisation that ends an authorization ends no pseudonymous grant, also if the user has too
// many grants to read them all: what ends with it would show which pseudonym belongs to the user.
func TestUnreadGrantsDoNotEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.op.Request("profil", "test:pseudonym")
	pseudonymous := w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
	w.insertGrants(1500, "profil", []string{"openid", "other:api"}, time.Now())
	page, err := w.api.OfUser(t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, time.Now())
	require.NoError(t, err)
	require.Len(t, page.Authorizations, authorizations.MaxPage)
	rec := w.call("DELETE", "/authorizations/"+page.Authorizations[0].ID, optest.Org, "")
	require.Equal(t, http.StatusNoContent, rec.Code)
	_, _, err = w.op.Store.AccessToken(t.Context(), storage.HashOf(pseudonymous), time.Now())
	require.NoError(t, err, "the pseudonymous grant is live")
	again := w.call("DELETE", "/authorizations/"+page.Authorizations[99].ID, optest.Org, "")
	require.Equal(t, http.StatusNotFound, again.Code, "listed grants end with it")
}

// TestPositions verifies that a position is of one user, and names no authorization to a caller that may not see it.
func TestPositions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authorization := w.list("GET", "/clients/authorizations", w.own, "")[0].ID
	w.insertGrants(1100, "profil", []string{"test:pseudonym"}, time.Now())
	const any = "?require_user_consent=false"
	rec := w.call("GET", "/clients/authorizations"+any, w.own, "")
	require.JSONEq(t, "[]", rec.Body.String(), "pseudonymous grants only")
	query, err := url.ParseQuery(strings.TrimPrefix(nextPage(t, rec), "?"))
	require.NoError(t, err)
	position := query.Get("after")
	require.NotContains(t, position, "profil")
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/"+position, optest.Org, "").Code)
	require.Len(t, w.list("GET", "/clients/authorizations"+any+"&after="+position, w.own, ""), 2)
	next := nextPage(t, w.call("GET", "/clients/authorizations"+any, w.own, ""))
	require.NotEqual(t, position, strings.TrimPrefix(next, any+"&after="), "equal positions cannot be told")

	broken := []byte(position)
	broken[len(broken)/2] ^= 1
	for name, c := range map[string]struct{ token, after string }{
		"another user":     {w.loginAs("ola"), position},
		"changed":          {w.own, string(broken)},
		"no position":      {w.own, "x"},
		"an authorization": {w.own, authorization},
	} {
		rec := w.call("GET", "/clients/authorizations"+any+"&after="+url.QueryEscape(c.after), c.token, "")
		require.Equal(t, http.StatusBadRequest, rec.Code, name)
		require.Contains(t, rec.Body.String(), "after", name)
	}
	_, err = w.api.OfUser(t.Context(), "ola", authorizations.Filter{After: position}, time.Now())
	require.ErrorIs(t, err, authorizations.ErrNotFound)
}
