package standin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/standin/admin"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
)

// AdminFlags are the flags of the administration.
type AdminFlags struct {
	Admin          string // address; if "", there is none
	AdminSecret    string // file
	DiscardChanges bool
}

// Define adds the flags.
func (f *AdminFlags) Define(fs *flag.FlagSet) {
	fs.StringVar(&f.Admin, "admin", "", "`address` of the administration: an API and pages that change clients, scopes and users, see docs/administration.md (default: none)")
	FileVar(fs, &f.AdminSecret, "admin-secret", "`file` with the secret of callers of the administration; required if other machines reach it")
	BoolVar(fs, &f.DiscardChanges, "discard-changes", "forget what the administration changed, and begin with the configuration file alone")
}

// Administered is a server, as the administration sees it.
type Administered struct {
	// Name is the name of the service.
	Name string
	// Lists are the lists of its configuration that can be changed.
	Lists []admin.List
	// Apply reads the configuration again, with Administration.Merge, and calls Administration.Use. See Server.Reload.
	Apply func(context.Context) error
	// Sessions says that users log in.
	Sessions bool
	// Authorizations says that InUse has some.
	Authorizations bool
}

// InUse is what the administration shows of the configuration that applies.
type InUse struct {
	// Entries returns the entries of a list, built-in ones included: a value that encodes as a JSON array.
	Entries func(list string) any
	// Keys sign tokens.
	Keys *Keys
	// Authorizations are what users authorized.
	Authorizations admin.Authorizations
	// Ended is called for a session that the administration ended. It may be nil.
	Ended func(ctx context.Context, s storage.Session, now time.Time)
}

// Administration changes the configuration of a server. It has the changes of a store that lasts also without -admin, because they apply
// then, too.
type Administration struct {
	apply    func(context.Context) error
	keeper   *changes.Keeper // nil without -admin and a store that lasts
	refusals *admin.Refusals // nil without -admin
	site     *Site           // nil without -admin
	meter    *Meter          // nil without -metrics
	metrics  *Site           // nil without -metrics
	inUse    atomic.Pointer[InUse]
}

// OpenAdministration loads the changes and opens the ports of the administration and of the metrics. If users log in, it puts itself in front
// of the store of state.
func OpenAdministration(ctx context.Context, f Flags, a Administered, issuer string, state *State, log *slog.Logger) (*Administration, error) {
	d, err := openAdministration(ctx, f, a, issuer, state, log)
	if err != nil {
		return nil, err
	}
	if err := d.openMetrics(f, state.meter); err != nil {
		d.Sites().Close()
		return nil, err
	}
	return d, nil
}

func openAdministration(ctx context.Context, f Flags, a Administered, issuer string, state *State, log *slog.Logger) (*Administration, error) {
	d := &Administration{apply: a.Apply}
	if f.Admin == "" && !state.Lasting {
		return d, nil
	}
	if err := d.open(ctx, f, a, issuer, state, log); err != nil {
		return nil, err
	}
	if f.Admin == "" {
		return d, nil
	}
	secret, err := f.secret()
	if err != nil {
		return nil, err
	}
	if d.site, err = f.listen(secret); err != nil {
		return nil, err
	}
	d.refusals = admin.NewRefusals()
	cfg := admin.Config{
		Name: a.Name, Issuer: issuer, Base: d.site.Base, Secret: secret, Lists: a.Lists, Keeper: d.keeper, Refusals: d.refusals, Look: look.Handler(), Now: f.Now,
		Entries: func(list string) any { return d.inUse.Load().Entries(list) },
		Keys:    func() []keyset.KeyState { return d.inUse.Load().Keys.Set().States() },
	}
	if a.Sessions {
		cfg.Sessions = &admin.Sessions{Store: state.Store, Ended: d.ended}
		state.Store = observed{state.Store, cfg.Sessions}
	}
	if a.Authorizations {
		cfg.Authorizations = authorized{d}
	}
	handler, err := admin.New(cfg)
	if err != nil {
		Sites{d.site}.Close()
		return nil, fmt.Errorf("-admin: %w", err)
	}
	d.site.Handle(handler)
	return d, nil
}

// Use makes u what the administration shows.
func (d *Administration) Use(u InUse) {
	if d != nil {
		d.inUse.Store(&u)
	}
}

func (d *Administration) ended(ctx context.Context, s storage.Session, now time.Time) {
	if ended := d.inUse.Load().Ended; ended != nil {
		ended(ctx, s, now)
	}
}

// authorized are the authorizations of the configuration in use.
type authorized struct{ d *Administration }

// List implements admin.Authorizations.
func (a authorized) List(ctx context.Context, username string, now time.Time) ([]authorizations.Authorization, error) {
	return a.d.inUse.Load().Authorizations.List(ctx, username, now)
}

// Revoke implements admin.Authorizations.
func (a authorized) Revoke(ctx context.Context, username, id string, now time.Time) error {
	return a.d.inUse.Load().Authorizations.Revoke(ctx, username, id, now)
}

