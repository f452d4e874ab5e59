package acr

import (
	"maps"
	"slices"
	"strings"
)

// The levels of ID-porten.
const (
	SelfRegisteredEmail = "selfregistered-email" // one factor, no standardised level
	Low                 = "idporten-loa-low"
	SubstantialLimited  = "idporten-loa-substantial-limited"
	Substantial         = "idporten-loa-substantial" // MinID
	High                = "idporten-loa-high"        // BankID, Buypass, Commfides
	EIDASLow            = "eidas-loa-low"
	EIDASSubstantial    = "eidas-loa-substantial"
	EIDASHigh           = "eidas-loa-high"
)

// The levels of Ansattporten, which leaves the framework out.
const (
	AnsattportenLow         = "low"
	AnsattportenSubstantial = "substantial"
	AnsattportenHigh        = "high"
)

// Level is one acr value and its rank.
type Level struct {
	Value string // as on the wire, compared byte for byte
	Rank  int    // higher is stronger; equal ranks are equally strong
}

// IDPorten are ID-porten's levels. The e-mail login ranks below everything else.
var IDPorten = New(
	Level{SelfRegisteredEmail, 0},
	Level{Low, 1}, Level{EIDASLow, 1},
	Level{SubstantialLimited, 2},
	Level{Substantial, 3}, Level{EIDASSubstantial, 3},
	Level{High, 4}, Level{EIDASHigh, 4},
)

// Ansattporten are the levels of Ansattporten.
var Ansattporten = New(
	Level{AnsattportenLow, 1}, Level{AnsattportenSubstantial, 3}, Level{AnsattportenHigh, 4},
)

// Levels is an ordered set of acr values. It is immutable and safe for concurrent use.
type Levels struct {
	values  []string          // weakest first
	ranks   map[string]int    // of each value
	aliases map[string]string // to a value
}

// New returns a set of levels. It panics on an empty or repeated value: such a set is a mistake in
// the program, and guessing at it could take a weak level for a strong one.
func New(levels ...Level) *Levels {
	l := &Levels{ranks: make(map[string]int, len(levels))}
	for _, level := range levels {
		if _, ok := l.ranks[level.Value]; ok || level.Value == "" {
			panic("acr: level " + level.Value + " is empty or repeated")
		}
		l.ranks[level.Value] = level.Rank
		l.values = append(l.values, level.Value)
	}
	slices.SortStableFunc(l.values, func(a, b string) int { return l.ranks[a] - l.ranks[b] })
	return l
}

// OldPlatform returns the names of ID-porten's old platform, for [Levels.WithAliases].
func OldPlatform() map[string]string {
	return map[string]string{"Level3": Substantial, "Level4": High}
}

// WithAliases returns a copy that also understands other names. It panics on an alias that is a
// level already or that stands for none.
func (l *Levels) WithAliases(aliases map[string]string) *Levels {
	c := *l
	c.aliases = maps.Clone(l.aliases)
	if c.aliases == nil {
		c.aliases = make(map[string]string, len(aliases))
	}
	for alias, value := range aliases {
		_, taken := l.ranks[alias]
		if _, ok := l.ranks[value]; !ok || taken {
			panic("acr: alias " + alias + " of " + value + " is a level or stands for none")
		}
		c.aliases[alias] = value
	}
	return &c
}

// Values returns the known values, weakest first, without aliases (acr_values_supported).
func (l *Levels) Values() []string { return slices.Clone(l.values) }

// Known reports whether the value (or alias) is one of the set.
func (l *Levels) Known(value string) bool {
	_, ok := l.rank(value)
	return ok
}

// Normalize returns the known ones of the requested values under their own names, in their order and
// each once. What it returns is bounded and holds no text of the requester, so it may be kept, shown
// and logged; what was asked for may not (security row B7).
func (l *Levels) Normalize(requested []string) []string {
	var known []string
	for _, value := range requested {
		value = l.resolve(value)
		if _, ok := l.ranks[value]; ok && !slices.Contains(known, value) {
			known = append(known, value)
		}
	}
	return known
}

// Satisfies reports whether the achieved level is at least the lowest of the requested ones.
// Unknown requested values are ignored; no requested value at all is satisfied by any known level.
func (l *Levels) Satisfies(achieved string, requested []string) bool {
	return l.Known(achieved) && l.Decide(achieved, requested) != StepUp
}

func (l *Levels) resolve(value string) string {
	if v, ok := l.aliases[value]; ok {
		return v
	}
	return value
}

func (l *Levels) rank(value string) (int, bool) {
	rank, ok := l.ranks[l.resolve(value)]
	return rank, ok
}

// SameLevel compares two values by their suffix: in <legal framework>-<level> equal levels are meant
// to be legally comparable, so idporten-loa-high, eidas-loa-high and high are the same level. It is
// for a relying party, which knows whose values it compares; a provider uses ranks.
func SameLevel(a, b string) bool {
	level := suffix(a)
	return level != "" && level == suffix(b)
}

func suffix(value string) string { return value[strings.LastIndexByte(value, '-')+1:] }
