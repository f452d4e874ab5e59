package logout

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// hint is what a verified id_token_hint says. It never tells who the person is; that is the cookie's.
type hint struct {
	clientID string
	subject  string
	sid      string // "" if the client does not get one
	issuedAt int64
}

var errNotIDToken = errors.New("logout: the hint is no id_token")

// readHint verifies an id_token_hint: signed here, as an id_token, by this issuer (security rows G5, D8).
// It may be expired: id_tokens live two minutes (idporten section 15.1).
func (e *Endpoint) readHint(token string, now time.Time) (*hint, error) {
	payload, typ, err := e.cfg.Keys.Verify(token, now)
	if err != nil {
		return nil, fmt.Errorf("logout: verifying the hint: %w", err)
	}
	// Access tokens are at+jwt and logout tokens logout+jwt; an id_token is JWT or leaves typ out.
	if typ != "" && typ != "JWT" {
		return nil, errNotIDToken
	}
	claims, err := jose.ParseObject(payload)
	if err != nil {
		return nil, fmt.Errorf("logout: reading the hint: %w", err)
	}
	return e.hintOf(claims)
}

func (e *Endpoint) hintOf(claims jose.Object) (*hint, error) {
	issuer, errIss := claims.String("iss")
	clientID, errAud := claims.String("aud")
	subject, errSub := claims.String("sub")
	sid, errSID := claims.OptionalString("sid")
	issuedAt, errIAT := claims.Int("iat")
	if err := errors.Join(errIss, errAud, errSub, errSID, errIAT); err != nil {
		return nil, fmt.Errorf("logout: reading the hint: %w", err)
	}
	// Logout tokens have events, access tokens and request objects a client_id; id_tokens have neither.
	if issuer != e.cfg.Issuer || clientID == "" || subject == "" || claims.Has("events") || claims.Has("client_id") {
		return nil, errNotIDToken
	}
	return &hint{clientID: clientID, subject: subject, sid: sid, issuedAt: issuedAt}, nil
}

// fits reports whether the id_token was issued in this very session: its sid is the one this client
// knows the session by; or, for a client that gets no sid, its sub is this person, it is no older than
// the session, and the client has logged in to it. An id_token from last week logs nobody out unasked.
func (e *Endpoint) fits(h *hint, c *client.Client, s *storage.Session) bool {
	part := participant(s, h.clientID)
	if part == nil {
		return false
	}
	if h.sid != "" {
		return equal(h.sid, part.SID)
	}
	if h.issuedAt < s.StartedAt.Unix() {
		return false
	}
	who, err := e.cfg.Sessions.Identity(s)
	return err == nil && equal(h.subject, e.cfg.Subject(c, who))
}

func participant(s *storage.Session, clientID string) *storage.SessionClient {
	for i := range s.Clients {
		if s.Clients[i].ClientID == clientID {
			return &s.Clients[i]
		}
	}
	return nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// subject is the person's sub at a client, or "" if the session's identity no longer opens: the sid
// then has to do.
func (e *Endpoint) subject(c *client.Client, who *session.Identity) string {
	if who == nil {
		return ""
	}
	return e.cfg.Subject(c, *who)
}
