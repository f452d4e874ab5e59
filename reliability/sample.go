package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// sampleFamilies counts 20 times a second the families that have several live refresh tokens.
func (t *trial) sampleFamilies(b *backend) (stop func()) {
	done, samples, most := make(chan struct{}), 0, 0
	var wg sync.WaitGroup
	wg.Go(func() {
		err := connected(t, b.url, func(ctx context.Context, c *pgx.Conn) error {
			for {
				n := 0
				if err := c.QueryRow(ctx, invariants[0].count).Scan(&n); err != nil {
					return err
				}
				samples, most = samples+1, max(most, n)
				select {
				case <-done:
					return nil
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
		if err != nil {
			t.fail("the sampler: %v", err)
		}
	})
	return func() {
		close(done)
		wg.Wait()
		t.count("samples", samples)
		t.count("families_with_several", most)
		t.check(most == 0, "%d families have several live tokens at once", most)
	}
}
