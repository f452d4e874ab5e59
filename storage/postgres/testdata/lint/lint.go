// Package lint has statements that are put together at run time.
package lint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

var sqlOfAnArgument = fmt.Sprintf("SELECT %d", 1)

func statements(ctx context.Context, c *pgx.Conn, name string) {
	_, _ = c.Exec(ctx, fmt.Sprintf("SELECT * FROM portner.%s", name))
	_, _ = c.Query(ctx, "SELECT * FROM portner."+name)
	_ = c.QueryRow(ctx, sqlOfAnArgument)
}
