package authorize_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// authorized returns the grants that events name.
func (w *world) authorized() (ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Name == portner.EventAuthorized {
			ids = append(ids, e.GrantID)
		}
	}
	w.events = nil
	return ids
}

// TestSubmittedTwiceIsOneLogin: a form that is posted twice is one entry of the login history, and every event names the grant that the
// store has, also after a new secret was put in front.
func TestSubmittedTwiceIsOneLogin(t *testing.T) {
	t.Parallel()
	past := memory.New()
	var cfg authorize.Config
	w := newWorld(t, func(c *authorize.Config) {
		c.History = past
		cfg = *c
	})
	b, lost := w.browser(), w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("user", "kari")
	lost.isAlso(b)
	code := requireCode(t, b.post("/login", form))
	requireCode(t, lost.post("/login", form))
	requireCode(t, b.post("/login", form))
	cfg.Secrets = append([]portner.Secret{portner.NewSecret()}, cfg.Secrets...)
	rotated := must(authorize.New(cfg))
	w.mux.Handle("/rotated", rotated.Page(func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: acr.Substantial})
	}))
	require.Equal(t, code, requireCode(t, b.post("/rotated", form)))

	stored, err := w.store.Code(t.Context(), storage.HashOf(code), w.clock())
	require.NoError(t, err)
	id := stored.Grant.ID
	require.Equal(t, []string{id, id, id, id}, w.authorized())
	logins, err := past.Logins(t.Context(), w.vault.UserKey("kari"), w.clock())
	require.NoError(t, err)
	require.Len(t, logins, 1)
	require.Equal(t, id, logins[0].ID)

	requireCode(t, b.authorize(params("web")))
	logins, err = past.Logins(t.Context(), w.vault.UserKey("kari"), w.clock())
	require.NoError(t, err)
	require.Len(t, logins, 2, "another request is another login")
	require.Equal(t, "Federated", logins[0].Method)
	require.Equal(t, "BankID", logins[1].Method)
}

// TestSubmittedAtOnceIsOneLogin: of posts at the same time, one is recorded.
func TestSubmittedAtOnceIsOneLogin(t *testing.T) {
	t.Parallel()
	past := memory.New()
	w := newWorld(t, func(c *authorize.Config) { c.History = past })
	for round := range slow.Rounds(500) {
		b := w.browser()
		form := b.open(b.authorize(params("web", "prompt", "login")), "/login")
		form.Set("user", "kari")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				again := w.browser()
				again.isAlso(b)
				again.post("/login", form)
			})
		}
		wg.Wait()
		logins, err := past.Logins(t.Context(), w.vault.UserKey("kari"), w.clock())
		require.NoError(t, err)
		require.Len(t, logins, min(round+1, 200))
		ids := w.authorized()
		require.Equal(t, []string{logins[0].ID, logins[0].ID}, ids)
	}
}
