// Package acr orders levels of assurance and answers whether one is enough.
package acr

// The levels of ID-porten.
const (
	SelfRegisteredEmail = "selfregistered-email"
	Low                 = "idporten-loa-low"
	SubstantialLimited  = "idporten-loa-substantial-limited"
	Substantial         = "idporten-loa-substantial"
	High                = "idporten-loa-high"
	EIDASLow            = "eidas-loa-low"
	EIDASSubstantial    = "eidas-loa-substantial"
	EIDASHigh           = "eidas-loa-high"
)

// Levels is an ordered set of acr values. It is immutable.
type Levels struct{ stub int }

// IDPorten are ID-porten's levels.
var IDPorten = &Levels{}

// Level is one acr value and its rank; equal ranks are equally strong.
type Level struct {
	Value string
	Rank  int
}

// New returns a set of levels.
func New(levels ...Level) *Levels { panic("stub") }

// WithAliases returns a copy that also understands other names (Level3, Level4 of the old platform).
func (l *Levels) WithAliases(aliases map[string]string) *Levels { panic("stub") }

// Values returns the known values, weakest first, without aliases (acr_values_supported).
func (l *Levels) Values() []string { panic("stub") }

// Known reports whether the value (or alias) is one of the set.
func (l *Levels) Known(value string) bool { panic("stub") }

// Satisfies reports whether the achieved level is at least the lowest of the requested ones.
// Unknown requested values are ignored; no requested value at all is satisfied by any known level.
func (l *Levels) Satisfies(achieved string, requested []string) bool { panic("stub") }
