// Package programs holds the stand-ins with what needs modules of others: their demos and stores.
package programs

import (
	"net/http"

	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/helseidwalk"
	"github.com/portner-go/portner/examples/internal/stores"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// flags returns the flags of a server that can have every store and metrics.
func flags() standin.Flags {
	return standin.Flags{StateFlags: standin.StateFlags{Stores: stores.All()}, MetricsFlags: standin.MetricsFlags{NewMeter: newMeter}}
}

// Meters holds the metrics of several servers of a process.
type Meters interface {
	// Meter returns the meter of a server.
	Meter(server string) (*standin.Meter, error)
	// Handler serves the metrics of all servers.
	Handler() http.Handler
}

// IDPorten returns the stand-in for ID-porten.
func IDPorten() *idporten.Options {
	return &idporten.Options{Flags: flags(), NewDemo: demo.IDPorten}
}

// Maskinporten returns the stand-in for Maskinporten.
func Maskinporten() *maskinporten.Options { return &maskinporten.Options{Flags: flags()} }

// Altinn returns the stand-in for Altinn.
func Altinn() *altinn.Options { return &altinn.Options{Flags: flags()} }

// KRR returns the stand-in for the contact register.
func KRR() *krr.Options { return &krr.Options{Flags: flags()} }

// Ansattporten returns the stand-in for Ansattporten.
func Ansattporten() *ansattporten.Options {
	return &ansattporten.Options{Flags: flags(), NewDemo: demo.Ansattporten}
}

// HelseID returns the stand-in for HelseID.
func HelseID() *helseid.Options {
	return &helseid.Options{Flags: flags(), NewDemo: helseidwalk.New}
}
