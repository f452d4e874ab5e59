package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// story is what one user did, and what the provider acknowledged.
type story struct {
	b      *browser
	scopes string

	session            bool // the browser received a session
	out, maybeOut      bool // a logout was acknowledged; a logout had no reply
	revoked, maybeOver bool // a revocation was acknowledged; a revocation had no reply
	lost               bool // the reply to a redemption was lost, so that the repeated request ended the grant
	access, refresh    []string
	idToken            string
}

// latest returns the refresh token of the last response.
func (s *story) latest() string {
	if len(s.refresh) == 0 {
		return ""
	}
	return s.refresh[len(s.refresh)-1]
}

// load is a load of whole stories.
type load struct {
	*cluster
	patience time.Duration // how long a client repeats a request without a useful reply
	longest  time.Duration // a reply that takes longer breaks a rule
	pause    time.Duration // of each user between two requests
	repeat   int           // every so many requests are sent twice at the same time; 0 is none
	number   atomic.Int64
	repeated atomic.Int64
	statuses [600]atomic.Int64
	cut      atomic.Int64 // requests without a response
	slowest  atomic.Int64

	mu      sync.Mutex
	stories []*story
	times   []time.Duration
	last    time.Time // of the last success
}

// start runs users until stop is called, which returns when all stories have ended.
func (l *load) start(users int) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			r := newSource(l.seed, uint64(1000+u))
			for i := 0; i < 100_000 && l.Err() == nil; i++ {
				select {
				case <-done:
					return
				default:
				}
				l.tell(u, i, r)
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// see checks a reply.
func (l *load) see(r *reply) *reply {
	if l.pause > 0 {
		time.Sleep(l.pause)
	}
	if l.slowest.Load() < int64(r.took) {
		l.slowest.Store(int64(r.took))
	}
	if l.longest > 0 && r.took > l.longest {
		l.fail("a reply took %s: %s", r.took.Round(time.Millisecond), r)
	}
	if r.err != nil {
		l.cut.Add(1)
		return r
	}
	l.statuses[min(r.status, 599)].Add(1)
	switch r.status {
	case http.StatusOK, http.StatusSeeOther:
		l.mu.Lock()
		l.last = time.Now()
		l.times = append(l.times, r.took)
		l.mu.Unlock()
	case http.StatusBadRequest:
	case http.StatusServiceUnavailable:
		l.check(r.header.Get("Retry-After") != "", "a 503 has no Retry-After")
	default:
		l.fail("another status: %s", r)
	}
	return r
}

// retry repeats a request while it has no reply or 503.
func (l *load) retry(do func() *reply) (r *reply, lost bool) {
	for deadline := time.Now().Add(l.patience); ; {
		r = l.see(l.maybeTwice(do))
		if !r.unavailable() || time.Now().After(deadline) || l.Err() != nil {
			return r, lost
		}
		lost = true
		time.Sleep(50 * time.Millisecond)
	}
}

// maybeTwice sends some requests twice, as a proxy does that lost a response. The client gets one of the replies.
func (l *load) maybeTwice(do func() *reply) *reply {
	if l.repeat == 0 || l.number.Add(1)%int64(l.repeat) != 0 {
		return do()
	}
	l.repeated.Add(1)
	replies := race(2, func(int) *reply { return do() })
	return l.see(replies[1])
}

// tell runs one story: a login, a redemption, three refreshes and an end.
func (l *load) tell(user, number int, r *source) {
	s := &story{scopes: "openid email", b: l.browser(fmt.Sprintf("user-%d-%d", user, number))}
	end := r.intn(4)
	if end == 1 {
		s.scopes = "openid" // a grant that ends with the session
	}
	code, ok := l.logIn(s)
	if ok && l.tokens(s, code) {
		l.end(s, end)
	}
	l.mu.Lock()
	l.stories = append(l.stories, s)
	l.mu.Unlock()
}

// logIn logs the user in, and begins again if a step fails.
func (l *load) logIn(s *story) (code authorization, ok bool) {
	for deadline := time.Now().Add(l.patience); ; {
		code, last, err := s.b.authorize(s.scopes, true)
		l.see(last)
		if err == nil {
			s.session = true
			return code, true
		}
		if errors.Is(err, errNoCode) && last.status != http.StatusServiceUnavailable && last.status != http.StatusSeeOther {
			l.fail("no code: %v, %s", err, last)
			return code, false
		}
		if time.Now().After(deadline) || l.Err() != nil {
			return code, false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// tokens redeems the code and refreshes.
func (l *load) tokens(s *story, code authorization) bool {
	r, lost := l.retry(func() *reply { return l.redeem(code) })
	if r.ok() && l.repeat > 0 && !l.introspect(r.field("access_token")).active() {
		s.lost = true // the code was presented twice, so that its grant ended
		return false
	}
	if !r.ok() {
		s.lost = true // the repeated request was a second use, or the code has expired
		if !lost && l.repeat == 0 {
			l.fail("a code was refused: %s", r)
		}
		return false
	}
	s.access, s.refresh, s.idToken = append(s.access, r.field("access_token")), append(s.refresh, r.field("refresh_token")), r.field("id_token")
	for range 3 {
		r, _ = l.retry(func() *reply { return l.cluster.refresh(s.latest()) })
		switch {
		case r.ok():
			s.access, s.refresh = append(s.access, r.field("access_token")), append(s.refresh, r.field("refresh_token"))
		case r.unavailable():
			s.maybeOver = true // nothing is known about the last token but that one of two is live
			return false
		default:
			l.fail("a refresh token was refused: %s", r)
			s.lost = true
			return false
		}
	}
	return true
}

// end ends the story: the tokens are revoked, the user logs out, or nothing happens.
func (l *load) end(s *story, how int) {
	switch how {
	case 0:
		r, _ := l.retry(func() *reply { return l.revoke(s.latest()) })
		s.revoked, s.maybeOver = r.ok(), !r.ok()
	case 1:
		// A logout whose reply was lost ended the session: the next one finds none, and leads back to the client too.
		r, _ := l.retry(func() *reply { return s.b.logout(s.idToken) })
		s.out = r.err == nil && r.status == http.StatusSeeOther
		s.maybeOut, s.maybeOver = !s.out, !s.out
	}
}

// verify checks what the provider acknowledged, when nothing is disturbed any more.
func (l *load) verify() {
	var missing, undone, several, refused, checked atomic.Int64
	l.workers(8, func(w int, _ *source) {
		for i := w; i < len(l.stories); i += 8 {
			s := l.stories[i]
			checked.Add(1)
			if s.session && !s.out && !s.maybeOut {
				if _, last, err := s.b.authorize("openid", false); err != nil {
					missing.Add(1)
					l.fail("a session is missing: %v, %s", err, last)
				}
			}
			active := []string{}
			for _, value := range slices.Concat(s.access, s.refresh) {
				if l.introspect(value).active() {
					active = append(active, value)
				}
			}
			live := slices.DeleteFunc(slices.Clone(active), func(v string) bool { return !slices.Contains(s.refresh, v) })
			switch {
			case s.revoked || s.out:
				if len(active) > 0 {
					undone.Add(1)
					l.fail("%d tokens are active after an acknowledged revocation or logout", len(active))
				}
				if s.out {
					if _, _, err := s.b.authorize("openid", false); err == nil {
						undone.Add(1)
						l.fail("a session is live after an acknowledged logout")
					}
				}
			case len(live) > 1:
				several.Add(1)
				l.fail("%d refresh tokens of a family are live", len(live))
			case len(s.refresh) > 0 && !s.lost && !s.maybeOver && !slices.Contains(live, s.latest()):
				refused.Add(1)
				l.fail("an acknowledged refresh token is not live")
			}
		}
	})
	l.count("stories", checked.Load())
	l.count("sessions_missing", missing.Load())
	l.count("revocations_undone", undone.Load())
	l.count("families_with_several", several.Load())
	l.count("tokens_missing", refused.Load())
}

// replies adds the numbers of the replies to the line.
func (l *load) replies() {
	for status := range l.statuses {
		if n := l.statuses[status].Load(); n > 0 {
			l.count(fmt.Sprint(status), n)
		}
	}
	l.count("without_response", l.cut.Load())
	l.count("slowest", time.Duration(l.slowest.Load()).Round(time.Millisecond))
}

// succeeded returns when the last success was.
func (l *load) succeeded() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
