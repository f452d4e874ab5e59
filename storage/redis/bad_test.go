package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
	"github.com/portner-go/portner/storage/storagetest"
)

// badVariable makes TestSuiteRejectsBadStores run storagetest with a bad store instead.
const badVariable = "PORTNER_BAD_STORE"

// TestSuiteRejectsBadStores verifies that storagetest rejects commands that look right: they are sent to a real server, by a process of
// their own, because the test fails there.
func TestSuiteRejectsBadStores(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	if bad := os.Getenv(badVariable); bad != "" {
		storagetest.Run(t, func(t *testing.T) provider.Store { return badStore{open(t), connect(t, shared.Addr), bad} })
		return
	}
	for name, tt := range map[string]struct{ bad, run, says string }{
		"GETDEL":           {"GETDEL", "/^Race$/^one_code$", "got storage: not found, want one of"},
		"GETDEL, a replay": {"GETDEL", "/^RedeemCode$/^once$", "got storage: not found, want storage: already consumed"},
		"GET and then DEL": {"GET", "/^Race$/^one_code$", "callers got nil, want exactly 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestSuiteRejectsBadStores$"+tt.run, "-test.v")
			cmd.Env = append(os.Environ(), badVariable+"="+tt.bad, storagetest.Variable+"=normal")
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "storagetest passes: %s", out)
			require.Contains(t, string(out), tt.says)
		})
	}
}

// badStore keeps its codes under keys of its own.
type badStore struct {
	*redis.Store
	client *goredis.Client
	bad    string
}

func badKey(h storage.Hash) string { return "bad " + string(h[:]) }

func (s badStore) FinishRequest(ctx context.Context, o storage.Outcome, _ time.Time) error {
	record, err := json.Marshal(o.Code)
	if err != nil {
		return err
	}
	return s.client.Set(ctx, badKey(o.Code.Hash), record, time.Minute).Err()
}

func (s badStore) Code(ctx context.Context, h storage.Hash, _ time.Time) (c storage.AuthorizationCode, err error) {
	text, err := s.client.Get(ctx, badKey(h)).Bytes()
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, unknown(err)
}

func unknown(err error) error {
	if errors.Is(err, goredis.Nil) {
		return storage.ErrNotFound
	}
	return err
}

func (s badStore) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	var err error
	switch s.bad {
	case "GETDEL":
		err = s.client.GetDel(ctx, badKey(h)).Err()
	case "GET":
		if err = s.client.Get(ctx, badKey(h)).Err(); err == nil {
			err = s.client.Del(ctx, badKey(h)).Err()
		} else if errors.Is(err, goredis.Nil) {
			return storage.ErrConsumed
		}
	}
	if err != nil {
		return unknown(err)
	}
	own := *i // each winner has a grant of its own
	own.Grant.ID += " " + i.Access.JTI
	own.Access.GrantID = own.Grant.ID
	refresh := *i.Refresh
	refresh.GrantID, own.Refresh = own.Grant.ID, &refresh
	return s.InsertGrant(ctx, &own, now)
}
