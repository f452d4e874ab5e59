//go:build servers

package programs

import "github.com/portner-go/portner/examples/internal/metrics"

// newMeter measures a server. It is compiled with the tag servers only, because its modules make the first start longer.
var newMeter = metrics.New

// NewMeters measures several servers. It is nil without the tag servers.
var NewMeters = func() Meters { return metrics.NewRegistry() }
