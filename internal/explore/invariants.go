package explore

import (
	"fmt"
	"strings"
)

// An invariant examines what a store returned, in order, and returns what is wrong, or "". It does not read the model. The clocks of
// the nodes do not matter, except where an invariant compares them with the end of a record.
type invariant func(trace []step) string

// invariants hold for every store and every order of calls.
var invariants = []invariant{
	oneWinnerPerCode,
	oneSuccessorPerToken,
	rotatedStaysRotated,
	usedSuccessorsAreNotRetried,
	revokedStaysRevoked,
	logoutIsFinal,
	noTokenOutlivesItsGrant,
	oneUsePerPushedRequestAndJTI,
	oneKeyPerNumber,
	withdrawnConsentsEnd,
}

// check returns the first broken invariant, or "".
func check(trace []step) string {
	for _, holds := range invariants {
		if broken := holds(trace); broken != "" {
			return broken
		}
	}
	return ""
}

// did reports whether a step made a change of a kind.
func (s step) did(verb string) bool { return s.op.verb == verb && s.verdict == ok }

// isLive reports whether a step found a live record.
func (s step) isLive() bool { return s.verdict == ok || strings.HasPrefix(s.verdict, "version") }

// A code yields tokens once. A code that was burned yields none.
func oneWinnerPerCode(trace []step) string {
	consumed := map[string]bool{}
	for _, s := range trace {
		if s.did("RedeemCode") || s.did("BurnCode") {
			if consumed[s.op.record] {
				return "a code has one winner: code " + s.op.record
			}
			consumed[s.op.record] = true
		}
	}
	return ""
}

// A refresh token is rotated to one successor. A retry names the same one, and a renewal is no rotation.
func oneSuccessorPerToken(trace []step) string {
	successor := map[string]string{}
	for _, s := range trace {
		if !s.did("RotateRefreshToken") || s.op.next == s.op.record {
			continue
		}
		if first, rotated := successor[s.op.record]; rotated && (first != s.op.next || first == "") {
			return fmt.Sprintf("a refresh token has one successor: token %s has %q and %q", s.op.record, first, s.op.next)
		}
		successor[s.op.record] = s.op.next
	}
	return ""
}

// A token that was rotated is not live again, so that a family has one live token at most.
func rotatedStaysRotated(trace []step) string {
	rotated := map[string]bool{}
	for _, s := range trace {
		switch {
		case s.did("RotateRefreshToken") && s.op.next != s.op.record:
			rotated[s.op.record] = true
		case s.did("RotateRefreshToken") && rotated[s.op.record], s.op.verb == "RefreshToken" && strings.HasPrefix(s.verdict, ok) && rotated[s.op.record]:
			return "a family has one live token: token " + s.op.record + " was rotated"
		}
	}
	return ""
}

// A rotation is not retried when its successor was used.
func usedSuccessorsAreNotRetried(trace []step) string {
	rotated, used := map[string]bool{}, map[string]bool{}
	for _, s := range trace {
		if !s.did("RotateRefreshToken") {
			continue
		}
		if rotated[s.op.record] && used[s.op.next] && s.op.next != s.op.record {
			return "a rotation is not retried after its successor was used: token " + s.op.record
		}
		rotated[s.op.record], used[s.op.record] = true, true
	}
	return ""
}

// grantOf returns the grant of a record in the scenarios.
func grantOf(o op) string {
	switch o.verb {
	case "RedeemCode", "BurnCode", "Code", "Grants", "InsertGrant":
		return o.record
	case "AccessToken":
		name, _, _ := strings.Cut(o.record, ".")
		return name
	case "RefreshToken", "RotateRefreshToken":
		return "login"
	}
	return ""
}

