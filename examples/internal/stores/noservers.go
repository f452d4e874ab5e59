//go:build !servers

package stores

import "github.com/portner-go/portner/internal/standin"

// servers are the stores that are compiled with the tag servers only: their drivers double the time that the first start takes.
var servers = map[string]standin.OpenStore{}
