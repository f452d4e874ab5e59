package standin

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/portner-go/portner/internal/standin/admin"
)

// Members are the members of a configuration that every stand-in with state has.
type Members struct {
	Issuer, TestIssuer string
	Settings           Settings
	Signing            Signing
	Clients            []ClientEntry
}

// Members returns the members of every stand-in.
func (c Common) Members() Members {
	return Members{c.Issuer, c.TestIssuer, c.Settings, c.Signing, c.Clients}
}

// Configuration is the configuration of a stand-in.
type Configuration interface{ Members() Members }

// Spec says what differs between stand-ins. The functions that may be nil do nothing then.
type Spec[C Configuration] struct {
	Name string // of the service
	// Lists are the lists of the configuration that the administration changes.
	Lists []admin.List
	// Sessions says that users log in, and Authorizations that the administration lists what they authorized.
	Sessions, Authorizations bool
	// Further are the names of the sites of the demo. They follow that of the provider.
	Further []string

	// Parse reads a configuration with changes. The changes may be nil.
	Parse func(Document, Merge) (C, error)
	// Issuer returns the issuer if none is configured, from the base URL of the first site. If nil, it is the base URL.
	Issuer func(file C, base string) string
	// Listen opens further listeners. It may be nil.
	Listen func(*Parts[C]) error
	// With returns the configuration with the entries of the program. If nil, it is the file.
	With func(p *Parts[C], file C) C
	// Certificates reports whether keys have a certificate by default. If nil, they have none.
	Certificates func(C) bool
	// Keeps records further changes of the file that need a restart. It may be nil.
	Keeps func(problems *Problems, file C)
	// Endpoint returns the name of what the provider has at a path, for metrics.
	Endpoint func(path string) string
}

// Parts are the parts of a stand-in with state. All but File and Config last as long as the process; a configuration that is read again is in
// a copy of the parts.
type Parts[C Configuration] struct {
	Log    *slog.Logger
	Now    func() time.Time
	Issuer string
	Sites  Sites // the provider, the sites of the demo, those of Spec.Listen, the administration and the metrics
	State  *State
	Keys   *Keys
	Admin  *Administration

	File   C // as it was read
	Config C // with the entries of the program

	flags  Flags
	spec   Spec[C]
	source *Source
	use    func(*Parts[C]) error // makes the handlers of a configuration that was read again
}

// Builder makes the handlers of a stand-in of type S, which has the parts.
type Builder[C Configuration, S any] struct {
	// Set sets the parts of a server.
	Set func(*S, *Parts[C])
	// Build makes the handlers of the configuration in use.
	Build func(*S) error
	// Start makes the handlers at the start. If nil, it is Build.
	Start func(*S) error
}

// Open opens the parts of s and makes its handlers. A configuration that is read again is that of a copy of s.
func Open[C Configuration, S any](ctx context.Context, f Flags, log *slog.Logger, s *S, spec Spec[C], b Builder[C, S]) (*S, error) {
	p, err := openParts(ctx, f, log, spec)
	if err != nil {
		return nil, err
	}
	p.use = func(next *Parts[C]) error {
		other := *s
		b.Set(&other, next)
		return b.Build(&other)
	}
	b.Set(s, p)
	start := b.Build
	if b.Start != nil {
		start = b.Start
	}
	if err := start(s); err != nil {
		p.Close()
		return nil, err
	}
	return s, nil
}

