// Package stores opens the stores of the programs that need modules of others: SQLite, and, with the tag servers, PostgreSQL and Redis.
package stores

import (
	"context"
	"log/slog"
	"maps"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/storage/sqlite"
)

// All returns the kinds of store that this program is compiled with.
func All() map[string]standin.OpenStore {
	all := map[string]standin.OpenStore{"sqlite": openSQLite}
	maps.Copy(all, servers)
	return all
}

// openSQLite opens a file.
func openSQLite(ctx context.Context, file string, log *slog.Logger, onSweep standin.OnSweep) (standin.Store, error) {
	return sqlite.Open(ctx, file, sqlite.Config{Logger: log, OnSweep: onSweep})
}
