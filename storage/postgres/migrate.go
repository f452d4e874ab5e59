package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step from a version of the schema to the next one.
type migration struct {
	Version int    // 1 for the first one
	Name    string // of its file
	SQL     string // its statements, which run in one transaction
	// Needs is the oldest version of the schema that a library may have been made for and still use the schema after this migration.
	// Migrations are additive, so it is usually 1.
	Needs int
}

// needs holds the Needs of the migrations after which older libraries cannot use the schema.
var needs = map[int]int{}

// migrations returns the migrations of this package in their order.
func migrations() []migration {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is constant
	}
	all := make([]migration, len(files))
	for i, file := range files {
		b, err := migrationFiles.ReadFile(file)
		if err != nil {
			panic(err) // the file is embedded
		}
		name := strings.TrimPrefix(file, "migrations/")
		digits, _, _ := strings.Cut(name, "_")
		if version, err := strconv.Atoi(digits); err != nil || version != i+1 {
			panic("postgres: the migrations are not numbered from 1: " + name)
		}
		all[i] = migration{Version: i + 1, Name: name, SQL: string(b), Needs: max(needs[i+1], 1)}
	}
	return all
}

const (
	// The lock is held until the transaction ends, so it works through PgBouncer, and no connection keeps it.
	sqlMigrationLock = `SELECT pg_advisory_xact_lock(8245921706394)`

	sqlMigrationTable = `CREATE SCHEMA IF NOT EXISTS portner;
		CREATE TABLE IF NOT EXISTS portner.migrations (
			version    integer PRIMARY KEY,
			name       text NOT NULL,
			needs      integer NOT NULL, -- a library that was made for an older version cannot use the schema
			applied_at timestamptz NOT NULL DEFAULT now()
		)`

	sqlMigrated = `INSERT INTO portner.migrations (version, name, needs) VALUES ($1, $2, $3)`

	sqlHasMigrations = `SELECT to_regclass('portner.migrations') IS NOT NULL`

	sqlVersion = `SELECT coalesce(max(version), 0), coalesce(max(needs), 0) FROM portner.migrations`
)

// Migrate brings the schema portner of a database to the version of this package, and does nothing if it has that version or a newer one.
// Each migration is a transaction, so Migrate continues where a previous call ended. Several nodes may call it at once. The migrations are
// additive: nodes with the previous version of the package go on working. The role needs CREATE on the database; a Store does not.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	for _, m := range migrations() {
		if err := apply(ctx, pool, m); err != nil {
			return fmt.Errorf("postgres: migration %s: %w", m.Name, err)
		}
	}
	return nil
}

// Script returns the statements of Migrate for a database without the schema, for those who apply SQL by other means.
func Script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN;\n%s;\n%s;\n", sqlMigrationLock, sqlMigrationTable)
	for _, m := range migrations() {
		fmt.Fprintf(&b, "\n-- %s\n\n%s\n", m.Name, m.SQL)
		fmt.Fprintf(&b, "INSERT INTO portner.migrations (version, name, needs) VALUES (%d, '%s', %d);\n", m.Version, m.Name, m.Needs)
	}
	b.WriteString("COMMIT;\n")
	return b.String()
}

// apply applies a migration unless it was applied before.
func apply(ctx context.Context, pool *pgxpool.Pool, m migration) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlMigrationLock); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlMigrationTable); err != nil {
			return err
		}
		var version, needs int
		if err := tx.QueryRow(ctx, sqlVersion, pgx.QueryExecModeExec).Scan(&version, &needs); err != nil || version >= m.Version {
			return err
		}
		if _, err := tx.Exec(ctx, m.SQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlMigrated, pgx.QueryExecModeExec, m.Version, m.Name, m.Needs)
		return err
	})
}

// ErrSchema reports that the schema of the database is not one that this version of the package can use.
var ErrSchema = errors.New("postgres: the schema portner does not fit")

// checkSchema returns an error that wraps ErrSchema if the schema is too old, or too new.
func (s *Store) checkSchema(ctx context.Context) error {
	var migrated bool
	if err := s.find(ctx, sqlHasMigrations, nil, &migrated); err != nil {
		return err
	}
	version, needs, own := 0, 0, len(migrations())
	if migrated {
		if err := s.find(ctx, sqlVersion, nil, &version, &needs); err != nil {
			return err
		}
	}
	switch {
	case version < own:
		return fmt.Errorf("%w: it has version %d, and this version of the package needs %d: run portner-postgres migrate, or call Migrate", ErrSchema, version, own)
	case needs > own:
		return fmt.Errorf("%w: it has version %d, which needs a package made for version %d or later, and this one was made for %d", ErrSchema, version, needs, own)
	}
	return nil
}
