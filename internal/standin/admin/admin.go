// Package admin is the administration of a running stand-in: an API with the paths and property names of Digdir's self-service, so that
// provisioning scripts run against a stand-in, and pages that show and change the same entries and say why requests were rejected.
//
// A change is an entry of a list of the configuration. Package changes keeps it and merges it into the configuration file, and the stand-in
// decodes, validates and applies the result as it does a reloaded file.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/keyset"
)

// Config configures a [Handler].
type Config struct {
	Name   string // of the service, such as ID-porten. Required.
	Issuer string // Required.
	// Base is the URL of the pages. Required.
	Base string
	// Secret is the bearer token of callers, and the password of the pages. If nil, none is required: only for loopback addresses.
	Secret portner.Secret

	// Lists are the lists that can be changed. Required.
	Lists []List
	// Entries returns the entries of a list in use, built-in ones included, as the configuration has them, with their secrets: a value that
	// encodes as a JSON array. Required.
	Entries func(list string) any
	// Keeper changes them. Required.
	Keeper *changes.Keeper

	// Refusals are the rejected requests. Required.
	Refusals *Refusals
	// Keys returns the signing keys. Required.
	Keys func() []keyset.KeyState
	// Sessions are those that this process has seen. If nil, there are no sessions.
	Sessions *Sessions
	// Authorizations are what users authorized. If nil, there are none.
	Authorizations Authorizations

	// Look serves /static/style.css and /static/icon.svg. Required.
	Look http.Handler
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// List is a list of the configuration.
type List struct {
	changes.List
	// Hidden is a member that is never shown, such as client_secret. An entry that is written without it keeps it. It may be "".
	Hidden string
	// Deactivated says that an entry is removed by "active": false. Otherwise it is left out of the configuration.
	Deactivated bool
	// Kept are the members that an entry keeps if it is written without them: they have a path of their own.
	Kept []string
	// Fixed are the members that do not change.
	Fixed []string
	// Defaults are members of new entries.
	Defaults map[string]string
	// Fields are the members with a field in the form. The others are one text of JSON.
	Fields []Field
}

// Authorizations list and end what the users of the configuration authorized.
type Authorizations interface {
	// List returns the authorizations of a user.
	List(ctx context.Context, username string, now time.Time) ([]authorizations.Authorization, error)
	// Revoke ends one. It returns an error that wraps storage.ErrNotFound if the user has none with the identifier.
	Revoke(ctx context.Context, username, id string, now time.Time) error
}

// New returns the handler of the administration. It reports every missing field at once.
func New(cfg Config) (http.Handler, error) {
	var c fields.Checker
	c.Require(cfg.Name != "", "Name")
	c.Require(cfg.Issuer != "", "Issuer")
	c.Require(cfg.Base != "", "Base")
	c.Require(len(cfg.Lists) > 0, "Lists")
	c.Require(cfg.Entries != nil, "Entries")
	c.Require(cfg.Keeper != nil, "Keeper")
	c.Require(cfg.Refusals != nil, "Refusals")
	c.Require(cfg.Keys != nil, "Keys")
	c.Require(cfg.Look != nil, "Look")
	for i, l := range cfg.Lists {
		c.Want(hasTexts(l), fmt.Sprintf("Lists[%d]", i), "has no text in a language for "+l.Member+" or one of its fields")
	}
	c.Want(cfg.Secret == nil || len(cfg.Secret) >= MinSecret, "Secret", "must have at least 20 characters")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &handler{cfg: cfg}
	return h.guard(h.routes()), nil
}

// handler answers the requests.
type handler struct{ cfg Config }

// list returns the list of a member. ok is false if the stand-in has none.
func (h *handler) list(member string) (l List, ok bool) {
	for _, l := range h.cfg.Lists {
		if l.Member == member {
			return l, true
		}
	}
	return List{}, false
}

// entries returns the entries of a list in use.
func (h *handler) entries(l List) ([]changes.Entry, error) {
	text, err := json.Marshal(h.cfg.Entries(l.Member))
	if err != nil {
		return nil, err
	}
	var all []changes.Entry
	return all, json.Unmarshal(text, &all)
}

// errNotFound is the error for an entry that is not in use.
var errNotFound = errors.New("not found")

// entry returns an entry in use.
func (h *handler) entry(l List, key string) (changes.Entry, error) {
	all, err := h.entries(l)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if l.Key(e) == key {
			return e, nil
		}
	}
	return nil, errNotFound
}

// active reports whether an entry is not deactivated.
func active(e changes.Entry) bool { return string(e["active"]) != "false" }

// shown returns an entry without its secret.
func (l List) shown(e changes.Entry) changes.Entry {
	out := changes.Entry{}
	for name, value := range e {
		if name != l.Hidden {
			out[name] = value
		}
	}
	return out
}
