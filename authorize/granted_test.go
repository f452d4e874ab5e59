package authorize_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answers are what a user answered on the pages of one request.
type answers struct {
	scopes, details, parties []string
	represented              bool // the page with the details of type party was answered with a choice
}

// some returns a random part of a list, without nil elements.
func some(list []string) (part []string) {
	for _, v := range list {
		if rand.IntN(2) == 0 {
			part = append(part, v)
		}
	}
	return part
}

// randomRequest returns random scopes and details.
func randomRequest() (scopes []string, details string) {
	scopes = append([]string{"openid"}, some([]string{"profile", "test:plain", "test:shared", "test:second", "test:fresh", "test:opaque", "test:hidden"})...)
	var objects []string
	if rand.IntN(3) == 0 {
		objects = append(objects, `{"type":"party","several":true}`)
	} else {
		for n := range rand.IntN(5) {
			objects = append(objects, fmt.Sprintf([]string{`{"type":"plain","x":%d}`, `{"type":"free","x":%d}`}[rand.IntN(2)], n+1))
		}
	}
	if len(objects) > 0 {
		details = "[" + strings.Join(objects, ",") + "]"
	}
	return scopes, details
}

// answer follows the pages of a request with random answers until it leaves, and records what the pages showed and the user answered.
func (p *parties) answer(b *browser, res *http.Response) (a answers, last *http.Response) {
	for range 100 {
		page, _, _ := strings.Cut(res.Header.Get("Location"), "?")
		switch page {
		case "/login", "/step-up":
			res = b.loginAs(res, "kari")
		case "/representation":
			form := b.open(res, page)
			var shown []string
			for _, c := range p.seen.Selection.Choices {
				shown = append(shown, c.ID)
			}
			require.NotEmpty(p.t, p.seen.Details)
			form["party"] = some(shown)
			if rand.IntN(4) == 0 {
				p.set("kari", some([]string{"991825827", "974761076", "910753614"})...)
			}
			before := p.seen
			res = b.post(page, form)
			if p.seen != before { // otherwise the form did not count
				a.parties, a.represented = form["party"], len(form["party"]) > 0
			}
		case "/consent":
			form := b.open(res, page)
			a.scopes, a.details = nil, nil
			var scopes, details []string
			for _, s := range p.seen.Scopes {
				scopes = append(scopes, s.Name)
			}
			for _, d := range p.seen.Details {
				details = append(details, d.ID)
			}
			a.scopes, a.details = some(scopes), some(details)
			form["scope"] = append(slices.Clone(a.details), a.scopes...)
			if rand.IntN(4) == 0 {
				p.set("kari", some([]string{"991825827", "974761076"})...)
			}
			res = b.post(page, form)
		default:
			return a, res
		}
	}
	p.t.Fatal("the pages do not end")
	return a, nil
}

// TestGrantedWasShown: for random requests, answers and changes of rights, everything that a grant holds was on a page that the user
// answered in this request, is covered by a remembered consent, or is exempt.
func TestGrantedWasShown(t *testing.T) {
	t.Parallel()
	asked := []string{"test:shared", "test:second", "test:hidden"}
	codes, withDetails := 0, 0
	for range 60 {
		w := newParties(t)
		b := w.browser()
		var remembered []string
		for range 6 {
			scopes, details := randomRequest()
			prompt := []string{"", "", "none", "consent"}[rand.IntN(4)]
			a, res := w.answer(b, b.authorize(params("silent", "scope", strings.Join(scopes, " "), "authorization_details", details, "prompt", prompt)))
			if !codeAt(res) {
				remembered = slices.DeleteFunc(remembered, func(s string) bool {
					return !slices.Contains(a.scopes, s) && slices.Contains(scopes, s) && prompt == "consent"
				})
				continue
			}
			codes++
			grant := w.stored(requireCode(t, res)).Grant
			for _, s := range grant.Scopes {
				require.Contains(t, scopes, s)
				if slices.Contains(asked, s) && !slices.Contains(a.scopes, s) {
					require.Contains(t, remembered, s)
				}
			}
			for _, s := range a.scopes {
				if !slices.Contains(remembered, s) {
					remembered = append(remembered, s)
				}
			}
			if details == "" {
				require.Empty(t, grant.AuthorizationDetails)
				continue
			}
			var granted []struct {
				Type string
				X    int
				For  []string
			}
			plain, err := w.vault.OpenDetails(grant.AuthorizationDetails, grant.ID)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(plain, &granted))
			for _, g := range granted {
				withDetails++
				switch g.Type {
				case "plain":
					require.Contains(t, a.details, fmt.Sprint("detail ", g.X))
				case "party":
					require.True(t, a.represented)
					require.Subset(t, a.parties, g.For)
				default:
					require.Equal(t, "free", g.Type)
				}
			}
			if prompt == "none" {
				require.Empty(t, a)
			}
		}
	}
	require.Greater(t, codes, 50)
	require.Greater(t, withDetails, 20)
}
