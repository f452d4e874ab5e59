package storagetest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

// counting is a store that counts the calls of its methods.
type counting struct {
	*memory.Store
	calls *atomic.Int64
}

func (c counting) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	c.calls.Add(1)
	return c.Store.Session(ctx, h, now)
}

func (c counting) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	c.calls.Add(1)
	return c.Store.ReplaceSession(ctx, old, next, limit, now)
}

func (c counting) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	c.calls.Add(1)
	return c.Store.EndSession(ctx, h, now)
}

func (c counting) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	c.calls.Add(1)
	return c.Store.Consents(ctx, key, now)
}

func (c counting) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	c.calls.Add(1)
	return c.Store.FinishRequest(ctx, o, now)
}

func (c counting) Code(ctx context.Context, h storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	c.calls.Add(1)
	return c.Store.Code(ctx, h, now)
}

func (c counting) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	c.calls.Add(1)
	return c.Store.RedeemCode(ctx, h, i, now)
}

func (c counting) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	c.calls.Add(1)
	return c.Store.RefreshToken(ctx, h, now)
}

func (c counting) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	c.calls.Add(1)
	return c.Store.RotateRefreshToken(ctx, h, i, grace, now)
}

func (c counting) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	c.calls.Add(1)
	return c.Store.AccessToken(ctx, h, now)
}

func (c counting) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	c.calls.Add(1)
	return c.Store.Revoke(ctx, r, now)
}

func (c counting) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	c.calls.Add(1)
	return c.Store.Grants(ctx, q, now)
}

func (c counting) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	c.calls.Add(1)
	return c.Store.InsertGrant(ctx, i, now)
}

func (c counting) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	c.calls.Add(1)
	return c.Store.PushRequest(ctx, p, now)
}

func (c counting) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	c.calls.Add(1)
	return c.Store.ConsumePushedRequest(ctx, h, now)
}

func (c counting) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	c.calls.Add(1)
	return c.Store.ConsumeJTI(ctx, clientID, key, end, now)
}

func (c counting) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	c.calls.Add(1)
	return c.Store.SigningKeys(ctx, set)
}

func (c counting) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	c.calls.Add(1)
	return c.Store.InsertSigningKey(ctx, k)
}

func (c counting) DeleteSigningKey(ctx context.Context, set, kid string) error {
	c.calls.Add(1)
	return c.Store.DeleteSigningKey(ctx, set, kid)
}

// A short run takes less than 10 s on a store that takes 1 ms for each call: about 6,000 of one node, and 1,500 of several.
func TestShortRun(t *testing.T) {
	const variable = "PORTNER_COUNT_CALLS"
	if os.Getenv(variable) != "" {
		calls := &atomic.Int64{}
		storagetest.Run(t, func(*testing.T) provider.Store { return counting{memory.New(), calls} })
		t.Logf("calls of Run: %d", calls.Load())
		storagetest.RunPushedRequests(t, func(*testing.T) authorize.PushedRequestStore { return counting{memory.New(), calls} })
		storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return counting{memory.New(), calls} })
		storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return counting{memory.New(), calls} })
		storagetest.RunSigningKeys(t, func(*testing.T) keyset.Store { return counting{memory.New(), calls} })
		t.Logf("calls of all: %d", calls.Swap(0))
		storagetest.RunNodes(t, func(_ *testing.T, n int) []storagetest.Node {
			m := memory.New()
			s := counting{m, calls}
			return slices.Repeat([]storagetest.Node{{Store: s, PushedRequests: s, Replay: s, Sweep: m.Sweep}}, n)
		})
		t.Logf("calls of nodes: %d", calls.Load())
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestShortRun$", "-test.v", "-test.short")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the short run fails: %v\n%s", err, out)
	}
	for what, most := range map[string]int{"all": 9000, "nodes": 2500} {
		m := regexp.MustCompile(`calls of ` + what + `: (\d+)`).FindSubmatch(out)
		if m == nil {
			t.Fatalf("the short run does not report its calls of %s", what)
		}
		if n, _ := strconv.Atoi(string(m[1])); n > most {
			t.Errorf("a short run makes %d calls of %s, want at most %d", n, what, most)
		}
	}
}
