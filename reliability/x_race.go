package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts the replies of a load.
type tally struct {
	ok, refused, other atomic.Int64
	first              atomic.Pointer[reply] // of the others
}

func (y *tally) add(r *reply) {
	switch {
	case r.ok():
		y.ok.Add(1)
	case r.refused():
		y.refused.Add(1)
	default:
		y.other.Add(1)
		y.first.CompareAndSwap(nil, r)
	}
}

// race sends the same request from several callers at once and returns the replies.
func race(callers int, do func(i int) *reply) []*reply {
	var wg sync.WaitGroup
	start, replies := make(chan struct{}), make([]*reply, callers)
	for i := range callers {
		wg.Go(func() {
			<-start
			replies[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return replies
}

// codes returns authorizations, from a few browsers that log in once.
func (c *cluster) codes(n int, scopes string) []authorization {
	const browsers = 20
	all := make([]authorization, n)
	errs := make([]error, browsers)
	c.workers(browsers, func(i int, _ *source) {
		b := c.browser(fmt.Sprintf("user-%d", i))
		for k := i; k < n && errs[i] == nil; k += browsers {
			var last *reply
			if all[k], last, errs[i] = b.authorize(scopes, true); errs[i] != nil {
				errs[i] = fmt.Errorf("%w: %s", errs[i], last)
			}
		}
	})
	for _, err := range errs {
		c.must(err)
	}
	return all
}

// redemption redeems each code from many callers at once, through two processes.
func redemption(t *trial) { redeemAtOnce(t, "", t.size(1000, 10_000)) }

func redemptionControl(t *trial) { redeemAtOnce(t, readThenUpdate, 20) }

func redeemAtOnce(t *trial, defect string, count int) {
	const callers = 50
	c := t.cluster(t.backend(nil).url, t.nodes(2), func(_ int, cfg *nodeConfig) {
		cfg.Variant, cfg.Lifetimes.Code = defect, 10*time.Minute
	})
	all, live, took := &tally{}, 0, time.Duration(0)
	for first := 0; first < count; first += 500 { // less than the codes and tokens of one batch live
		codes := c.codes(min(500, count-first), "openid email")
		begin := time.Now()
		winners := redeemEach(c, codes, callers, first, all)
		took += time.Since(begin)
		live += c.liveTokens(winners)
	}
	t.count("codes", count)
	t.count("callers", callers)
	t.count("ok", all.ok.Load())
	t.count("invalid_grant", all.refused.Load())
	t.count("other", all.other.Load())
	t.count("per_second", int(float64(count*callers)/took.Seconds()))
	t.check(all.other.Load() == 0, "%d other replies, first %s", all.other.Load(), all.first.Load())
	t.count("live_after_replay", live)
	t.check(live == 0, "%d tokens of replayed codes are live", live)
}

// redeemEach redeems each code from many callers at once, checks that one of them got tokens, and returns the replies with tokens. The number
// of the first code is first.
func redeemEach(c *cluster, codes []authorization, callers, first int, all *tally) (winners []*reply) {
	for i, a := range codes {
		before := len(winners)
		for _, r := range race(callers, func(int) *reply { return c.redeem(a) }) {
			all.add(r)
			if r.ok() {
				winners = append(winners, r)
			}
		}
		c.check(len(winners) == before+1, "code %d was redeemed %d times", first+i, len(winners)-before)
	}
	return winners
}

// liveTokens returns the number of tokens in replies of the token endpoint that introspection does not report as inactive.
func (c *cluster) liveTokens(replies []*reply) int {
	var live atomic.Int64
	c.workers(16, func(i int, _ *source) {
		for k := i; k < len(replies); k += 16 {
			for _, name := range [...]string{"access_token", "refresh_token"} {
				if r := c.introspect(replies[k].field(name)); !r.ok() || r.active() {
					live.Add(1)
				}
			}
		}
	})
	return int(live.Load())
}

// rotation refreshes each token of many families from many callers at once.
func rotation(t *trial) {
	b := t.backend(nil)
	rotateStrict(t, b, "", t.size(200, 2000))
	rotateWithGrace(t, b, t.size(30, 200), 25)
}

func rotationControl(t *trial) { rotateStrict(t, t.backend(nil), readThenUpdate, 20) }

// family returns the token response of each of n new grants.
func (c *cluster) families(n int, scopes string) []*reply {
	codes, all := c.codes(n, scopes), make([]*reply, n)
	c.workers(16, func(i int, _ *source) {
		for k := i; k < n; k += 16 {
			all[k] = c.redeem(codes[k])
		}
	})
	for _, r := range all {
		if !r.ok() {
			c.must(fmt.Errorf("a code was not redeemed: %s", r))
		}
	}
	return all
}

// rotateStrict uses one token of each family from 20 callers: one wins, and the others end the family.
func rotateStrict(t *trial, b *backend, defect string, families int) {
	const callers = 20
	c := t.cluster(b.url, t.nodes(2), func(_ int, cfg *nodeConfig) { cfg.Variant = defect })
	first, all, live := c.families(families, "openid email"), tally{}, 0
	sampler := t.sample(b)
	for i, f := range first {
		here := tally{}
		replies := race(callers, func(int) *reply { return c.refresh(f.field("refresh_token")) })
		for _, r := range replies {
			here.add(r)
			all.add(r)
		}
		t.check(here.ok.Load() == 1, "strict: the token of family %d was rotated %d times", i, here.ok.Load())
		for _, r := range replies {
			if r.ok() && c.introspect(r.field("refresh_token")).active() {
				live++
			}
		}
	}
	sampler()
	t.count("strict_families", families)
	t.count("strict_ok", all.ok.Load())
	t.count("strict_refused", all.refused.Load())
	t.count("strict_other", all.other.Load())
	t.check(all.other.Load() == 0, "strict: %d other replies, first %s", all.other.Load(), all.first.Load())
	t.check(live == 0, "strict: %d families are live after a second use", live)
}

// rotateWithGrace uses each generation from several callers: all of them get the same successor.
func rotateWithGrace(t *trial, b *backend, families, generations int) {
	const callers = 10
	c := t.cluster(b.url, t.nodes(2), func(_ int, cfg *nodeConfig) { cfg.Grace = time.Minute })
	first, all := c.families(families, "openid email"), tally{}
	sampler := t.sample(b)
	t.workers(3, func(w int, _ *source) {
		for i := w; i < families; i += 3 {
			value, past := first[i].field("refresh_token"), []string{}
			for g := range generations {
				next := ""
				for _, r := range race(callers, func(int) *reply { return c.refresh(value) }) {
					all.add(r)
					got := r.field("refresh_token")
					if next == "" {
						next = got
					}
					t.check(!r.ok() || got == next, "grace: generation %d of family %d has two successors", g+1, i)
				}
				past = append(past, value)
				value = next
			}
			t.check(c.introspect(value).active(), "grace: the last token of family %d is not live", i)
			for _, old := range past {
				t.check(!c.introspect(old).active(), "grace: an old token of family %d is live", i)
			}
		}
	})
	sampler()
	t.count("grace_families", families)
	t.count("grace_generations", generations)
	t.count("grace_ok", all.ok.Load())
	t.check(all.refused.Load() == 0 && all.other.Load() == 0, "grace: %d refused, %d other, first %s", all.refused.Load(), all.other.Load(), all.first.Load())
}

// sample counts 20 times a second the live refresh tokens of each family in the tables, until the returned function is called.
func (t *trial) sample(b *backend) (stop func()) {
	if b.kind != kindPostgres {
		return func() {}
	}
	return t.sampleFamilies(b)
}

// Kinds of revocation.
var endings = []string{"revoke", "logout", "disable", "withdraw"}

// revocation ends grants while they are refreshed: afterwards no token of the grant is active.
func revocation(t *trial) { revokeMeanwhile(t, "", endings, t.size(300, 8000)) }

func revocationControl(t *trial) { revokeMeanwhile(t, readThenUpdate, []string{"revoke"}, 60) }

func revokeMeanwhile(t *trial, defect string, kinds []string, grants int) {
	c := t.cluster(t.backend(nil).url, t.nodes(2), func(_ int, cfg *nodeConfig) { cfg.Variant, cfg.Grace = defect, time.Minute })
	var all tally
	var tokens, live, unacknowledged atomic.Int64
	t.workers(4, func(w int, r *source) {
		for i := w; i < grants; i += 4 {
			kind := kinds[i%len(kinds)]
			b := c.browser(fmt.Sprintf("user-%s-%d", kind, i))
			scopes := "openid email"
			if kind == "logout" {
				scopes = "openid" // a grant that ends with the session
			}
			a, last, err := b.authorize(scopes, true)
			if err != nil {
				t.fail("login: %v %s", err, last)
				continue
			}
			first := c.redeem(a)
			got := []string{first.field("access_token"), first.field("refresh_token")}
			delays := make([]time.Duration, 11)
			for k := range delays {
				delays[k] = r.between(0, 5*time.Millisecond)
			}
			replies := race(len(delays), func(k int) *reply {
				time.Sleep(delays[k])
				if k == 0 {
					return c.end(kind, b, first)
				}
				return c.refresh(first.field("refresh_token"))
			})
			if !replies[0].ok() && replies[0].status != http.StatusSeeOther {
				unacknowledged.Add(1)
				t.fail("%s: %s", kind, replies[0])
			}
			for _, r := range replies[1:] {
				all.add(r)
				if r.ok() {
					got = append(got, r.field("access_token"), r.field("refresh_token"))
				}
			}
			for _, value := range got {
				tokens.Add(1)
				if r := c.introspect(value); !r.ok() || r.active() {
					live.Add(1)
					t.fail("%s: a token of grant %d is active after it ended", kind, i)
				}
			}
		}
	})
	t.count("grants", grants)
	t.count("refreshed", all.ok.Load())
	t.count("refused", all.refused.Load())
	t.count("other", all.other.Load())
	t.count("tokens", tokens.Load())
	t.count("active_afterwards", live.Load())
	t.check(all.other.Load() == 0, "%d other replies, first %s", all.other.Load(), all.first.Load())
}

// end ends a grant in one of the ways of endings.
func (c *cluster) end(kind string, b *browser, first *reply) *reply {
	switch kind {
	case "revoke":
		return c.revoke(first.field("access_token"))
	case "logout":
		return b.logout(first.field("id_token"))
	case "disable":
		var last *reply
		for _, n := range c.nodes {
			last = c.control(n, "disable?user="+b.user)
		}
		return last
	}
	return c.control(c.nodes[0], "withdraw?user="+b.user)
}

// assertion returns a client assertion.
func (c *cluster) assertion(jti string, issued, expires time.Time) string {
	payload, err := json.Marshal(map[string]any{"iss": machineID, "sub": machineID, "aud": c.issuer, "jti": jti, "iat": issued.Unix(), "exp": expires.Unix()})
	if err != nil {
		return ""
	}
	text, err := c.signer.Sign("JWT", payload)
	if err != nil {
		return ""
	}
	return text
}

func (c *cluster) machineToken(assertion string) *reply {
	return c.do(http.MethodPost, c.next()+"/token", machineForm(assertion), nil)
}

func machineForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {apiScope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

// assertions presents each assertion from many callers at once.
func assertions(t *trial) { presentAtOnce(t, "", t.size(300, 5000)) }

func assertionsControl(t *trial) { presentAtOnce(t, readThenUpdate, 20) }

func presentAtOnce(t *trial, defect string, count int) {
	const callers = 40
	c := t.cluster(t.backend(nil).url, t.nodes(2), func(_ int, cfg *nodeConfig) { cfg.Variant = defect })
	accepted, rejected, other := 0, 0, 0
	for i := range count {
		now, here := time.Now(), 0
		text := c.assertion(fmt.Sprintf("jti-%d", i), now, now.Add(time.Minute))
		for _, r := range race(callers, func(int) *reply { return c.machineToken(text) }) {
			switch {
			case r.ok():
				here++
			case r.status == http.StatusUnauthorized && r.field("error") == "invalid_client":
				rejected++
			default:
				other++
				if other == 1 {
					t.fail("another reply: %s", r)
				}
			}
		}
		accepted += here
		t.check(here == 1, "assertion %d was accepted %d times", i, here)
	}
	late := c.assertion("late", time.Now().Add(-2*time.Minute), time.Now().Add(-time.Minute))
	r := c.machineToken(late)
	t.check(r.status == http.StatusUnauthorized, "an expired assertion: %s", r)
	t.count("assertions", count)
	t.count("callers", callers)
	t.count("accepted", accepted)
	t.count("rejected", rejected)
	t.count("other", other)
}
