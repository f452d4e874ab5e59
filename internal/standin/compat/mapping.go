package compat

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// mapping is one element of requestMappings: the claims of a token whose request has a parameter with a value that matches.
type mapping struct {
	param   string
	any     bool           // match is "*"
	exact   string         // match as it is written
	pattern *regexp.Regexp // match as a regular expression of the whole value
	claims  map[string]any
}

// parameters are what mappings match and what templates insert.
type parameters struct {
	form     url.Values // of the token request
	clientID string     // of the authenticated client
	username string     // of the login; "" without one
}

// subjectParam is the parameter of mappings that has the user name of the login.
const subjectParam = "subject"

// values returns the values of a parameter: those of the form, or else those of the client and of the login.
func (p *parameters) values(name string) []string {
	switch {
	case len(p.form[name]) > 0:
		return p.form[name]
	case name == "client_id":
		return []string{p.clientID}
	case name == subjectParam && p.username != "":
		return []string{p.username}
	}
	return nil
}

func (m *mapping) matches(p *parameters) bool {
	return slices.ContainsFunc(p.values(m.param), func(v string) bool {
		return m.any || v == m.exact || m.pattern.MatchString(v)
	})
}

// resolved are the claims that an issuer adds to the tokens of one request.
type resolved struct {
	subject  string   // sub; "" for that of the login or the client
	audience []string // aud of the access token
	acr      string
	amr      []string
	claims   map[string]any // the others
}

// resolve returns the claims of the first mapping that matches.
func resolve(mappings []mapping, p *parameters) (r resolved) {
	i := slices.IndexFunc(mappings, func(m mapping) bool { return m.matches(p) })
	if i < 0 {
		return r
	}
	r.claims = map[string]any{}
	for name, value := range mappings[i].claims {
		value = p.insert(value)
		switch name {
		case "sub":
			r.subject, _ = value.(string)
		case "aud":
			r.audience = texts(value)
		case "acr":
			r.acr, _ = value.(string)
		case "amr":
			r.amr = texts(value)
		case "client_id", "azp": // the file has them as the client of the request only
		default:
			r.claims[name] = value
		}
	}
	return r
}

// texts returns a string, or the strings of a list.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\{(\w+)\}`)

// insert replaces the placeholders in the strings of a claim. One that names no parameter of the request stays as it is.
func (p *parameters) insert(value any) any {
	switch v := value.(type) {
	case string:
		return placeholder.ReplaceAllStringFunc(v, func(match string) string {
			name := match[2 : len(match)-1]
			if name == "clientId" || name == "client_id" {
				return p.clientID
			}
			if all := p.values(name); all != nil {
				return strings.Join(all, " ")
			}
			return match
		})
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = p.insert(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			object[name] = p.insert(v[name])
		}
		return object
	}
	return value
}

// credentials are the parameters of token requests that no claim may contain.
var credentials = []string{
	"client_secret", "client_assertion", "assertion", "code", "code_verifier", "refresh_token", "subject_token", "actor_token", "password",
}

// leaks returns the first placeholder of a claim that would put a credential into tokens, "" if there is none.
func leaks(value any) string {
	switch v := value.(type) {
	case string:
		for _, m := range placeholder.FindAllStringSubmatch(v, -1) {
			if slices.Contains(credentials, m[1]) {
				return m[1]
			}
		}
	case []any:
		for _, e := range v {
			if name := leaks(e); name != "" {
				return name
			}
		}
	case map[string]any:
		for _, e := range v {
			if name := leaks(e); name != "" {
				return name
			}
		}
	}
	return ""
}
