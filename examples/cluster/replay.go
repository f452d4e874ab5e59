//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
)

// curve is the record day: logins a second at an hour of the day, with straight lines between the points. It has 2.5 million logins, and 300
// a second when the tax assessment notices have arrived.
var curve = []struct{ hour, rate float64 }{{0, 3}, {5, 3}, {8, 53}, {9, 300}, {9.5, 60}, {12, 25}, {20, 20}, {24, 3}}

// loginsUntil returns the number of logins of the record day until an hour.
func loginsUntil(hour float64) (n float64) {
	for i := 1; i < len(curve) && curve[i-1].hour < hour; i++ {
		a, b := curve[i-1], curve[i]
		h := min(hour, b.hour) - a.hour
		end := a.rate + (b.rate-a.rate)*h/(b.hour-a.hour)
		n += (a.rate + end) / 2 * h * 3600
	}
	return n
}

const (
	replayUsers  = 5000
	replayClient = "replay"
	replayTo     = "https://replay.example/callback" // of the client; nothing is sent there
	atOnce       = 256                               // logins; the others wait
)

// replay is a load of logins. Each is one of a user in a new browser: the authorization request, the page, the form and the code exchange.
type replay struct {
	issuer string
	speed  float64 // times as fast as the day
	sample float64 // one of so many logins takes place
	from   float64 // hours of the day
	to     float64
	test   func(ctx context.Context, transport http.RoundTripper, user string) error // in place of login; nil outside tests

	mu       sync.Mutex
	took     []time.Duration // from the time of the day at which a login was due until the tokens have arrived
	ends     map[int64]int   // logins that ended in a second
	failed   atomic.Int64
	firstErr error
}

// objects returns the client and the users of a replay, for the configuration.
func (*replay) objects() (clients, users []object, err error) {
	for i := range replayUsers {
		pid, err := norway.SyntheticPID(time.Date(1950, 1, 1+i/10, 0, 0, 0, 0, time.UTC), i%10)
		if err != nil {
			return nil, nil, err
		}
		users = append(users, object{"pid": pid.Reveal(), "username": replayUser(i), "password": "passord"})
	}
	return []object{{
		"client_id": replayClient, "client_name": "Avspilling", "client_secret": secret, "client_orgno": serviceOrg, "integration_type": "api_klient",
		"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{replayTo}, "scopes": []string{"openid", "profile"},
	}}, users, nil
}

func replayUser(i int) string { return fmt.Sprintf("bruker-%d", i%replayUsers) }

// run starts each login when it is due and waits for all.
func (p *replay) run(ctx context.Context) {
	p.ends = map[int64]int{}
	transport := standin.TLS{}.Outgoing().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = atOnce
	defer transport.CloseIdleConnections()
	var running sync.WaitGroup
	defer running.Wait()
	free, login := make(chan struct{}, atOnce), p.login
	if p.test != nil {
		login = p.test
	}
	begin, before := time.Now(), loginsUntil(p.from)
	for i := 0; ; {
		hour := p.from + time.Since(begin).Hours()*p.speed
		due := int((loginsUntil(min(hour, p.to)) - before) / p.sample)
		for at := time.Now(); i < due; i++ {
			user := replayUser(i)
			running.Go(func() { // and waits here, so that its time counts
				select {
				case free <- struct{}{}:
					p.note(at, login(ctx, transport, user))
					<-free
				case <-ctx.Done():
				}
			})
		}
		if hour >= p.to || !sleep(ctx, 5*time.Millisecond) {
			return
		}
	}
}

// note records the end of a login that was due at a time.
func (p *replay) note(due time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed.Add(1)
		if p.firstErr == nil {
			p.firstErr = err
		}
		return
	}
	p.took = append(p.took, time.Since(due))
	p.ends[time.Now().Unix()]++
}

// report prints what a replay has found and returns an error if a login failed.
func (p *replay) report(out io.Writer) error {
	slices.Sort(p.took)
	at := func(part float64) time.Duration {
		if len(p.took) == 0 {
			return 0
		}
		return p.took[int(part*float64(len(p.took)-1))].Round(100 * time.Microsecond)
	}
	peak := 0
	for _, n := range p.ends {
		peak = max(peak, n)
	}
	fmt.Fprintf(out, "replayed: speed=%g sample=%g logins=%d failed=%d per_second_max=%d p50=%s p99=%s max=%s\n",
		p.speed, p.sample, len(p.took), p.failed.Load(), peak, at(0.5), at(0.99), at(1))
	if n := p.failed.Load(); n > 0 {
		return fmt.Errorf("%d logins failed, the first one: %w", n, p.firstErr)
	}
	if len(p.took) == 0 {
		return errors.New("no login took place")
	}
	return nil
}

// login logs a user in from a new browser and redeems the code.
func (p *replay) login(ctx context.Context, transport http.RoundTripper, user string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	conf := oauth2.Config{
		ClientID: replayClient, ClientSecret: secret, RedirectURL: replayTo, Scopes: []string{"openid", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: p.issuer + "/authorize", TokenURL: p.issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	verifier, state := oauth2.GenerateVerifier(), rand.Text()
	answer, err := logIn(ctx, browser, conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", rand.Text())), user)
	if err != nil {
		return err
	}
	if answer.Get("state") != state || answer.Get("code") == "" {
		return fmt.Errorf("authorization response: %s", answer.Get("error"))
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
	_, err = conf.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	return err
}

// logIn follows redirects, fills in the form of the login page, and returns the parameters of the response to the client.
func logIn(ctx context.Context, browser *http.Client, address, user string) (url.Values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for range 8 {
		if err != nil {
			return nil, err
		}
		resp, failed := browser.Do(r)
		if failed != nil {
			return nil, failed
		}
		page, failed := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		_ = resp.Body.Close()
		if failed != nil {
			return nil, failed
		}
		next, failed := resp.Location()
		switch {
		case failed == nil && strings.HasPrefix(next.String(), replayTo):
			return next.Query(), nil
		case failed == nil:
			r, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil)
		case resp.StatusCode == http.StatusOK && r.Method == http.MethodGet:
			r, err = fillIn(ctx, resp.Request.URL, string(page), user)
		default:
			return nil, fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, resp.Status)
		}
	}
	return nil, errors.New("the server redirects without end")
}

// problems passes on the lines of a log that report a problem. Each login has a few lines about its events.
type problems struct{ io.Writer }

// Write implements io.Writer.
func (p problems) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("level=INFO")) {
		return len(line), nil
	}
	return p.Writer.Write(line)
}

// fillIn returns the request that sends the form of a login page.
func fillIn(ctx context.Context, at *url.URL, page, user string) (*http.Request, error) {
	_, form, found := strings.Cut(page, `id="login-form"`)
	target, err := at.Parse(between(form, `action="`))
	if !found || err != nil {
		return nil, errors.New("a page without a login form")
	}
	values := url.Values{"csrf": {between(form, `name="csrf" value="`)}, "username": {user}, "password": {"passord"}, "action": {"login"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", target.Scheme+"://"+target.Host)
	return r, nil
}

// between returns the value of an attribute that begins after a text.
func between(page, before string) string {
	_, rest, _ := strings.Cut(page, before)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}
