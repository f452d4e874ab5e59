package audit

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portner-go/portner"
)

// rule explains a reason: the parameter that it concerns, what is expected, and the property of the registration that can permit it.
type rule struct{ parameter, expected, property string }

// Parameter returns the name of the request parameter, header field or JWT claim that a reason concerns, "" for none.
func Parameter(reason string) string { return rules[reason].parameter }

// explain completes the Explanation of an event from the rule of its reason.
func explain(e portner.Event) portner.Explanation {
	x := e.Explanation
	r, ok := rules[e.Endpoint+"/"+e.Reason] // where the same word names another rule
	if !ok {
		r = rules[e.Reason]
	}
	if x.Parameter == "" {
		x.Parameter = r.parameter
	}
	if x.Expected == "" {
		x.Expected = r.expected
	}
	if x.Property == "" {
		x.Property = r.property
	}
	return x
}

// maxReceived bounds Explanation.Received and each list of Explanation.Expected, in bytes.
const maxReceived = 300

// open holds the parameters, header parameters and claims whose values are neither secret nor name a user.
var open = map[string]bool{
	"acr_values": true, "alg": true, "aud": true, "client_assertion_type": true, "client_id": true, "code_challenge_method": true, "exp": true,
	"grant_type": true, "iat": true, "iss": true, "kid": true, "max_age": true, "nbf": true, "onbehalfof": true, "post_logout_redirect_uri": true,
	"prompt": true, "redirect_uri": true, "requested_token_type": true, "resource": true, "response_mode": true, "response_type": true,
	"scope": true, "subject_token_type": true, "token_endpoint_auth_method": true, "typ": true,
}

// Received returns the value of a parameter for an Explanation: "" for a parameter whose values can be secret or name a user. Queries,
// fragments and users of URIs are removed, runs of characters that can be an identity number or a secret are masked, because clients mix
// parameters up, and long values are shortened.
func Received(parameter, value string) string {
	if !open[parameter] {
		return ""
	}
	if strings.Contains(value, "://") || strings.HasSuffix(parameter, "redirect_uri") {
		value = query.ReplaceAllString(value, "")
		value = user.ReplaceAllString(value, "//")
	}
	return shorten(mask(value))
}

// ValidMember returns the name of the member of authorization_details that a portner.FieldError in err names, and the text for
// Explanation.Expected. Both are "" if err names none, or one that a response cannot have.
func ValidMember(err error) (name, expected string) {
	e, ok := errors.AsType[*portner.FieldError](err)
	if !ok || !memberName.MatchString(e.Field) {
		return "", ""
	}
	return e.Field, "a valid value of the member " + e.Field
}

// memberName matches the names that a response can have.
var memberName = regexp.MustCompile(`^[A-Za-z0-9_.]{1,64}$`)

// OneOf returns the values of a list for Explanation.Expected.
func OneOf(values []string) string {
	if len(values) == 0 {
		return "no value: none is registered"
	}
	return shorten(strings.Join(values, " "))
}

// mask replaces what can be an identity number or a secret in a value, and characters that are not printable.
func mask(value string) string {
	printable := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, value)
	random := randomText
	if strings.Contains(printable, "://") {
		random = randomSegment
	}
	return number.ReplaceAllString(random.ReplaceAllStringFunc(printable, func(run string) string {
		if !isRandom(run) {
			return run
		}
		return run[:6] + "***" // the beginning is enough to find a kid
	}), "***")
}

// surelyRandom is the length of a run that needs no digit to be random: no word is that long.
const surelyRandom = 40

// isRandom reports whether a run of characters can be a secret, such as a token or a code: digits and letters of both cases, or digits
// and letters without a separator, as in hexadecimal texts. A UUID, which many a client_id is, has separators.
func isRandom(run string) bool {
	bothCases := strings.ToLower(run) != run && strings.ToUpper(run) != run
	return (bothCases || unseparated.MatchString(run)) && (len(run) >= surelyRandom || strings.ContainsAny(run, "0123456789"))
}

var (
	query       = regexp.MustCompile(`[?#][^ ]*`)
	user        = regexp.MustCompile(`//[^/ ]*@`)
	number      = regexp.MustCompile(`\p{Nd}{6}[ .-]?\p{Nd}{5,}`) // a national identity number, also with a separator
	unseparated = regexp.MustCompile(`[A-Za-z0-9]{32,}`)

	randomText    = regexp.MustCompile(`[A-Za-z0-9_+/=~-]{24,}`) // base64 and hexadecimal texts
	randomSegment = regexp.MustCompile(`[A-Za-z0-9_-]{24,}`)     // of a URI, whose path is no such text
)

func shorten(value string) string {
	if len(value) <= maxReceived {
		return value
	}
	cut := maxReceived
	for cut > 0 && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + "…"
}
