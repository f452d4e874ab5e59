package acr

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Levels of ID-porten (docs.digdir.no: oidc_protocol_id_token). eIDAS levels have the same ranks.
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

// Levels of Ansattporten, whose values do not name a framework.
const (
	AnsattportenLow         = "low"
	AnsattportenSubstantial = "substantial"
	AnsattportenHigh        = "high"
)

// Level is one acr value and its rank.
type Level struct {
	Value string // compared byte for byte
	Rank  int    // a higher rank is stronger; levels of equal rank are equally strong
	// Group is the group of logins that a request must name, such as those of other countries: a login with a level of a group
	// answers only requests for a level of the same group. The logins of "" answer every request.
	Group string
}

// Levels is an immutable, ordered set of acr values, safe for concurrent use. The zero value is an empty set.
type Levels struct {
	values []string          // weakest first
	ranks  map[string]int    // of each value
	groups map[string]string // of each value that is in a group
}

// Groups of the levels of ID-porten whose logins are offered only to requests that name one of their levels
// (docs.digdir.no: oidc_func_eidas, oidc_func_emaillogin).
const (
	groupEIDAS = "eidas"
	groupEmail = "email"
)

// IDPorten holds the levels of ID-porten. The level of an e-mail login is weaker than all others. eIDAS logins and e-mail logins answer
// only requests that name such a level.
var IDPorten = Must(New(idPorten()...))

func idPorten() []Level {
	return []Level{
		{SelfRegisteredEmail, 0, groupEmail},
		{Low, 1, ""},
		{EIDASLow, 1, groupEIDAS},
		{SubstantialLimited, 2, ""},
		{Substantial, 3, ""},
		{EIDASSubstantial, 3, groupEIDAS},
		{High, 4, ""},
		{EIDASHigh, 4, groupEIDAS},
	}
}

// Former names of two levels of ID-porten. [IDPortenWithOldNames] has them, [IDPorten] does not.
const (
	OldSubstantial = "Level3" // Substantial
	OldHigh        = "Level4" // High
)

// IDPortenWithOldNames holds the levels of ID-porten and the old names of two of them, with the same ranks. A request with an old name
// is answered with the level of the login under its own name.
var IDPortenWithOldNames = Must(New(append(idPorten(), Level{OldSubstantial, 3, ""}, Level{OldHigh, 4, ""})...))

// Ansattporten holds the levels of Ansattporten.
var Ansattporten = Must(New(
	Level{AnsattportenLow, 1, ""}, Level{AnsattportenSubstantial, 3, ""}, Level{AnsattportenHigh, 4, ""},
))

// New returns a set of levels. It returns an error if there is no level, or if a value is empty or repeated; the error
// describes every such level.
func New(levels ...Level) (*Levels, error) {
	if len(levels) == 0 {
		return nil, errors.New("acr: at least one level is required")
	}
	l := &Levels{ranks: make(map[string]int, len(levels)), groups: map[string]string{}}
	var errs []error
	for i, level := range levels {
		_, repeated := l.ranks[level.Value]
		switch {
		case level.Value == "":
			errs = append(errs, fmt.Errorf("acr: level %d: empty value", i))
		case repeated:
			errs = append(errs, fmt.Errorf("acr: level %d: %q is repeated", i, level.Value))
		default:
			l.ranks[level.Value] = level.Rank
			if level.Group != "" {
				l.groups[level.Value] = level.Group
			}
			l.values = append(l.values, level.Value)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(l.values, func(a, b string) int { return cmp.Compare(l.ranks[a], l.ranks[b]) })
	return l, nil
}

// Must returns l, or panics if err is not nil. It is for package variables.
func Must(l *Levels, err error) *Levels {
	if err != nil {
		panic(err)
	}
	return l
}

// Values returns the values of the set, weakest first. They are the acr_values_supported of OIDC Discovery §3.
func (l *Levels) Values() []string { return slices.Clone(l.values) }

// AtLeast reports whether achieved is at least as strong as minimum. It returns false if either is not in the set. Therefore
// AtLeast(v, v) reports whether v is in the set.
func (l *Levels) AtLeast(achieved, minimum string) bool {
	have, ok1 := l.ranks[achieved]
	want, ok2 := l.ranks[minimum]
	return ok1 && ok2 && have >= want
}

// Satisfies reports whether a login at achieved answers a request: it is at least as strong as the weakest known value of requested, and
// if it has a group, as the weakest one of that group: only a request that names a level of the group accepts such a login. It
// returns false if achieved or every value of requested is unknown, and if requested is empty. A caller that accepts requests without acr_values
// compares with a default level in that case.
func (l *Levels) Satisfies(achieved string, requested []string) bool {
	group := l.groups[achieved]
	for _, minimum := range requested {
		if l.AtLeast(achieved, minimum) && (group == "" || l.groups[minimum] == group) {
			return true
		}
	}
	return false
}

// Known returns the values of requested that are in the set, in order and without duplicates.
func (l *Levels) Known(requested []string) []string {
	var known []string
	for _, value := range requested {
		if _, ok := l.ranks[value]; ok && !slices.Contains(known, value) {
			known = append(known, value)
		}
	}
	return known
}
