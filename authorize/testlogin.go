package authorize

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestLogin answers requests with login_hint=testid:<pid>_<acr> at once, without any page: the person
// is logged in and has consented (idporten section 3.8). Tokens are real ones. Whoever can reach the
// provider can be any synthetic person, so it belongs in test environments, and NewTestLogin makes it
// for no other.
type TestLogin struct {
	issuer   string
	identity func(context.Context, norway.PID) (session.Identity, error)
}

// TestLoginConfig configures a TestLogin.
type TestLoginConfig struct {
	// Issuer is the provider's issuer. Its host must be a loopback name or address, or TestIssuer must
	// be set to the very same value.
	Issuer string
	// TestIssuer repeats the issuer of a test environment that is not on loopback: whoever sets it has
	// thought about it.
	TestIssuer string
	// Identity finds the person of a synthetic identity number. nil: every such number is a person,
	// whose subject is "testid:" and the number.
	Identity func(ctx context.Context, pid norway.PID) (session.Identity, error)
}

// NewTestLogin refuses issuers that are not known to be test environments.
func NewTestLogin(cfg TestLoginConfig) (*TestLogin, error) {
	if cfg.Issuer == "" || cfg.TestIssuer != cfg.Issuer && !onLoopback(cfg.Issuer) {
		return nil, errors.New("authorize: a test login needs an issuer on loopback, or TestIssuer")
	}
	if cfg.Identity == nil {
		cfg.Identity = func(_ context.Context, pid norway.PID) (session.Identity, error) {
			id, err := pseudonym.NewIdentifier(session.TypePID, pid.Reveal())
			return session.Identity{Subject: testHint + pid.Reveal(), Identifiers: []pseudonym.Identifier{id}}, err
		}
	}
	return &TestLogin{issuer: cfg.Issuer, identity: cfg.Identity}, nil
}

func onLoopback(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.IsLoopback()
}

const testHint = "testid:"

// testAMR is what id_tokens of a test login say (idporten section 6.3).
const testAMR = "TestID"

// wantsTestLogin reports whether the request is one for the test login, if there is one.
func (f *flow) wantsTestLogin() bool {
	return f.cfg.TestLogin != nil && strings.HasPrefix(f.req.form.Get("login_hint"), testHint)
}

// chooseFirst answers what a representation page would ask with the first choice on it.
func (f *flow) chooseFirst(sess *storage.Session) *refusal {
	q, refused := f.choose(sess)
	if q != nil {
		f.representation = representation{true, []string{q.Choices[0].ID}}
	}
	return refused
}

// testLogin logs the named person in and goes on, with consent to everything, representing the first of
// those it may represent.
func (f *flow) testLogin() *refusal {
	q := f.req
	digits, level, _ := strings.Cut(strings.TrimPrefix(q.form.Get("login_hint"), testHint), "_")
	pid, err := norway.ParsePID(digits)
	if err != nil || !pid.IsSynthetic() || !f.cfg.sufficient(level, q.acrValues) {
		return q.to.invalid("test_login", "The login_hint must name a synthetic person and a level that suffices.")
	}
	who, err := f.cfg.TestLogin.identity(f.r.Context(), pid)
	if err != nil {
		return q.to.refuse(portner.AccessDenied, "test_login_unknown", "The test login knows no such person.")
	}
	sess, refused := f.login(session.Authentication{Identity: who, ACR: level, AMR: []string{testAMR}})
	if refused != nil {
		return refused
	}
	f.interacted = true // as if by a page
	needs, auth, refused := f.decide(sess)
	if refused != nil {
		return refused
	}
	if needs.do != goOn {
		return q.to.refuse(portner.LoginRequired, "test_login", needs.description())
	}
	if refused := f.chooseFirst(sess); refused != nil {
		return refused
	}
	said := &answer{}
	for _, s := range q.plan.NeedsConsent {
		said.approved = append(said.approved, s.Name)
	}
	said.shown = said.approved
	plan, refused := f.consented(sess, said)
	if refused != nil {
		return refused
	}
	return f.issue(sess, auth, plan, nil) // nobody said yes, so nothing is remembered
}
