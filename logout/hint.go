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

// hint holds the claims of a verified id_token_hint. The session cookie identifies the user; the hint only confirms the request.
type hint struct {
	clientID string
	subject  string
	sid      string // "" if the id_token has none
	issuedAt int64
}

var errNotIDToken = errors.New("logout: the hint is not an id_token")

// verifyHint verifies an id_token_hint: an id_token that this provider signed. It may be expired (OIDC RP-Initiated Logout §4).
func (e *Endpoint) verifyHint(token string, now time.Time) (*hint, error) {
	payload, err := e.cfg.Keys.VerifyIDToken(token, now)
	if err != nil {
		return nil, fmt.Errorf("logout: verifying the hint: %w", err)
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
	issuedAt, errIAT := claims.NumericDate("iat")
	if err := errors.Join(errIss, errAud, errSub, errSID, errIAT); err != nil {
		return nil, fmt.Errorf("logout: reading the hint: %w", err)
	}
	if issuer != e.cfg.Issuer || clientID == "" || subject == "" {
		return nil, errNotIDToken
	}
	return &hint{clientID: clientID, subject: subject, sid: sid, issuedAt: issuedAt}, nil
}

// matches reports whether the id_token was issued in this session: its sid is that of the session at this client. For a client
// without sid, its sub is that of the user, it is not older than the session nor from the future, and every login of the client in the
// session was open. Another login of the same user can have led to an id_token without sid: a client that does not know the user of this
// session would learn by it whether the user is the same.
func (e *Endpoint) matches(h *hint, c *client.Client, s *storage.Session, now time.Time) bool {
	part := findParticipant(s, h.clientID)
	if part == nil {
		return false
	}
	if h.sid != "" {
		return equal(h.sid, part.SID)
	}
	if !part.Open || h.issuedAt < s.StartedAt.Unix() || h.issuedAt > now.Add(session.MaxSkew).Unix() {
		return false
	}
	sub, err := e.subject(s, c)
	return err == nil && sub == h.subject
}

func findParticipant(s *storage.Session, clientID string) *storage.SessionClient {
	for i := range s.Clients {
		if s.Clients[i].ClientID == clientID {
			return &s.Clients[i]
		}
	}
	return nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// identity returns the identity of the user in the circle of a client, from which the subject of the client derives.
func (e *Endpoint) identity(s *storage.Session, c *client.Client) (session.Identity, error) {
	return e.cfg.Sessions.Identity(s, e.cfg.Sessions.CircleOf(c.ClientID, c.SSODisabled))
}

// subject returns the sub of the user in the open grants of a client, or "" if the session has no identity for the circle of the client.
func (e *Endpoint) subject(s *storage.Session, c *client.Client) (string, error) {
	who, err := e.identity(s, c)
	if err != nil {
		return "", nil
	}
	return e.cfg.Subject(c, &who, false)
}
