package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/storage/postgres"
)

// slice is the number of calls of one kind before those of the next kind, and rounds the number of slices of each.
const (
	benchCallers = 8
	benchSlice   = 400
	benchRounds  = 6
)

// kind is what a benchmark repeats: n is different in each call.
type kind struct {
	name string
	call func(n int) error
}

// interleave runs the kinds in turns, so that all of them meet the same conditions, and returns the median rate of each per second.
func interleave(b *testing.B, kinds []kind) map[string]float64 {
	b.Helper()
	all := map[string][]float64{}
	n := 0
	for range benchRounds {
		for _, k := range kinds {
			begin := time.Now()
			var callers sync.WaitGroup
			for c := range benchCallers {
				first := n + c*benchSlice/benchCallers
				callers.Go(func() {
					for i := range benchSlice / benchCallers {
						if err := k.call(first + i); err != nil {
							b.Error(k.name, err)
						}
					}
				})
			}
			callers.Wait()
			all[k.name] = append(all[k.name], benchSlice/time.Since(begin).Seconds())
			n += benchSlice
		}
	}
	rates := map[string]float64{}
	for name, list := range all {
		slices.Sort(list)
		rates[name] = list[len(list)/2]
	}
	return rates
}

// parallel calls f for each number below n.
func parallel(n int, f func(n int)) {
	var callers sync.WaitGroup
	for c := range benchCallers {
		callers.Go(func() {
			for i := c; i < n; i += benchCallers {
				f(i)
			}
		})
	}
	callers.Wait()
}

// Statements that write and read the same rows as the methods, without a check.
const (
	bareConsume = `UPDATE portner.grants SET consumed_at = $2, redeemed_at = $2 WHERE code_hash = $1`
	bareAccess  = `INSERT INTO portner.access_tokens (hash, grant_id, expires_at, inserted_at, remove_at, data) VALUES ($1, $2, $3, $4, $5, $6)`
	bareRefresh = `INSERT INTO portner.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at) VALUES ($1, $2, $3, $4, $5, $6)`
	bareRotate  = `UPDATE portner.refresh_tokens SET consumed_at = $2, successor = $3, used = true WHERE hash = $1`
	bareSession = `SELECT id, hash, user_key, version, started_at, last_request_at, expires_at, client_ids, client_sids, client_logins, client_open, data
		FROM portner.sessions WHERE hash = $1`
)

