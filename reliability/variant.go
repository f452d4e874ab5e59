package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// Stores with a known defect.
const (
	readThenUpdate = "read-then-update" // naive
	splitInTwo     = "split"            // a code is consumed in one transaction, and its tokens are inserted in the next
	earlyReply     = "early-reply"      // a revocation is reported before it is committed
	outageVerdict  = "outage-verdict"   // an outage is reported as an unknown record
	leaking        = "leaking"          // each redemption leaves ten goroutines and open files
	holding        = "holding"          // each redemption keeps a lock and uses the processor
)

// variant returns the store, or one with a known defect on top of it.
func variant(ctx context.Context, cfg nodeConfig, fail *failPoint, s fullStore) (fullStore, error) {
	switch cfg.Variant {
	case "":
		return s, nil
	case readThenUpdate:
		t, err := openTable(ctx, cfg.Store)
		return naive{s, t}, err
	case splitInTwo:
		return split{s, fail}, nil
	case earlyReply:
		return early{s}, nil
	case outageVerdict:
		return guessing{s}, nil
	case leaking, holding:
		return &wasteful{fullStore: s, defect: cfg.Variant}, nil
	}
	return nil, fmt.Errorf("there is no variant %q", cfg.Variant)
}

// split redeems a code in two steps.
type split struct {
	fullStore
	fail *failPoint
}

// RedeemCode implements provider.Store.
func (s split) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	if err := s.fullStore.RedeemCode(ctx, hash, nil, now); err != nil || i == nil {
		return err
	}
	s.fail.reach(betweenSplit)
	next := *i
	next.Grant.ID += "-2" // the one of the code exists
	next.Access.GrantID = next.Grant.ID
	if i.Refresh != nil {
		refresh := *i.Refresh
		refresh.GrantID = next.Grant.ID
		next.Refresh = &refresh
	}
	return s.fullStore.InsertGrant(ctx, &next, now)
}

// early reports a revocation and a logout before they are durable.
type early struct{ fullStore }

// earlyDelay is how much later the change is made.
const earlyDelay = 300 * time.Millisecond

// Revoke implements provider.Store.
func (s early) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	go func() {
		time.Sleep(earlyDelay)
		_ = s.fullStore.Revoke(context.WithoutCancel(ctx), r, now)
	}()
	return nil
}

// guessing reports an outage as an unknown record.
type guessing struct{ fullStore }

func guess(err error) error {
	if errors.Is(err, portner.ErrUnavailable) {
		return storage.ErrNotFound
	}
	return err
}

// RefreshToken implements provider.Store.
func (s guessing) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	t, g, err := s.fullStore.RefreshToken(ctx, hash, now)
	return t, g, guess(err)
}

// RotateRefreshToken implements provider.Store.
func (s guessing) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return guess(s.fullStore.RotateRefreshToken(ctx, hash, i, grace, now))
}

// wasteful leaks, or holds a lock for long.
type wasteful struct {
	fullStore
	defect string
	mu     sync.Mutex
}

// RedeemCode implements provider.Store.
func (s *wasteful) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.defect {
	case leaking:
		for range 10 {
			f, _ := os.Open(os.DevNull)
			go func() { <-make(chan struct{}); _ = f.Close() }()
		}
	case holding:
		for from := threadTime(); threadTime()-from < 2*longHold && threadTime() > 0; {
		}
	}
	return s.fullStore.RedeemCode(ctx, hash, i, now)
}