// After a revocation no code, no token and no grant of it is live, and none is issued. Revoke may come before the code: then it finds
// nothing to revoke.
func revokedStaysRevoked(trace []step) string {
	known, revoked := map[string]bool{}, map[string]bool{}
	for _, s := range trace {
		switch {
		case s.did("FinishRequest"), s.did("InsertGrant"):
			known[s.op.record] = true
		case s.did("Revoke"):
			revoked[s.op.record] = known[s.op.record]
		case s.did("RevokeAuthorization"):
			for grant := range known {
				revoked[grant] = true
			}
		}
		if revoked[grantOf(s.op)] && strings.HasPrefix(s.verdict, ok) {
			return "a revoked grant stays revoked: " + s.op.String()
		}
	}
	return ""
}

// After a session has ended, it is not found, no code is made or redeemed in it, and its login has no live token.
func logoutIsFinal(trace []step) string {
	ended, redeemed := map[string]bool{}, map[string]bool{}
	for _, s := range trace {
		c, inSession := codes[grantOf(s.op)]
		ends := inSession && ended[c.session]
		switch {
		case s.did("RedeemCode") && !ends:
			redeemed[s.op.record] = true
		case s.did("EndSession"):
			ended[sessionOf(s.op.record)] = true
		case s.did("ReplaceSession") && s.op.record != "" && sessionOf(s.op.record) != sessionOf(s.op.next): // a switch
			ended[sessionOf(s.op.record)] = true
		case s.op.verb == "Session" && ended[sessionOf(s.op.record)] && s.isLive(),
			s.did("FinishRequest") && ended[codes[s.op.record].session],
			ends && (c.loginOnly || !redeemed[grantOf(s.op)]) && strings.HasPrefix(s.verdict, ok):
			return "logout is final: " + s.op.String()
		}
	}
	return ""
}

// No access token and no refresh token is accepted when its grant has expired at the clock of the node.
func noTokenOutlivesItsGrant(trace []step) string {
	for _, s := range trace {
		if s.now >= grantEnd && strings.HasPrefix(s.verdict, ok) && grantOf(s.op) != "" {
			return "no token outlives its grant: " + s.op.String()
		}
	}
	return ""
}

// A pushed request and an assertion are used once. A pushed request that was used is not readable.
func oneUsePerPushedRequestAndJTI(trace []step) string {
	used := map[string]bool{}
	for _, s := range trace {
		switch {
		case s.did("PushRequest"): // the record of one that has expired may have been collected
			delete(used, s.op.record)
		case s.did("ConsumePushedRequest"), s.did("ConsumeJTI"):
			if used[s.op.record] {
				return "a pushed request or an assertion is used once: " + s.op.record
			}
			used[s.op.record] = true
		case s.did("PushedRequest") && used[s.op.record]:
			return "a pushed request that was used is not readable: " + s.op.record
		}
	}
	return ""
}

// A number has one key for ever, and so has a kid. A key that was deleted does not return.
func oneKeyPerNumber(trace []step) string {
	number, kid, deleted := map[int]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range trace {
		switch {
		case s.did("InsertSigningKey"):
			if number[s.op.n] || kid[s.op.record] {
				return fmt.Sprintf("a number has one key: key %s, number %d", s.op.record, s.op.n)
			}
			number[s.op.n], kid[s.op.record] = true, true
		case s.did("DeleteSigningKey") && kid[s.op.record]:
			deleted[s.op.record] = true
		case s.op.verb == "SigningKeys":
			for key := range deleted {
				if !strings.Contains(s.verdict, ":"+key+" (deleted)") {
					return "a key that was deleted does not return: key " + key
				}
			}
		}
	}
	return ""
}

// A consent that was declined, or withdrawn with its authorization, does not return until the user consents again. A request has one answer.
func withdrawnConsentsEnd(trace []step) string {
	answered, given := map[string]bool{}, false
	for _, s := range trace {
		first := !answered[s.op.record]
		switch {
		case s.did("Consent") && first:
			answered[s.op.record], given = true, true
		case s.did("Decline") && first:
			answered[s.op.record], given = true, false
		case s.did("RevokeAuthorization"):
			given = false
		case s.op.verb == "Consents" && s.verdict != noConsent && !given:
			return "a consent that was withdrawn does not return"
		}
	}
	return ""
}