// BenchmarkBeside compares RedeemCode, RotateRefreshToken and Session with the bare statements of the same rows, by the same pool, in one
// run, with durable commits:
//
//	go test -run '^$' -bench Beside -benchtime 1x .
func BenchmarkBeside(b *testing.B) {
	dir, err := os.MkdirTemp("", "portner-postgres-bench")
	require.NoError(b, err)
	defer os.RemoveAll(dir)
	server, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "data"), Settings: map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB"}})
	require.NoError(b, err)
	defer server.Stop()
	pool := openPool(b, server.URL+"&pool_max_conns=8")
	defer pool.Close()
	require.NoError(b, postgres.Migrate(bg, pool))
	s := openStore(b, pool, postgres.Config{})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	sign := func() { // the id_token and the access token
		for range 2 {
			digest := sha256.Sum256(make([]byte, 900))
			_, _ = ecdsa.SignASN1(rand.Reader, key, digest[:])
		}
	}
	most := 3 * benchRounds * benchSlice
	parallel(most, func(n int) { require.NoError(b, s.FinishRequest(bg, outcomeOf(n, codeOf(n, epoch)), epoch)) })
	_, err = pool.Exec(bg, "VACUUM ANALYZE")
	require.NoError(b, err)

	tokens := func(batch *pgx.Batch, n, generation int) {
		i := issuanceOf(n, generation, codeOf(n, epoch), epoch)
		at, end := epoch.UnixNano(), epoch.Add(grantLife).UnixNano()
		batch.Queue(bareAccess, i.Access.Hash[:], i.Grant.ID, at, at, end, make([]byte, 150))
		batch.Queue(bareRefresh, i.Refresh.Hash[:], i.Grant.ID, int64(generation), at, at, end)
	}
	redeem := func(n int) error {
		c := codeOf(n, epoch)
		return s.RedeemCode(bg, c.Hash, issuanceOf(n, 0, c, epoch), epoch)
	}
	bare := func(n int) error {
		var batch pgx.Batch
		hash := codeOf(n, epoch).Hash
		batch.Queue(bareConsume, hash[:], epoch.UnixNano())
		tokens(&batch, n, 0)
		return pool.SendBatch(bg, &batch).Close()
	}
	for range b.N {
		report(b, "RedeemCode", interleave(b, []kind{{"method", redeem}, {"bare", bare}, {"signed", func(n int) error { sign(); return redeem(n) }}}))
	}
	// The bare statements inserted the tokens of their grants, too.
	rotate := func(n int) error {
		c := codeOf(n, epoch)
		return s.RotateRefreshToken(bg, issuanceOf(n, 0, c, epoch).Refresh.Hash, issuanceOf(n, 1, c, epoch), 0, epoch)
	}
	bareRotation := func(n int) error {
		var batch pgx.Batch
		c := codeOf(n, epoch)
		old, next := issuanceOf(n, 0, c, epoch).Refresh.Hash, issuanceOf(n, 1, c, epoch).Refresh.Hash
		batch.Queue(bareRotate, old[:], epoch.UnixNano(), next[:])
		tokens(&batch, n, 1)
		return pool.SendBatch(bg, &batch).Close()
	}
	for range b.N {
		report(b, "RotateRefreshToken", interleave(b, []kind{{"method", rotate}, {"bare", bareRotation}, {"signed", func(n int) error { sign(); return rotate(n) }}}))
	}
	in := sessionOf(0, epoch)
	parallel(1000, func(n int) {
		_, err := s.ReplaceSession(bg, none, sessionOf(n, epoch), 0, epoch)
		require.NoError(b, err)
	})
	for range b.N {
		report(b, "Session", interleave(b, []kind{
			{"method", func(n int) error { _, err := s.Session(bg, sessionOf(n%1000, epoch).Hash, epoch); return err }},
			{"bare", func(n int) error {
				var skip any
				hash := sessionOf(n%1000, epoch).Hash
				return pool.QueryRow(bg, bareSession, hash[:]).Scan(&in.ID, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, &skip)
			}},
		}))
	}
}

func report(b *testing.B, what string, rates map[string]float64) {
	for name, rate := range rates {
		b.Logf("%s %s: %.0f/s, %.2f of the bare statements", what, name, rate, rate/rates["bare"])
		if name != "bare" {
			b.ReportMetric(rate/rates["bare"], what+"-"+name+"/bare")
		}
	}
}

// BenchmarkSweep reports how many rows Sweep removes in a second, and its slowest statement, with a million expired sessions or as many as
// PORTNER_SWEEP says.
func BenchmarkSweep(b *testing.B) {
	rows := 1_000_000
	if text := os.Getenv("PORTNER_SWEEP"); text != "" {
		var err error
		rows, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	d := newDatabase(b)
	_, err := d.pool.Exec(bg, `INSERT INTO portner.sessions SELECT 's' || n, sha256(n::text::bytea), sha256((n % 100000)::text::bytea), 0, 0, 0, n, NULL, 0,
			'{client-a}', '{sid}', '{0}', '{true}', sha256(n::text::bytea) || sha256(n::text::bytea) FROM generate_series(1, $1::int) AS n`, rows)
	require.NoError(b, err)
	_, err = d.pool.Exec(bg, "VACUUM ANALYZE portner.sessions")
	require.NoError(b, err)
	var slowest slowest
	cfg := d.pool.Config()
	cfg.ConnConfig.Tracer = &slowest
	pool, err := pgxpool.NewWithConfig(bg, cfg)
	require.NoError(b, err)
	defer pool.Close()
	s := openStore(b, pool, postgres.Config{})
	for b.Loop() {
		begin := time.Now()
		n, err := s.Sweep(bg, epoch)
		require.NoError(b, err)
		if n > 0 {
			b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "rows/s")
			b.ReportMetric(float64(slowest.most.Milliseconds()), "ms/slowest")
		}
	}
}

// slowest is a tracer that remembers the longest duration of a statement of Sweep.
type slowest struct{ most time.Duration }

type startedAt struct{}

func (*slowest) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "portner.sweep") {
		ctx = context.WithValue(ctx, startedAt{}, time.Now())
	}
	return ctx
}

func (x *slowest) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if begin, ok := ctx.Value(startedAt{}).(time.Time); ok {
		x.most = max(x.most, time.Since(begin))
	}
}