// openParts reads the configuration, opens the ports, the store and the administration, and makes the keys.
func openParts[C Configuration](ctx context.Context, f Flags, log *slog.Logger, spec Spec[C]) (*Parts[C], error) {
	p := &Parts[C]{Log: log, Now: f.Clock(), flags: f, spec: spec, source: NewSource(f)}
	d, err := f.Document()
	if err != nil {
		return nil, err
	}
	if p.File, err = spec.Parse(d, nil); err != nil {
		return nil, err
	}
	p.Config = p.File
	if p.Sites, err = Listen(f, cmp.Or(f.Issuer, p.File.Members().Issuer), spec.Further...); err != nil {
		return nil, err
	}
	p.Issuer = p.issuer(p.File)
	p.Sites[0].Accept(p.Issuer)
	if err := p.open(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Parts[C]) open(ctx context.Context) (err error) {
	if err = p.Sites.CheckTest(p.Issuer, p.TestIssuer()); err != nil {
		return err
	}
	p.Sites.WarnCertificate(p.Issuer, p.Log)
	if p.spec.Listen != nil {
		if err = p.spec.Listen(p); err != nil {
			return err
		}
	}
	if p.State, err = p.flags.OpenState(ctx, p.Log); err != nil {
		return err
	}
	if err = p.administer(ctx); err != nil {
		return err
	}
	p.Config = p.with(p.File)
	m := p.Config.Members()
	certificates := p.spec.Certificates != nil && p.spec.Certificates(p.Config)
	p.Keys, err = m.Signing.Keys(ctx, p.State, p.Issuer, m.Clients, certificates, p.Log)
	return err
}

// administer opens the administration, and reads the configuration again if it was changed.
func (p *Parts[C]) administer(ctx context.Context) (err error) {
	p.Admin, err = OpenAdministration(ctx, p.flags, Administered{
		Name: p.spec.Name, Lists: p.spec.Lists, Apply: p.apply, Sessions: p.spec.Sessions, Authorizations: p.spec.Authorizations,
	}, p.Issuer, p.State, p.Log)
	if err != nil {
		return err
	}
	p.Sites = append(p.Sites, p.Admin.Sites()...)
	p.File, err = Changed(p.Admin, p.File, p.read)
	return err
}

// issuer returns the issuer of a configuration.
func (p *Parts[C]) issuer(file C) string {
	own := p.Sites[0].Base
	if p.spec.Issuer != nil {
		own = p.spec.Issuer(file, own)
	}
	return cmp.Or(p.flags.Issuer, file.Members().Issuer, own)
}

// TestIssuer returns the issuer again, if it is configured as that of a test environment.
func (p *Parts[C]) TestIssuer() string {
	return cmp.Or(p.flags.TestIssuer, p.File.Members().TestIssuer)
}

func (p *Parts[C]) with(file C) C {
	if p.spec.With == nil {
		return file
	}
	return p.spec.With(p, file)
}

// read reads the configuration with the changes of the administration.
func (p *Parts[C]) read() (c C, err error) {
	d, err := p.source.Document()
	if err != nil {
		return c, err
	}
	return p.spec.Parse(d, p.Admin.Merge)
}

// apply replaces the configuration in use.
func (p *Parts[C]) apply(ctx context.Context) error {
	next := *p
	var err error
	if next.File, err = p.read(); err != nil {
		return err
	}
	if err := p.keeps(next.File); err != nil {
		return p.source.Wrap(err)
	}
	next.Config = next.with(next.File)
	m := next.Config.Members()
	if err := p.Keys.Extend(ctx, m.Signing, m.Clients); err != nil {
		return err
	}
	return p.use(&next)
}

// keeps returns the members of a configuration that a running server cannot change.
func (p *Parts[C]) keeps(file C) error {
	var problems Problems
	next, old := file.Members(), p.File.Members()
	NeedsRestart(&problems, p.issuer(file) != p.Issuer, "issuer")
	NeedsRestart(&problems, cmp.Or(p.flags.TestIssuer, next.TestIssuer) != p.TestIssuer(), "test_issuer")
	if p.spec.Keeps != nil {
		p.spec.Keeps(&problems, file)
	}
	next.Signing.Keeps(&problems, old.Signing)
	next.Settings.Keeps(&problems, old.Settings)
	return problems.Err()
}

// Reload implements Server.
func (p *Parts[C]) Reload(ctx context.Context) error { return p.Admin.Reload(ctx) }

// Configure replaces the configuration by a text, as Reload does with a changed file.
func (p *Parts[C]) Configure(ctx context.Context, text []byte) error {
	return p.source.Replace(text, func() error { return p.Admin.Reload(ctx) })
}

// Close releases what a server that is not served has opened.
func (p *Parts[C]) Close() {
	p.Sites.Close()
	if p.State != nil {
		_ = p.State.Store.Close()
	}
}

// Clock returns the time of Now, which tests replace.
func (p *Parts[C]) Clock() time.Time { return p.Now() }

// running says how the server runs.
func (p *Parts[C]) running() Running {
	return Running{Log: p.Log, Store: p.State.Store, Keys: p.Keys, Admin: p.Admin, Endpoint: p.spec.Endpoint, Drain: p.flags.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (p *Parts[C]) Handler() http.Handler { return p.Sites.Handler(p.running()) }

// Serve implements Server.
func (p *Parts[C]) Serve(ctx context.Context) error { return p.Sites.Serve(ctx, p.running()) }
