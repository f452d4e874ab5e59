package authorize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// checkHint reads whom the id_token_hint names. It must be an id_token of this provider for this
// client; it may be expired (OpenID Connect Core section 3.1.2.1). It never says who is logged in
// (security row G5).
func (e *Endpoint) checkHint(_ context.Context, q *request, now time.Time) *refusal {
	hint := q.form.Get("id_token_hint")
	if hint == "" || q.sealed {
		return nil
	}
	sub, err := e.hintedSubject(hint, q.client.ClientID, now)
	if err != nil {
		return q.to.invalid("id_token_hint", "The id_token_hint is not an id_token for this client.")
	}
	q.hintSub = sub
	return nil
}

var errHint = errors.New("authorize: not an id_token for this client")

func (e *Endpoint) hintedSubject(hint, clientID string, now time.Time) (string, error) {
	if e.cfg.IDTokens == nil || len(hint) > jose.MaxTokenX5C {
		return "", errHint
	}
	payload, typ, err := e.cfg.IDTokens.Verify(hint, now)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errHint, err)
	}
	if typ != "" && !strings.EqualFold(typ, "JWT") { // at+jwt and logout+jwt are something else
		return "", errHint
	}
	claims, err := jose.ParseObject(payload)
	if err != nil {
		return "", errHint
	}
	iss, err := claims.String("iss")
	if err != nil || iss != e.cfg.Issuer || !holdsAudience(claims, clientID) {
		return "", errHint
	}
	sub, err := claims.String("sub")
	if err != nil || sub == "" {
		return "", errHint
	}
	return sub, nil
}

// holdsAudience reports whether aud is the value or an array that holds it.
func holdsAudience(claims jose.Object, value string) bool {
	if one, err := claims.String("aud"); err == nil {
		return one == value
	}
	many, err := claims.Strings("aud")
	return err == nil && contains(many, value)
}

// Hint is a login_hint. It redacts itself where it is printed; Reveal gives the text.
type Hint struct{ text string }

// Reveal returns what the client wrote. Escape it, and keep it out of logs: it may be a person.
func (h Hint) Reveal() string { return h.text }

// IsZero reports whether there is no hint.
func (h Hint) IsZero() bool { return h.text == "" }

// Format writes "REDACTED" for every verb.
func (Hint) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Hint) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// MarshalText returns "REDACTED".
func (Hint) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// String returns "REDACTED".
func (Hint) String() string { return "REDACTED" }
