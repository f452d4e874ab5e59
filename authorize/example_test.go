package authorize_test

import (
	"net/http"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/session"
)

// A login page shows a form on GET, with the fields authorize.RequestField (pending.Sealed) and
// authorize.CSRFField (pending.CSRF), and takes it on POST. Errors have been answered when Resume
// returns one.
func ExampleEndpoint_Resume() {
	var endpoint *authorize.Endpoint // from authorize.New
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		pending, err := endpoint.Resume(w, r)
		if err != nil {
			return
		}
		if r.Method != http.MethodPost || r.PostForm.Get("password") != "correct" {
			return // render the form
		}
		pending.Authenticated(w, r, session.Authentication{
			Identity: session.Identity{Subject: r.PostForm.Get("username")},
			ACR:      acr.Substantial, AMR: []string{"Password"},
		})
	})
}
