package postgres_test

import (
	"context"
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// batches is a tracer that remembers the sizes of the batches of Sweep.
type batches struct {
	mu  sync.Mutex
	all []int64
}

func (x *batches) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "portner.sweep") {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.all = append(x.all, data.Args[2].(int64))
	}
	return ctx
}

func (*batches) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// wire counts how often the client of a connection waits for the server: after Sync or a simple query.
type wire struct {
	net.Conn
	waits *atomic.Int64
	rest  []byte // an incomplete message
	begun bool   // after the first message, which has no type
}

func (w *wire) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		head := 5
		if !w.begun {
			head = 4
		}
		if len(w.rest) < head {
			break
		}
		size := int(binary.BigEndian.Uint32(w.rest[head-4:head])) + head - 4
		if len(w.rest) < size {
			break
		}
		if w.begun && (w.rest[0] == 'S' || w.rest[0] == 'Q' || w.rest[0] == 'H') {
			w.waits.Add(1)
		}
		w.begun, w.rest = true, w.rest[size:]
	}
	return w.Conn.Write(b)
}

// countingStore returns a store with one connection, and the number of its round trips.
func countingStore(t testing.TB, url string) (*postgres.Store, *atomic.Int64) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url + "&pool_max_conns=1")
	require.NoError(t, err)
	waits := new(atomic.Int64)
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &wire{Conn: c, waits: waits}, err
	}
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // of a connection that was idle for a second
	pool, err := pgxpool.NewWithConfig(bg, cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return openStore(t, pool, postgres.Config{}), waits
}

// calls are the methods in their successful form; each can be called with growing n, after login(n).
func calls(s *postgres.Store) map[string]func(n int) error {
	newIn := func(n int) storage.Session {
		in := sessionOf(1_000_000+n, epoch)
		in.UserKey = storage.HashOf("another")
		return in
	}
	key := storage.ConsentKey{UserKey: storage.HashOf("user"), ClientID: "client-a"}
	return map[string]func(n int) error{
		"Session":               func(n int) error { _, err := s.Session(bg, sessionOf(n, epoch).Hash, epoch); return err },
		"ReplaceSession/insert": func(n int) error { _, err := s.ReplaceSession(bg, none, newIn(n), 20, epoch); return err },
		"ReplaceSession/replace": func(n int) error {
			in := sessionOf(n, epoch)
			_, err := s.ReplaceSession(bg, in.Hash, in, 20, epoch)
			return err
		},
		"EndSession": func(n int) error { _, err := s.EndSession(bg, newIn(n-1).Hash, epoch); return err },
		"Consents":   func(int) error { _, err := s.Consents(bg, key, epoch); return err },
		"FinishRequest": func(n int) error {
			c := codeOf(2_000_000+n, epoch)
			c.Grant.SessionID, c.Grant.UserKey = sessionOf(n, epoch).ID, sessionOf(n, epoch).UserKey
			o := outcomeOf(2_000_000+n, c)
			o.Visit = &storage.Visit{Session: sessionOf(n, epoch).Hash, At: epoch, Client: storage.SessionClient{ClientID: "client-b", LoginAt: epoch}}
			o.Consents, o.Granted = key, []storage.Consent{{Scope: "a", GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
			return s.FinishRequest(bg, o, epoch)
		},
		"Code": func(n int) error { _, err := s.Code(bg, codeOf(3_000_000+n, epoch).Hash, epoch); return err },
		"RedeemCode": func(n int) error {
			c := codeOf(3_000_000+n, epoch)
			return s.RedeemCode(bg, c.Hash, issuanceOf(3_000_000+n, 0, c, epoch), epoch)
		},
		"RefreshToken": func(n int) error {
			_, _, err := s.RefreshToken(bg, issuanceOf(n, 1, codeOf(n, epoch), epoch).Refresh.Hash, epoch)
			return err
		},
		"RotateRefreshToken": func(n int) error {
			c := codeOf(n, epoch)
			return s.RotateRefreshToken(bg, issuanceOf(n, 1, c, epoch).Refresh.Hash, issuanceOf(n, 2, c, epoch), 0, epoch)
		},
		"AccessToken": func(n int) error {
			_, _, err := s.AccessToken(bg, issuanceOf(n, 0, codeOf(n, epoch), epoch).Access.Hash, epoch)
			return err
		},
		"InsertGrant": func(n int) error {
			return s.InsertGrant(bg, issuanceOf(4_000_000+n, 0, codeOf(4_000_000+n, epoch), epoch), epoch)
		},
		"Revoke/grant": func(n int) error {
			return s.Revoke(bg, storage.Revocation{GrantID: codeOf(5_000_000+n, epoch).Grant.ID}, epoch)
		},
		"Revoke/authorization": func(int) error { return s.Revoke(bg, storage.Revocation{Authorization: key}, epoch) },
		"Grants": func(n int) error {
			_, err := s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf(numbered("user", n)), Limit: 10}, epoch)
			return err
		},
		"Grants/after": func(n int) error {
			_, err := s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf(numbered("user", n)), After: codeOf(n, epoch).Grant.ID, Limit: 10}, epoch)
			return err
		},
		"Grants/one": func(n int) error {
			_, err := s.Grants(bg, storage.GrantQuery{UserKey: storage.HashOf(numbered("user", n)), ID: codeOf(n, epoch).Grant.ID}, epoch)
			return err
		},
		"PushRequest": func(n int) error {
			return s.PushRequest(bg, storage.PushedRequest{Hash: storage.HashOf(numbered("push", n)), ClientID: "c", Source: "c", ExpiresAt: epoch.Add(time.Minute)}, epoch)
		},
		"PushedRequest": func(n int) error {
			_, err := s.PushedRequest(bg, storage.HashOf(numbered("pushed", n)), epoch)
			return err
		},
		"ConsumePushedRequest": func(n int) error { return s.ConsumePushedRequest(bg, storage.HashOf(numbered("pushed", n)), epoch) },
		"RecordLogin": func(n int) error {
			return s.RecordLogin(bg, storage.Login{ID: numbered("login", n), UserKey: storage.HashOf("user"), At: epoch, ExpiresAt: epoch.Add(time.Hour)}, epoch)
		},
		"Logins": func(int) error { _, err := s.Logins(bg, storage.HashOf("user"), epoch); return err },
		"ConsumeJTI": func(n int) error {
			return s.ConsumeJTI(bg, "c", storage.HashOf(numbered("jti", n)), epoch.Add(time.Minute), epoch)
		},
	}
}

