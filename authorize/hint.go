package authorize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/session"
)

// checkHint verifies id_token_hint: an id_token of this provider for this client, which may be expired (OIDC Core §3.1.2.1). The hint
// does not log a user in.
func (e *Endpoint) checkHint(_ context.Context, q *request, now time.Time) *refusal {
	hint := q.form.Get("id_token_hint")
	if hint == "" || q.sealed {
		return nil
	}
	sub, err := e.hintedSubject(hint, q.client.ClientID, now)
	if err != nil {
		return q.to.invalid("id_token_hint_invalid", "The id_token_hint must be an id_token for this client.")
	}
	if q.hintSub != "" && q.hintSub != sub {
		return q.to.invalid("id_token_hint_mismatch", "The id_token_hint and the claims parameter must name the same user.")
	}
	q.hintSub = sub
	return nil
}

// isOther reports whether the hint names another user. It compares the hint with the sub that this request would yield. The id_token
// of an open login does not name the user of a pseudonymous request, and vice versa: otherwise a client could learn by the response
// that a user whom it knows and a pseudonym are the same.
func (e *Endpoint) isOther(q *request, who *session.Identity) (bool, error) {
	sub, err := e.cfg.Subject(q.client, who, e.withheld(q))
	if err != nil {
		return true, fmt.Errorf("authorize: deriving the subject: %w", err)
	}
	return sub == "" || sub != q.hintSub, nil
}

var errHint = errors.New("authorize: not an id_token for this client")

func (e *Endpoint) hintedSubject(hint, clientID string, now time.Time) (string, error) {
	if e.cfg.IDTokens == nil || len(hint) > jose.MaxTokenX5C {
		return "", errHint
	}
	payload, err := e.cfg.IDTokens.VerifyIDToken(hint, now)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errHint, err)
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

// holdsAudience reports whether aud is value, or an array that contains it.
func holdsAudience(claims jose.Object, value string) bool {
	if one, err := claims.String("aud"); err == nil {
		return one == value
	}
	many, err := claims.Strings("aud")
	return err == nil && slices.Contains(many, value)
}

// Hint is a login_hint. It prints as REDACTED.
type Hint struct{ text string }

// Reveal returns the login_hint. The page must escape it, and must not log it: it may identify a user.
func (h Hint) Reveal() string { return h.text }

// IsZero reports whether the hint is empty.
func (h Hint) IsZero() bool { return h.text == "" }

// Format writes "REDACTED" for every verb.
func (Hint) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Hint) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// MarshalText returns "REDACTED".
func (Hint) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// String returns "REDACTED".
func (Hint) String() string { return "REDACTED" }
