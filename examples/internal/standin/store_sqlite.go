package standin

import (
	"context"
	"errors"
	"log/slog"
)

func openSQLite(context.Context, string, *slog.Logger) (Store, error) {
	return nil, errors.New("not yet")
}
