package authorize_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
)

// TestErrorPageNamesParameter: an error page names the parameter that is missing or invalid, and where the user can go back to.
func TestErrorPageNamesParameter(t *testing.T) {
	t.Parallel()
	const home = "https://rp.example.no/"
	for name, tc := range map[string]struct {
		query     url.Values
		add       string
		parameter string
		back      string
	}{
		"client_id missing":        {params("web", "client_id", ""), "", "client_id", ""},
		"client_id twice":          {params("web"), "&client_id=web", "client_id", ""},
		"client_id unknown":        {params("nobody"), "", "client_id", ""},
		"redirect_uri missing":     {params("web", "redirect_uri", ""), "", "redirect_uri", home},
		"redirect_uri unknown":     {params("web", "redirect_uri", "https://evil.example/"), "", "redirect_uri", home},
		"redirect_uri twice":       {params("web"), "&redirect_uri=" + url.QueryEscape(rp), "redirect_uri", home},
		"response_mode unknown":    {params("web", "response_mode", "jwt"), "", "response_mode", home},
		"request_uri unknown":      {params("web", "redirect_uri", "", "request_uri", authorize.DefaultRequestURIPrefix+"x"), "", "request_uri", home},
		"request_uri twice":        {params("web", "request_uri", "a"), "&request_uri=b", "request_uri", home},
		"request without keys":     {params("web", "redirect_uri", "", "request", "e30.e30."), "", "request", home},
		"request malformed":        {params("signing", "redirect_uri", "", "request", "e30.e30."), "", "request", home},
		"client_uri":               {params("homely", "redirect_uri", ""), "", "redirect_uri", "https://www.example.no/tjenesten"},
		"a customer":               {params("homely", "redirect_uri", "", "onbehalfof", "kunde"), "", "redirect_uri", "https://kunde.example.no/"},
		"an application on phones": {params("app", "redirect_uri", ""), "", "redirect_uri", ""},
		"malformed":                {params("web"), "&x=%zz", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got authorize.ErrorPage
			w := newWorld(t, homely, func(c *authorize.Config) {
				c.ErrorPage = func(p authorize.ErrorPage) portner.Reply { got = p; return portner.Reply{} }
			})
			res := w.browser().get("/authorize?" + tc.query.Encode() + tc.add)
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
			require.Equal(t, tc.parameter, got.Parameter)
			require.Contains(t, got.Description, tc.parameter)
			require.Equal(t, tc.back, got.BackURL)
			require.Equal(t, tc.back != "", got.Client.ID != "" && got.BackURL != "")
		})
	}
}

// homely adds a client with a home page and a customer with one.
func homely(c *authorize.Config) {
	reg := c.Clients.(registry)
	h := *reg["web"]
	h.ClientID, h.ClientURI = "homely", "https://www.example.no/tjenesten"
	h.OnBehalfOf = []client.OnBehalfOf{{Value: "kunde", Name: "Kunde", URL: "https://kunde.example.no/"}}
	reg["homely"] = &h
}

// TestExpiredPageLeadsBack: also a page that is opened too late, or in another browser, knows the client.
func TestExpiredPageLeadsBack(t *testing.T) {
	t.Parallel()
	var got authorize.ErrorPage
	w := newWorld(t, homely, func(c *authorize.Config) {
		c.ErrorPage = func(p authorize.ErrorPage) portner.Reply { got = p; return portner.Reply{} }
	})
	b := w.browser()
	sealed := b.open(b.authorize(params("homely", "onbehalfof", "kunde")), "/login").Get("request")
	require.Equal(t, http.StatusBadRequest, w.browser().get("/login?request="+sealed).StatusCode, "another browser")
	require.Equal(t, []string{"Kunde", "https://kunde.example.no/", ""}, []string{got.Client.Name, got.BackURL, got.Parameter})
	got = authorize.ErrorPage{}
	w.sleep(24 * time.Hour)
	b.get("/login?request=" + sealed)
	require.Equal(t, []string{"Kunde", "https://kunde.example.no/"}, []string{got.Client.Name, got.BackURL})
	require.Equal(t, "pending_request_expired", second(w.lastEvent()))
}

func second[A, B any](_ A, b B) B { return b }

// TestDescriptionsNameParameter: the description of each refusal names the parameter that its reason concerns.
func TestDescriptionsNameParameter(t *testing.T) {
	t.Parallel()
	found := 0
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		require.NoError(t, err)
		for n := range ast.Preorder(file) {
			call, ok := n.(*ast.CallExpr)
			if !ok || !slices.Contains([]string{"page", "refuse", "invalid", "unresolved"}, calleeOf(call)) || len(call.Args) < 2 {
				continue
			}
			reason, known := literal(call.Args[len(call.Args)-2])
			description, fixed := literal(call.Args[len(call.Args)-1])
			if parameter := audit.Parameter(reason); known && fixed && parameter != "" {
				found++
				require.Contains(t, description, parameter, reason)
			}
		}
	}
	require.Greater(t, found, 40)
}

func calleeOf(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// TestRepeatedParameter: the description names a repeated parameter of the protocol, and no other text of the request.
func TestRepeatedParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, want := range map[string]string{
		"state": "The parameter state is repeated.", "nonce": "The parameter nonce is repeated.", "evil": "A parameter is repeated.",
	} {
		res := w.browser().get("/authorize?" + params("web", "evil", "1").Encode() + "&" + name + "=x")
		require.Equal(t, want, answered(t, res).Get("error_description"))
	}
}

// TestErrorsUseResponseMode: an error is sent in the requested mode also if the parameters cannot be resolved, and in the registered one if
// the requested mode is not valid.
func TestErrorsUseResponseMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		query url.Values
		post  bool
	}{
		"form_post":                         {params("web", "response_mode", "form_post", "scope", "x:y"), true},
		"form_post, request":                {params("web", "response_mode", "form_post", "request", "e30.e30."), true},
		"form_post, request_uri":            {params("web", "response_mode", "form_post", "request_uri", authorize.DefaultRequestURIPrefix+"x"), true},
		"query, request":                    {params("web", "request", "e30.e30."), false},
		"form_post only, request":           {params("postonly", "request", "e30.e30."), true},
		"query only, request for form_post": {params("queryonly", "response_mode", "form_post", "request", "e30.e30."), false},
	} {
		res := w.browser().authorize(tc.query)
		require.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusSeeOther}[tc.post], res.StatusCode, name)
	}
}
