package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/storagetest"
)

// badVariable and badDatabase make TestSuiteRejectsBadStores run storagetest with a bad store instead.
const (
	badVariable = "PORTNER_BAD_STORE"
	badDatabase = "PORTNER_BAD_DATABASE"
)

// TestSuiteRejectsBadStores verifies that storagetest rejects statements that look right: they are made on the real server, by a process of
// their own, because the test fails there.
func TestSuiteRejectsBadStores(t *testing.T) {
	if bad := os.Getenv(badVariable); bad != "" {
		pool := openPool(t, os.Getenv(badDatabase))
		s := badStore{openStore(t, pool, postgres.Config{}), pool, bad}
		storagetest.Run(t, func(*testing.T) provider.Store { return s })
		storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return s })
		return
	}
	t.Parallel()
	for bad, tt := range map[string]struct{ run, says string }{
		"read, then update":          {"/^Race$/^one_code$", "callers got nil, want exactly 1"},
		"serializable, not repeated": {"/^Race$/^one_code$", "could not serialize access"},
		"look up, then insert":       {"/^JTI$/^race$", "callers used one assertion, want exactly 1"},
	} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			_, err := d.pool.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS bad_codes (hash bytea PRIMARY KEY, used boolean NOT NULL, record jsonb NOT NULL);
				CREATE TABLE IF NOT EXISTS bad_jtis (hash bytea PRIMARY KEY); DELETE FROM bad_codes; DELETE FROM bad_jtis`)
			require.NoError(t, err)
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestSuiteRejectsBadStores$"+tt.run, "-test.v")
			cmd.Env = append(os.Environ(), badVariable+"="+bad, badDatabase+"="+d.url, storagetest.Variable+"=normal")
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "storagetest passes: %s", out)
			require.Contains(t, string(out), tt.says)
		})
	}
}

// badStore keeps its codes and jtis in tables of its own.
type badStore struct {
	*postgres.Store
	pool *pgxpool.Pool
	bad  string
}

func (s badStore) FinishRequest(ctx context.Context, o storage.Outcome, _ time.Time) error {
	record, err := json.Marshal(o.Code)
	if err == nil {
		_, err = s.pool.Exec(ctx, "INSERT INTO bad_codes (hash, used, record) VALUES ($1, false, $2)", o.Code.Hash[:], record)
	}
	return err
}

func (s badStore) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	mark := func(on statements) error { return markCode(ctx, on, h) }
	var err error
	if s.bad == "serializable, not repeated" {
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error { return mark(tx) })
	} else {
		err = mark(s.pool)
	}
	if err != nil {
		return err
	}
	own := *i // each winner has a grant of its own
	own.Grant.ID += " " + i.Access.JTI
	own.Access.GrantID = own.Grant.ID
	refresh := *i.Refresh
	refresh.GrantID, own.Refresh = own.Grant.ID, &refresh
	return s.InsertGrant(ctx, &own, now)
}

// statements is a pool or a transaction.
type statements interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// markCode reads a code and then marks it.
func markCode(ctx context.Context, on statements, h storage.Hash) error {
	var used bool
	if err := on.QueryRow(ctx, "SELECT used FROM bad_codes WHERE hash = $1", h[:]).Scan(&used); err != nil {
		return err
	}
	if used {
		return storage.ErrConsumed
	}
	_, err := on.Exec(ctx, "UPDATE bad_codes SET used = true WHERE hash = $1", h[:])
	return err
}

func (s badStore) ConsumeJTI(ctx context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	var known bool
	err := s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM bad_jtis WHERE hash = $1)", key[:]).Scan(&known)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", portner.ErrUnavailable, err)
	case known:
		return storage.ErrConsumed
	}
	_, err = s.pool.Exec(ctx, "INSERT INTO bad_jtis (hash) VALUES ($1) ON CONFLICT DO NOTHING", key[:])
	return err
}
