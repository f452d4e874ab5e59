package main

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portner-go/portner/storage"
)

// Places at which a node ends itself, as if it were killed there. Inside a transaction PostgreSQL ends the connection; see breakTransactions.
const (
	beforeConsume = "before-consume" // before a verb that consumes a code or a refresh token
	inFlight      = "in-flight"      // a moment after the statement of such a verb was sent
	afterCommit   = "after-commit"   // after such a verb, before the reply
	betweenSplit  = "between-split"  // between the two transactions of a defective store
)

// failPoint ends the process at a place when it is reached for the After-th time.
type failPoint struct {
	Name  string
	After int64

	seen int64
}

func (f *failPoint) reach(name string) {
	if f != nil && f.Name == name && atomic.AddInt64(&f.seen, 1) == f.After {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// failing reaches the places around the verbs of a store.
type failing struct {
	fullStore
	fail *failPoint
}

// RedeemCode implements provider.Store.
func (s failing) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	s.fail.reach(beforeConsume)
	time.AfterFunc(time.Millisecond, func() { s.fail.reach(inFlight) })
	defer s.fail.reach(afterCommit)
	return s.fullStore.RedeemCode(ctx, hash, i, now)
}

// RotateRefreshToken implements provider.Store.
func (s failing) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	s.fail.reach(beforeConsume)
	time.AfterFunc(time.Millisecond, func() { s.fail.reach(inFlight) })
	defer s.fail.reach(afterCommit)
	return s.fullStore.RotateRefreshToken(ctx, hash, i, grace, now)
}
