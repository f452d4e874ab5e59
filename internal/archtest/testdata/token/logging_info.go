package token

import "log/slog"

func tell() { slog.Info("said to the program's logger") }