// prepare inserts what calls need.
func prepare(t testing.TB, s *postgres.Store, n int) {
	t.Helper()
	login(t, s, n, epoch)
	in := sessionOf(1_000_000+n-1, epoch)
	in.Hash, in.ID, in.UserKey = storage.HashOf(numbered("cookie", 1_000_000+n-1)), numbered("ends", n), storage.HashOf("others")
	_, err := s.ReplaceSession(bg, none, in, 0, epoch)
	require.NoError(t, err)
	require.NoError(t, s.FinishRequest(bg, outcomeOf(3_000_000+n, codeOf(3_000_000+n, epoch)), epoch))
	require.NoError(t, s.PushRequest(bg, storage.PushedRequest{Hash: storage.HashOf(numbered("pushed", n)), ClientID: "d", Source: "d", ExpiresAt: epoch.Add(time.Minute)}, epoch))
}

// order are the calls in an order in which each finds what it needs.
var order = []string{
	"Session", "EndSession", "ReplaceSession/insert", "ReplaceSession/replace", "Consents", "FinishRequest", "Code", "RedeemCode", "RefreshToken", "RotateRefreshToken", "AccessToken",
	"InsertGrant", "Grants", "Grants/after", "Grants/one", "Revoke/grant", "Revoke/authorization", "PushRequest", "PushedRequest", "ConsumePushedRequest", "RecordLogin", "Logins", "ConsumeJTI",
}

// TestRoundTrips verifies that each method waits for the database once, in both modes of the pool.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "exec", "cache_describe"} {
		s, waits := countingStore(t, newDatabase(t).url+"&default_query_exec_mode="+mode)
		all := calls(s)
		require.Len(t, order, len(all))
		for n := 10; n < 30; n += 10 { // the first call of each prepares its statement
			prepare(t, s, n)
			for _, name := range order {
				before := waits.Load()
				require.NoError(t, all[name](n), "%s: %s", mode, name)
				if n > 10 {
					require.EqualValues(t, 1, waits.Load()-before, "%s: round trips of %s", mode, name)
				}
			}
		}
	}
}

