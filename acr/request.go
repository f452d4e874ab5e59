package acr

import "strings"

// Decision is what a request for levels means for a session.
type Decision string

// The decisions of [Levels.Decide].
const (
	// Sufficient: the session may answer the request.
	Sufficient Decision = "sufficient"
	// StepUp: the person must log in with something stronger. Without a user interface (prompt=none)
	// that is an error (security row G11).
	StepUp Decision = "step-up"
	// NoneRequested: no value the set knows was requested, or none at all. Decide again with the
	// default of the provider (ID-porten section 3.4 rule 6: idporten-loa-substantial), or refuse the
	// request with invalid_request if it did have values (security row B7).
	NoneRequested Decision = "none-requested"
)

// Decide weighs the level a session has achieved, "" without a session, against the requested values.
func (l *Levels) Decide(achieved string, requested []string) Decision {
	lowest, found := 0, false
	for _, value := range requested {
		if rank, ok := l.rank(value); ok && (!found || rank < lowest) {
			lowest, found = rank, true
		}
	}
	if !found {
		return NoneRequested
	}
	if rank, ok := l.rank(achieved); ok && rank >= lowest {
		return Sufficient
	}
	return StepUp
}

// Choice says which ways to log in a request opens.
type Choice struct {
	National bool // the national eIDs
	EIDAS    bool // eIDs of other countries; if nothing else is open, go straight to the country picker
	Email    bool // self-registered e-mail; if nothing else is open, go straight to it
}

// Choice tells which ways to log in the requested values open: eIDAS and e-mail are off unless asked
// for, the national eIDs are on unless only those two are asked for (ID-porten section 3.4 rules 3
// and 4). What is open may still be too weak: ask [Levels.Satisfies] for each level you can offer.
func (l *Levels) Choice(requested []string) Choice {
	var c Choice
	for _, value := range requested {
		value = l.resolve(value)
		if _, ok := l.ranks[value]; !ok {
			continue
		}
		switch {
		case value == SelfRegisteredEmail:
			c.Email = true
		case strings.HasPrefix(value, "eidas-"):
			c.EIDAS = true
		default:
			c.National = true
		}
	}
	if !c.EIDAS && !c.Email {
		c.National = true
	}
	return c
}
