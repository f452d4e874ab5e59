package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// fullStore is what every store of this module has.
type fullStore interface {
	provider.Store
	authorize.PushedRequestStore
	authorize.HistoryStore
	client.ReplayStore
	token.GrantStore
	Ping(ctx context.Context) error
	Sweep(ctx context.Context, now time.Time) (int, error)
}

// opening says how a store is opened.
type opening struct {
	url     string
	conns   int           // connections at most; 0 is the default
	timeout time.Duration // of one call; 0 is the default
	logger  *slog.Logger
	fail    *failPoint // of the statements
}

// opened is an open store.
type opened struct {
	fullStore
	close func()
	conns func() int // connections that exist; nil if the store has none
}

// open opens the store of a URL.
func open(ctx context.Context, o opening) (*opened, error) {
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	kind, _, _ := strings.Cut(o.url, ":")
	switch kind {
	case kindMemory:
		return &opened{fullStore: memoryStore{memory.New()}, close: func() {}}, nil
	}
	return nil, fmt.Errorf("there is no store for %q", kind)
}

// migrate makes the tables of the database.
func migrate(ctx context.Context, url string) error { return errors.New("no schema yet") }

// memoryStore adapts memory.Store.
type memoryStore struct{ *memory.Store }

func (memoryStore) Ping(context.Context) error { return nil }
