package token

import "log/slog"

var logger = slog.Default()
