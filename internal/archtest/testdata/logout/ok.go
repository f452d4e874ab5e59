// Package logout breaks no rule in this file.
package logout

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/session"
)

// Config has a clock.
type Config struct {
	// Now is the clock.
	Now func() time.Time

	// A and B are explained together.
	A string
	B string
	C string // C explains itself

	hidden string
}

const script template.JS = `document.forms[0].submit()`

var style = template.CSS("body{}")

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c Config) send(w http.ResponseWriter, r *http.Request) (string, context.Context) {
	http.Redirect(w, r, "/", http.StatusSeeOther)
	w.WriteHeader(303)
	return r.PostFormValue("a"), r.Context()
}

type helper struct{ Bare int }

// Bare2 has a comment, as every method needs.
func (helper) Bare2() {}

var _, _, _ = portner.Version, httpx.Secure, session.New
