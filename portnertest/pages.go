package portnertest

import (
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/logout"
)

// Header fields of the pages, for the browser of this package. They repeat what the page shows.
const (
	headerStep   = "Portnertest-Step"
	headerCSRF   = "Portnertest-Csrf"
	headerField  = "Portnertest-Field" // name of the field with the value of headerCSRF
	headerAction = "Portnertest-Action"
	headerChoice = "Portnertest-Choice"
	headerFrame  = "Portnertest-Frame"
	headerNext   = "Portnertest-Next"
)

// pageTemplate is a page for browsers other than that of this package.
var pageTemplate = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><title>portnertest</title>
<h1>portnertest: {{.Step}}</h1><form method="post"{{with .Action}} action="{{.}}"{{end}}>
<input type="hidden" name="{{.Field}}" value="{{.CSRF}}">
{{range .Choices}}<p><label><input type="checkbox" name="{{$.Input}}" value="{{.}}" checked> {{.}}</label>{{end}}
{{range .Users}}<p><button name="user" value="{{.}}">{{.}}</button>{{else}}<p><button>Continue</button>{{end}}
<p><button name="action" value="cancel">Cancel</button></form>
`))

// shownPage is the data of pageTemplate.
type shownPage struct {
	Step, Field, CSRF, Action, Input string
	Choices, Users                   []string
}

// page shows the page of a step and takes its answer.
func (p *Provider) page(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if r.Method == http.MethodPost {
		return p.answered(r, pending)
	}
	s := shownPage{Step: string(pending.Step), Field: authorize.CSRFField, CSRF: pending.CSRF()}
	switch pending.Step {
	case authorize.ConsentStep:
		s.Input = "scope"
		for _, sc := range pending.Scopes {
			s.Choices = append(s.Choices, sc.Name)
		}
		for _, d := range pending.Details {
			s.Choices = append(s.Choices, d.ID)
		}
	case authorize.RepresentationStep:
		s.Input = "choice"
		for _, c := range pending.Selection.Choices {
			s.Choices = append(s.Choices, c.ID)
		}
	default:
		s.Users = slices.Sorted(maps.Keys(p.cfg.Users))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	s.mark(h)
	_ = pageTemplate.Execute(w, s)
	return nil
}

// mark repeats the page in the header.
func (s shownPage) mark(h http.Header) {
	h.Set(headerStep, s.Step)
	h.Set(headerField, s.Field)
	h.Set(headerCSRF, s.CSRF)
	h.Set(headerAction, s.Action)
	h[headerChoice] = s.Choices
}

func (p *Provider) answered(r *http.Request, pending *authorize.Pending) *authorize.Decision {
	ctx := r.Context()
	switch {
	case r.PostForm.Get("action") == "cancel":
		return pending.Cancel(ctx)
	case pending.Step == authorize.ConsentStep:
		return pending.Consent(ctx, r.PostForm["scope"])
	case pending.Step == authorize.RepresentationStep:
		return pending.Represent(ctx, r.PostForm["choice"])
	}
	name := r.PostForm.Get("user")
	u, known := p.cfg.Users[name]
	if !known {
		return pending.Cancel(ctx)
	}
	a, err := p.system.authenticate(name, u, p.level(u, r.PostForm.Get("acr"), pending.RequestedACR))
	if err != nil {
		p.t.Errorf("portnertest: the login of %q: %v", name, err)
		return pending.Cancel(ctx)
	}
	return pending.LogIn(ctx, a)
}

// level returns the level of a login: the one that is asked for, that of the user, or the highest one of the request.
func (p *Provider) level(u User, asked string, requested []string) string {
	if asked != "" {
		return asked
	}
	highest := p.system.lowest
	for _, r := range requested {
		if p.system.levels.AtLeast(r, highest) {
			highest = r
		}
	}
	if u.ACR != "" && p.system.levels.AtLeast(highest, u.ACR) {
		return u.ACR
	}
	return highest
}

// logoutPages returns the pages of a logout.
func (p *Provider) logoutPages() logout.Pages {
	return logout.Pages{
		Confirm: func(c logout.ConfirmPage) portner.Reply {
			return htmlReply(shownPage{Step: "logout", Field: c.TokenField, CSRF: c.Token, Action: c.Action})
		},
		LoggedOut: func(l logout.LoggedOutPage) portner.Reply {
			reply := htmlReply(shownPage{})
			reply.Header[headerFrame] = l.Frames
			if l.ContinueURL != "" {
				reply.Header[headerNext] = []string{string(l.ContinueURL)}
			}
			return reply
		},
	}
}

// htmlReply returns a page.
func htmlReply(s shownPage) portner.Reply {
	var body strings.Builder
	_ = pageTemplate.Execute(&body, s)
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	s.mark(h)
	return portner.Reply{Header: h, Body: []byte(body.String())}
}
