package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// host is what a program adds to a peer that leaves users and sessions to it: a session cookie in a map. It is the least that works.
type host struct {
	users    atomic.Int64
	mu       sync.RWMutex
	sessions map[[32]byte]string // by the hash of the cookie
}

func newHost() *host { return &host{sessions: map[[32]byte]string{}} }

const hostCookie = "session="

// user returns the user of the session of a browser, or "".
func (h *host) user(r *http.Request) string {
	cookies := r.Header["Cookie"]
	if len(cookies) != 1 || !strings.HasPrefix(cookies[0], hostCookie) {
		return ""
	}
	hash := sha256.Sum256([]byte(cookies[0][len(hostCookie):]))
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.sessions[hash]
}

// logIn starts a session of another user.
func (h *host) logIn(w http.ResponseWriter) (user string) {
	user = userPrefix + strconv.FormatInt(h.users.Add(1), 10)
	value := rand.Text() + rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[sha256.Sum256([]byte(value))] = user
	w.Header()["Set-Cookie"] = []string{hostCookie + value + "; Path=/; HttpOnly; Secure; SameSite=Lax"}
	return user
}

// hashedSecret is how the peers keep the secret of their clients: a slow hash would cost more than everything else.
var hashedSecret = sha256.Sum256([]byte(secret))

func secretOK(given string) bool {
	hash := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(hash[:], hashedSecret[:]) == 1
}
