package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/sqlite"
)

// bare is a connection to a file with the schema of the store, for the statements alone that a method executes.
type bare struct {
	*sqlite3.Conn
	statements []*sqlite3.Stmt
}

func openBare(b *testing.B, sql ...string) *bare {
	b.Helper()
	s := open(b)
	require.NoError(b, logIn(b.Context(), s, "a"))
	db, err := sqlite3.Open(s.File())
	require.NoError(b, err)
	require.NoError(b, db.Exec("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"))
	out := &bare{Conn: db}
	for _, one := range sql {
		st, _, err := db.Prepare(one)
		require.NoError(b, err)
		out.statements = append(out.statements, st)
	}
	b.Cleanup(func() {
		for _, st := range out.statements {
			_ = st.Close()
		}
		_ = db.Close()
	})
	return out
}

func (c *bare) exec(b *testing.B, i int, args ...any) {
	st := c.statements[i]
	for n, arg := range args {
		var err error
		switch v := arg.(type) {
		case string:
			err = st.BindText(n+1, v)
		case int64:
			err = st.BindInt64(n+1, v)
		case storage.Hash:
			err = st.BindBlob(n+1, v[:])
		case []byte:
			err = st.BindBlob(n+1, v)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := st.Exec(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRedeemCode compares RedeemCode with the bare statements of the same rows in one transaction: an update and three insertions.
func BenchmarkRedeemCode(b *testing.B) {
	finish := func(s *sqlite.Store, name string) {
		c := newCode(name)
		c.Grant.SessionID = ""
		require.NoError(b, s.FinishRequest(b.Context(), storage.Outcome{RequestID: name, Code: c, RetainTo: epoch.Add(time.Hour)}, epoch))
	}
	b.Run("store", func(b *testing.B) {
		s := open(b)
		for i := range b.N {
			finish(s, fmt.Sprint(i))
		}
		b.ResetTimer()
		for i := range b.N {
			issuance := newIssuance(fmt.Sprint(i), 0)
			issuance.Grant.SessionID = ""
			if err := s.RedeemCode(b.Context(), storage.HashOf(fmt.Sprint("code ", i)), issuance, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		c := openBare(b,
			"UPDATE codes SET consumed = 1 WHERE hash = ?1 AND consumed = 0",
			"INSERT INTO grants SELECT ?1, client_id, user_key, customer, '', login_only, created_at, expires_at, 0, record FROM grants WHERE id = 'grant a'",
			"INSERT INTO access_tokens VALUES (?1, ?2, ?3, ?4)",
			"INSERT INTO refresh_tokens (hash, grant_id, generation, expires_at) VALUES (?1, ?2, ?3, ?4)")
		record, end := make([]byte, 60), epoch.UnixNano()
		require.NoError(b, c.Exec("BEGIN"))
		insert, _, err := c.Prepare("INSERT INTO codes SELECT ?1, ?2, ?1, client_id, user_key, customer, '', expires_at, retain_to, 0, record FROM codes LIMIT 1")
		require.NoError(b, err)
		c.statements = append(c.statements, insert)
		for i := range b.N {
			c.exec(b, 4, fmt.Sprint(i), storage.HashOf(fmt.Sprint("code ", i)))
		}
		require.NoError(b, c.Exec("COMMIT"))
		b.ResetTimer()
		for i := range b.N {
			name := fmt.Sprint("grant ", i)
			require.NoError(b, c.Exec("BEGIN IMMEDIATE"))
			c.exec(b, 0, storage.HashOf(fmt.Sprint("code ", i)))
			c.exec(b, 1, name)
			c.exec(b, 2, storage.HashOf(fmt.Sprint("access ", i)), name, end, record)
			c.exec(b, 3, storage.HashOf(fmt.Sprint("refresh ", i)), name, int64(0), end)
			require.NoError(b, c.Exec("COMMIT"))
		}
	})
}

// BenchmarkRotateRefreshToken compares RotateRefreshToken with its bare statements: an update and two insertions.
func BenchmarkRotateRefreshToken(b *testing.B) {
	b.Run("store", func(b *testing.B) {
		s := open(b)
		require.NoError(b, logIn(b.Context(), s, "a"))
		b.ResetTimer()
		for i := range b.N {
			if err := s.RotateRefreshToken(b.Context(), newIssuance("a", i+1).Refresh.Hash, newIssuance("a", i+2), 0, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store, 16 callers", func(b *testing.B) { // they share the synchronisations of the disk
		s := open(b)
		const callers = 16
		for i := range callers {
			require.NoError(b, logIn(b.Context(), s, fmt.Sprint(i)))
		}
		b.ResetTimer()
		done := make(chan error)
		for i := range callers {
			go func() {
				var err error
				for n := 1; n <= b.N/callers+1 && err == nil; n++ {
					name := fmt.Sprint(i)
					err = s.RotateRefreshToken(b.Context(), newIssuance(name, n).Refresh.Hash, newIssuance(name, n+1), 0, epoch)
				}
				done <- err
			}()
		}
		for range callers {
			require.NoError(b, <-done)
		}
	})
	b.Run("bare", func(b *testing.B) {
		c := openBare(b,
			"UPDATE refresh_tokens SET consumed_at = ?2, successor = ?3, used = 1 WHERE hash = ?1 AND consumed_at IS NULL",
			"INSERT INTO access_tokens VALUES (?1, ?2, ?3, ?4)",
			"INSERT INTO refresh_tokens (hash, grant_id, generation, expires_at) VALUES (?1, ?2, ?3, ?4)")
		record, end := make([]byte, 60), epoch.UnixNano()
		b.ResetTimer()
		for i := range b.N {
			next := newIssuance("a", i+2)
			require.NoError(b, c.Exec("BEGIN IMMEDIATE"))
			c.exec(b, 0, newIssuance("a", i+1).Refresh.Hash, end, next.Refresh.Hash)
			c.exec(b, 1, next.Access.Hash, "grant a", end, record)
			c.exec(b, 2, next.Refresh.Hash, "grant a", int64(0), end)
			require.NoError(b, c.Exec("COMMIT"))
		}
	})
}

// BenchmarkAccessToken compares the look-up of introspection with its bare query.
func BenchmarkAccessToken(b *testing.B) {
	b.Run("store", func(b *testing.B) {
		s := open(b)
		require.NoError(b, logIn(b.Context(), s, "a"))
		hash := newIssuance("a", 1).Access.Hash
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := s.AccessToken(b.Context(), hash, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		c := openBare(b, "SELECT a.*, g.* FROM access_tokens a JOIN grants g ON g.id = a.grant_id WHERE a.hash = ?1")
		hash := newIssuance("a", 1).Access.Hash
		b.ReportAllocs()
		for b.Loop() {
			st := c.statements[0]
			_ = st.BindBlob(1, hash[:])
			if !st.Step() || len(st.ColumnRawBlob(3)) == 0 || len(st.ColumnRawBlob(13)) == 0 {
				b.Fatal("no row")
			}
			_ = st.Reset()
		}
	})
}