// TestIndexes verifies that no method and no sweep reads a table as a whole, also if the table was small when its statements were planned.
func TestIndexes(t *testing.T) {
	t.Parallel()
	// The statistics of a connection arrive up to ten seconds later: no other one has used the database.
	pool := openPool(t, emptyDatabase(t)+"&pool_max_conns=1")
	defer pool.Close()
	require.NoError(t, postgres.Migrate(bg, pool))
	s := openStore(t, pool, postgres.Config{})
	all := calls(s)
	fill := func(rows int) {
		for _, sql := range []string{
			`INSERT INTO portner.sessions SELECT 'f' || n, sha256(('f' || n)::bytea), sha256(('u' || n)::bytea), 0, 0, 0, 9e18, NULL, 0, '{}', '{}', '{}', '{}', '' FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.requests SELECT 'f' || n, NULL, 9e18 FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.grants (id, client_id, customer, user_key, session_id, listed, login_only, created_at, expires_at, inserted_at, remove_at, code_hash, grant_data)
				SELECT 'f' || n, 'c' || n % 10, '', sha256(('u' || n)::bytea), 'f' || n, true, false, 0, 9e18, 0, 9e18, sha256(('f' || n)::bytea), '' FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.access_tokens SELECT sha256(('f' || n)::bytea), 'f' || n, 9e18, 0, 9e18, '' FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.refresh_tokens SELECT sha256(('f' || n)::bytea), 'f' || n, 0, 9e18, 0, NULL, NULL, false, 9e18 FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.consents SELECT sha256(('u' || n)::bytea), 'c', '', 's', '', 0, 9e18 FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.pushed_requests SELECT sha256(('f' || n)::bytea), 'c' || n % 10, 'c', '', 0, NULL, 9e18 FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.logins (user_key, id, client_id, orgno, service, method, hidden, at, expires_at)
				SELECT sha256(('u' || n)::bytea), 'l', 'c', '', '', '', false, 0, 9e18 FROM generate_series(1, $1::int) AS n`,
			`INSERT INTO portner.replays SELECT sha256(('f' || n)::bytea), 'c', 9e18 FROM generate_series(1, $1::int) AS n`,
		} {
			_, err := pool.Exec(bg, sql, rows)
			require.NoError(t, err)
		}
	}
	for _, table := range tables {
		_, err := pool.Exec(bg, "ALTER TABLE portner."+table+" SET (autovacuum_enabled = false)")
		require.NoError(t, err)
	}
	defer func() {
		for _, table := range tables {
			_, err := pool.Exec(bg, "ALTER TABLE portner."+table+" RESET (autovacuum_enabled)")
			require.NoError(t, err)
		}
	}()
	run := func(n int) {
		prepare(t, s, n)
		for _, name := range order {
			require.NoError(t, all[name](n), name)
		}
		_, err := s.Sweep(bg, epoch)
		require.NoError(t, err)
	}
	for n := 10; n < 90; n += 10 { // plans for small tables
		run(n)
		if n == 10 {
			_, err := pool.Exec(bg, "ANALYZE")
			require.NoError(t, err)
		}
	}
	fill(10_000)
	before := scans(t, pool)
	run(100)
	require.Equal(t, before, scans(t, pool), "with the plans for small tables")
	_, err := pool.Exec(bg, "ANALYZE")
	require.NoError(t, err)
	before = scans(t, pool)
	for n := 110; n < 180; n += 10 {
		run(n)
	}
	require.Equal(t, before, scans(t, pool), "with new plans")
}

// scans returns how often each table was read as a whole.
func scans(t *testing.T, pool *pgxpool.Pool) map[string]int64 {
	t.Helper()
	_, err := pool.Exec(bg, "SELECT pg_stat_force_next_flush()") // takes effect at the end of the statement
	require.NoError(t, err)
	all := map[string]int64{}
	rows, err := pool.Query(bg, "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'portner' AND relname <> 'probe'")
	require.NoError(t, err)
	var name string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error { all[name] = n; return nil })
	require.NoError(t, err)
	return all
}

// TestConstantStatements verifies that no statement of the package is put together at run time (docs/threat-model.md J12): the argument of
// each call of pgx is a constant whose name begins with sql, or a parameter or variable named sql, which then is one of those.
func TestConstantStatements(t *testing.T) {
	t.Parallel()
	broken, calls := lintStatements(t, ".", "cmd/portner-postgres")
	require.Empty(t, broken)
	require.Greater(t, calls, 30)
	broken, _ = lintStatements(t, "testdata/lint")
	require.Len(t, broken, 3, "%v", broken)
}

