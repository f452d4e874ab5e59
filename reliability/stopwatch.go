package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// stopwatch measures the statements of PostgreSQL.
type stopwatch struct{ done func(time.Duration) }

type beganKey struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (stopwatch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, beganKey{}, time.Now())
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s stopwatch) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if began, ok := ctx.Value(beganKey{}).(time.Time); ok {
		s.done(time.Since(began))
	}
}
