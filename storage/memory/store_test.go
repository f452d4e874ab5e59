package memory_test

import (
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

var (
	_ session.Store                = (*memory.Store)(nil)
	_ token.Store                  = (*memory.Store)(nil)
	_ authorize.Store              = (*memory.Store)(nil)
	_ authorize.PushedRequestStore = (*memory.Store)(nil)
	_ authorize.ConsentStore       = (*memory.Store)(nil)
	_ client.ReplayStore           = (*memory.Store)(nil)
)