func lintStatements(t *testing.T, dirs ...string) (broken []string, calls int) {
	t.Helper()
	set := token.NewFileSet()
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					at, statement := statementOf(n)
					if !statement {
						return true
					}
					calls++
					if !isConstant(n.Args[at]) {
						broken = append(broken, set.Position(n.Pos()).String())
					}
				case *ast.ValueSpec: // a statement is a literal, or literals and constants
					for i, id := range n.Names {
						if strings.HasPrefix(id.Name, "sql") && (i >= len(n.Values) || !isLiteral(n.Values[i])) {
							broken = append(broken, set.Position(id.Pos()).String())
						}
					}
				}
				return true
			})
		}
	}
	return broken, calls
}

// statementOf returns the index of the argument with the statement, if a call has one.
func statementOf(call *ast.CallExpr) (at int, ok bool) {
	var name string
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	switch name {
	case "Exec", "Query", "QueryRow", "find", "list", "write", "change":
		return 1, len(call.Args) > 1
	case "fence":
		return 2, len(call.Args) > 2
	case "Queue", "SendBatch", "Prepare":
		return 0, true // not used: an argument that is no statement is reported
	}
	return 0, false
}

func isConstant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return strings.HasPrefix(e.Name, "sql")
	case *ast.SelectorExpr: // of a migration, whose file is embedded
		return e.Sel.Name == "SQL"
	}
	return false
}

func isLiteral(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return isLiteral(e.X) && isLiteral(e.Y)
	case *ast.Ident:
		return strings.HasPrefix(e.Name, "sql") || strings.HasSuffix(e.Name, "Columns")
	case *ast.CompositeLit:
		for _, one := range e.Elts {
			if !isLiteral(one) {
				return false
			}
		}
		return true
	}
	return false
}

// TestFunctionsAreSafe verifies that the functions of the schema name every table with its schema and have a search path of their own
// (docs/threat-model.md J12).
func TestFunctionsAreSafe(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	rows, err := d.pool.Query(bg, `SELECT p.proname, l.lanname = 'plpgsql' AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang WHERE n.nspname = 'portner'`)
	require.NoError(t, err)
	var name string
	var unsafe bool
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&name, &unsafe}, func() error {
		n++
		require.False(t, unsafe, name)
		require.Regexp(t, `_\d+$|^instant$`, name, "its version")
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, n, 15)

	// A schema of another user that comes first in the search path does not change what a method does.
	_, err = d.pool.Exec(bg, `CREATE SCHEMA evil; CREATE TABLE evil.grants (LIKE portner.grants); CREATE TABLE evil.sessions (LIKE portner.sessions)`)
	require.NoError(t, err)
	defer func() { _, _ = d.pool.Exec(bg, "DROP SCHEMA evil CASCADE") }()
	pool := openPool(t, d.url+"&search_path=evil")
	defer pool.Close()
	s := openStore(t, pool, postgres.Config{})
	login(t, s, 1, epoch)
	var there, here int
	require.NoError(t, d.pool.QueryRow(bg, "SELECT (SELECT count(*) FROM evil.grants), (SELECT count(*) FROM portner.grants)").Scan(&there, &here))
	require.Zero(t, there)
	require.Equal(t, 1, here)
}

// TestViews verifies that an operator can read the views, and that they have no sealed value and no key (docs/threat-model.md J1).
func TestViews(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{})
	everything(t, s, 1)
	require.NoError(t, s.InsertSigningKey(bg, storage.SigningKey{Set: "set", Number: 1, KID: "kid", Alg: "ES256", Key: []byte("sealed key"), CreatedAt: epoch}))
	rows, err := d.pool.Query(bg, `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'portner' AND table_name LIKE 'operator\_%'`)
	require.NoError(t, err)
	views := map[string]bool{}
	var view, column, kind string
	_, err = pgx.ForEachRow(rows, []any{&view, &column, &kind}, func() error {
		views[view] = true
		require.NotEqual(t, "bytea", kind, view+"."+column)
		if strings.HasSuffix(column, "_at") {
			require.Equal(t, "timestamp with time zone", kind, view+"."+column)
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, views, 9)
	for view := range views {
		var n int
		require.NoError(t, d.pool.QueryRow(bg, "SELECT count(*) FROM portner."+view).Scan(&n))
		require.Positive(t, n, view)
	}
	var at, zero *time.Time
	require.NoError(t, d.pool.QueryRow(bg, "SELECT created_at, (SELECT active_from FROM portner.operator_signing_keys) FROM portner.operator_grants").Scan(&at, &zero))
	require.Equal(t, epoch.Truncate(time.Microsecond), at.UTC().Truncate(time.Microsecond))
	require.Nil(t, zero)
}