// open loads the changes, and forgets them if the flags say so.
func (d *Administration) open(ctx context.Context, f Flags, a Administered, issuer string, state *State, log *slog.Logger) error {
	kept, err := changes.NewLog(state.Store, issuer, state.Secrets...)
	if err != nil {
		return err
	}
	if f.DiscardChanges {
		if err := kept.Discard(ctx, f.Clock()()); err != nil {
			return fmt.Errorf("-discard-changes: %w", err)
		}
	}
	cfg := changes.KeeperConfig{Log: kept, Apply: a.Apply, Logger: log, Now: f.Now}
	for _, l := range a.Lists {
		cfg.Lists = append(cfg.Lists, l.List)
	}
	if d.keeper, err = changes.Open(ctx, cfg); err != nil {
		return fmt.Errorf("the changes that were made with -admin: %w (-discard-changes forgets them)", err)
	}
	if n := d.keeper.Changes().Len(); n > 0 {
		log.Info("the configuration file has changes, which are in the store", "entries", n)
	}
	return nil
}

// listen opens the port. Without a host it is on loopback.
func (f Flags) listen(secret portner.Secret) (*Site, error) {
	host, port, err := splitAddr("-admin", f.Admin, 0)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	secure, err := f.TLS.Server()
	if err != nil {
		return nil, err
	}
	site, err := f.open("administration", host, port, secure)
	if err != nil {
		return nil, fmt.Errorf("-admin: %w", err)
	}
	if !site.onLoopback() && secret == nil {
		Sites{site}.Close()
		return nil, fmt.Errorf("-admin: %s is not on loopback: who reaches it can log in as anyone; add -admin-secret FILE", f.Admin)
	}
	return site, nil
}

// secret reads the secret of callers. It is nil without -admin-secret.
func (f AdminFlags) secret() (portner.Secret, error) {
	if f.AdminSecret == "" {
		return nil, nil
	}
	file, err := os.Open(f.AdminSecret)
	if err != nil {
		return nil, fmt.Errorf("-admin-secret: %w", err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, errors.Join(err, fmt.Errorf("-admin-secret: other users must not read %s: chmod 600 %s", f.AdminSecret, f.AdminSecret))
	}
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return nil, fmt.Errorf("-admin-secret: %w", err)
	}
	secret := portner.Secret(strings.TrimSpace(string(text)))
	if len(secret) < admin.MinSecret {
		return nil, fmt.Errorf("-admin-secret: %s must have at least %d characters, such as from openssl rand -base64 32", f.AdminSecret, admin.MinSecret)
	}
	return secret, nil
}

// Merge returns a configuration file with the changes.
func (d *Administration) Merge(file []byte) ([]byte, error) {
	if d == nil || d.keeper == nil {
		return file, nil
	}
	return d.keeper.Merge(file)
}

// Changed reads a configuration again with the changes, now that the store is open.
func Changed[C any](d *Administration, c C, read func() (C, error)) (C, error) {
	if d.keeper == nil {
		return c, nil
	}
	changed, err := read()
	if err != nil {
		return c, fmt.Errorf("the changes that were made with -admin do not fit; -discard-changes forgets them: %w", err)
	}
	return changed, nil
}

// WithUsers returns the users of a configuration. If its file has none, the built-in ones are among them, but for those that were changed.
func WithUsers[U any](d *Administration, users, builtin []U, username func(U) string) []U {
	own := len(users) > 0
	if d != nil && d.keeper != nil {
		own = d.keeper.InFile("users")
	}
	if own {
		return users
	}
	return Merged(users, builtin, username)
}

// Reload makes the server read its configuration file again.
func (d *Administration) Reload(ctx context.Context) error {
	if d.keeper == nil {
		return d.apply(ctx)
	}
	return d.keeper.Reload(ctx)
}

// OnEvent returns the hook for the events of the server. It is nil without -admin and -metrics.
func (d *Administration) OnEvent() func(context.Context, portner.Event) {
	switch {
	case d == nil || d.refusals == nil && d.meter == nil:
		return nil
	case d.meter == nil:
		return d.refusals.Observe
	case d.refusals == nil:
		return d.meter.OnEvent
	}
	return func(ctx context.Context, e portner.Event) {
		d.meter.OnEvent(ctx, e)
		d.refusals.Observe(ctx, e)
	}
}

// Sites returns the origins of the administration and of the metrics, if there are any.
func (d *Administration) Sites() (sites Sites) {
	if d == nil {
		return nil
	}
	for _, s := range [...]*Site{d.site, d.metrics} {
		if s != nil {
			sites = append(sites, s)
		}
	}
	return sites
}

// Greet prints the address.
func (d *Administration) Greet(w io.Writer) {
	if d.site != nil {
		fmt.Fprintf(w, "\n  Administration: %s\n", d.site.Base)
	}
	d.greetMetrics(w)
}

// run applies the changes of other nodes, until ctx ends.
func (d *Administration) run(ctx context.Context) {
	if d != nil && d.keeper != nil {
		d.keeper.Run(ctx)
	}
}

// observed is a store whose sessions the administration lists.
type observed struct {
	Store

	sessions *admin.Sessions
}

// Session implements Store.
func (o observed) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	return o.sessions.Session(ctx, hash, now)
}

// ReplaceSession implements Store.
func (o observed) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	return o.sessions.ReplaceSession(ctx, old, next, limit, now)
}

// EndSession implements Store.
func (o observed) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	return o.sessions.EndSession(ctx, hash, now)
}

// FinishRequest implements Store.
func (o observed) FinishRequest(ctx context.Context, out storage.Outcome, now time.Time) error {
	err := o.Store.FinishRequest(ctx, out, now)
	if err == nil && out.Visit != nil && out.Code != nil {
		o.sessions.Visited(out.Code.Grant.SessionID, *out.Visit)
	}
	return err
}
