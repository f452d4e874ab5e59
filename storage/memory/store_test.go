package memory_test

import (
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

var (
	_ provider.Store               = (*memory.Store)(nil)
	_ token.GrantStore             = (*memory.Store)(nil)
	_ authorize.PushedRequestStore = (*memory.Store)(nil)
	_ authorize.HistoryStore       = (*memory.Store)(nil)
	_ authorizations.HistoryStore  = (*memory.Store)(nil)
	_ client.ReplayStore           = (*memory.Store)(nil)
	_ keyset.Store                 = (*memory.Store)(nil)
)
