package authorize

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestLogin answers requests with login_hint=testid:<pid>_<acr> without showing a page, as if the user had logged in and consented
// (docs.digdir.no: Testing with ID-porten), and requests with login_hint=testid:<name> likewise, for users that the host has by a
// name. Every client can then log in as every synthetic person. NewTestLogin makes one for test environments only.
//
// It approves the scopes of TestLoginConfig.ApproveScopes, selects the first choice of each representation, and approves the
// authorization_details that TestLoginConfig.ApproveDetails names. The consents to the scopes are remembered as those of a user are,
// because the tokens rest on them.
type TestLogin struct {
	issuer   string
	anywhere bool     // also for requests that do not come from this machine
	scopes   []string // nil for all
	details  []string
	identity func(context.Context, norway.PID) (session.Identity, error)
	named    func(context.Context, string) (session.Authentication, error)
}

// TestLoginConfig configures a TestLogin.
type TestLoginConfig struct {
	// Issuer is the issuer of the provider. Its host must be a loopback name or address, unless TestIssuer is set.
	Issuer string
	// TestIssuer repeats Issuer, for a test environment that is not on loopback. It is a safeguard against a test login in
	// production. If "", the test login answers only requests from a loopback address to a listener on a loopback address
	// (Request.RemoteAddr and http.LocalAddrContextKey): a server that listens on every address, such as one in a container, needs
	// TestIssuer.
	TestIssuer string
	// ApproveScopes are the scopes with consent that are approved; others are declined. If nil, every scope is approved.
	ApproveScopes []string
	// ApproveDetails are the types of authorization_details without choices whose details are approved. Details of other types are
	// declined.
	ApproveDetails []string
	// Identity returns the user with a synthetic national identity number. If nil, every such number is a user, with the subject
	// "testid:" and the number.
	Identity func(ctx context.Context, pid norway.PID) (session.Identity, error)
	// Named returns the login of a user with a name, as the user's own login would be: login_hint=testid:kari. If it returns an error,
	// the request is denied. If nil, names are rejected.
	Named func(ctx context.Context, name string) (session.Authentication, error)
}

// NewTestLogin returns a TestLogin. It rejects issuers that are not known to be test environments.
func NewTestLogin(cfg TestLoginConfig) (*TestLogin, error) {
	var problems fields.Checker
	problems.Require(cfg.Issuer != "", "Issuer")
	problems.Want(cfg.TestIssuer == "" || cfg.TestIssuer == cfg.Issuer, "TestIssuer", "must be equal to Issuer")
	problems.Want(cfg.TestIssuer != "" || cfg.Issuer == "" || onLoopback(cfg.Issuer), "Issuer", "must be on loopback, or TestIssuer must repeat it")
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if cfg.Identity == nil {
		cfg.Identity = func(_ context.Context, pid norway.PID) (session.Identity, error) {
			id, err := pseudonym.NewIdentifier(session.TypePID, pid.Reveal())
			return session.Identity{Subject: testHint + pid.Reveal(), Identifiers: []pseudonym.Identifier{id}}, err
		}
	}
	return &TestLogin{cfg.Issuer, cfg.TestIssuer != "", slices.Clone(cfg.ApproveScopes), slices.Clone(cfg.ApproveDetails), cfg.Identity, cfg.Named}, nil
}

func onLoopback(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && fields.IsLoopback(u.Hostname())
}

// answers reports whether the test login may answer a request: one of this machine, to a listener that other machines do not reach.
func (l *TestLogin) answers(ctx context.Context, remoteAddr string) bool {
	if l.anywhere {
		return true
	}
	if local, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); ok && !isLoopbackAddr(local.String()) {
		return false
	}
	return isLoopbackAddr(remoteAddr)
}

// isLoopbackAddr reports whether addr is a loopback address, with or without a port.
func isLoopbackAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

const testHint = "testid:"

// testAMR is the amr of a test login.
const testAMR = "TestID"

// wantsTestLogin reports whether the request is one for the test login.
func (e *Endpoint) wantsTestLogin(q *request) bool {
	return e.cfg.TestLogin != nil && strings.HasPrefix(q.form.Get("login_hint"), testHint)
}

// testLogin logs the user of the hint in, gives the answers of TestLogin, and continues.
func (e *Endpoint) testLogin(ctx context.Context, x *exchange) *Decision {
	if !e.cfg.TestLogin.answers(ctx, x.r.RemoteAddr) {
		return e.refuse(ctx, x, x.req.to.refuse(portner.AccessDenied, "test_login_remote", "The login_hint of a test login is accepted from the same machine only."))
	}
	a, refused := e.testAuthentication(ctx, x.req)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	sess, refused := e.logIn(ctx, x, a)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	x.interacted = true // as after a page
	f, given, refused := e.testFacts(ctx, x, sess)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	switch n := f.decide(); n.action {
	case issue:
		return e.issue(ctx, x, sess, f, given)
	case refuse:
		return e.refuse(ctx, x, x.req.to.refuse(n.code, string(n.reason), n.description))
	default:
		return e.refuse(ctx, x, x.req.to.refuse(portner.LoginRequired, "test_login_insufficient", "The login_hint does not answer the request."))
	}
}

// testFacts loads the facts with the answers of the test login. given is its answer to the consent page; nil if the page has no scopes.
func (e *Endpoint) testFacts(ctx context.Context, x *exchange, sess *storage.Session) (f facts, given *scope.Answer, refused *refusal) {
	f, refused = e.load(ctx, x, sess, nil)
	if refused == nil && f.selection != nil {
		first := []string{f.selection.Choices[0].ID}
		x.representation = representation{true, first, e.localeOf(x), offered(f.represented, f.selection)}
		f, refused = e.load(ctx, x, sess, nil)
	}
	if refused != nil || !f.needsConsent() {
		return f, nil, refused
	}
	x.approval = approval{answered: true}
	for _, d := range f.approvable {
		if slices.Contains(e.cfg.TestLogin.details, d.Type) {
			x.approval.approved = append(x.approval.approved, d.ID)
		}
	}
	given = &scope.Answer{}
	for _, s := range f.plan.NeedsConsent {
		given.Shown = append(given.Shown, s.Name)
		if of := e.cfg.TestLogin.scopes; of == nil || slices.Contains(of, s.Name) {
			given.Approved, x.versions = append(given.Approved, s.Name), append(x.versions, s.ConsentVersion)
		}
	}
	f, refused = e.load(ctx, x, sess, given)
	return f, given, refused
}

// testAuthentication returns the login that the hint names.
func (e *Endpoint) testAuthentication(ctx context.Context, q *request) (a session.Authentication, _ *refusal) {
	hint := strings.TrimPrefix(q.form.Get("login_hint"), testHint)
	digits, level, _ := strings.Cut(hint, "_")
	pid, err := norway.ParsePID(digits)
	switch {
	case err != nil && e.cfg.TestLogin.named != nil:
		a, err = e.cfg.TestLogin.named(ctx, hint)
	case err != nil || !pid.IsSynthetic():
		return a, unfitHint(q)
	default:
		a.ACR, a.AMR = level, []string{testAMR}
		a.Identity, err = e.cfg.TestLogin.identity(ctx, pid)
	}
	if err != nil {
		return session.Authentication{}, q.to.refuse(portner.AccessDenied, "test_login_user_unknown", "The login_hint names no user of the test login.")
	}
	if !e.sufficient(a.ACR, q) {
		return session.Authentication{}, unfitHint(q)
	}
	return a, nil
}

func unfitHint(q *request) *refusal {
	return q.to.invalid("test_login_hint", "The login_hint must name a user of the test login, with a level that suffices.")
}
