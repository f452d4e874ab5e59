package standin

import (
	"context"
	"log/slog"

	"github.com/portner-go/portner/storage/sqlite"
)

// openSQLite opens a file.
func openSQLite(ctx context.Context, file string, log *slog.Logger) (Store, error) {
	return sqlite.Open(ctx, file, sqlite.Config{Logger: log})
}
