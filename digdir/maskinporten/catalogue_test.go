package maskinporten_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire is an entry of the catalogue of errors as it is sent (docs/spec/maskinporten.md §1.12). The texts are repeated here
// because they are public.
type wire struct {
	number, code, text string
	status             int
}

// of fills in the values of a text.
func (r wire) of(values ...string) wire {
	for _, v := range values {
		r.text = strings.Replace(r.text, "%", v, 1)
	}
	return r
}

var catalogue = map[string]wire{
	"MP-011": {"MP-011", "invalid_request", "Invalid assertion. Invalid parameter value", 400},
	"MP-012": {"MP-012", "invalid_grant", "Grant is used before", 400},
	"MP-100": {"MP-100", "invalid_grant", "Invalid assertion. Client authentication failed. Client not found", 400},
	"MP-110": {"MP-110", "invalid_grant", "Invalid assertion. Client authentication failed. Invalid JWT claim aud", 400},
	"MP-120": {"MP-120", "invalid_grant", "Invalid assertion. Client authentication failed. The JWT is signed with an invalid certificate.", 400},
	"MP-121": {"MP-121", "invalid_grant", "Invalid assertion. Client authentication failed. Expired key", 400},
	"MP-122": {"MP-122", "invalid_grant", "Invalid JWT. Invalid organization number for client. Does not match certificate orgno", 400},
	"MP-123": {"MP-123", "invalid_grant", "Invalid JWT header x5c", 400},
	"MP-124": {"MP-124", "invalid_grant", "Invalid JWT signature", 400},
	"MP-130": {"MP-130", "invalid_grant", "JWT is expired", 400},
	"MP-200": {"MP-200", "invalid_scope", "Token request contains invalid scopes for client: %", 400},
	"MP-201": {"MP-201", "invalid_scope", "Token request contains scopes not allowed for maskinporten", 400},
	"MP-250": {"MP-250", "invalid_scope", "Consumer has not been granted access to the scope %", 400},
	"MP-251": {"MP-251", "invalid_scope", "Consumer % has not delegated access to the scope % to supplier %", 400},
	"MP-301": {"MP-301", "invalid_authorization_details", "Unknown authorization details type", 400},
	"MP-302": {"MP-302", "invalid_authorization_details", "Unknown fields in the authorization details", 400},
	"MP-303": {"MP-303", "invalid_authorization_details", "Invalid authorization details values", 400},

	"no system user": {"MP-303", "invalid_altinn_customer_configuration", "Invalid authorization details values", 400},
	"no kid":         {"", "invalid_grant", "Invalid JWT. The client requires pre-registered jwk and no key identifier (kid) provided", 400},
	"kid":            {"", "invalid_grant", "Invalid assertion. Client authentication failed. Unknown key identifier (kid) for client.", 400},
	"iat":            {"", "invalid_grant", "Issue time is after now", 400},
	"iat past":       {"", "invalid_grant", "Issue time is too long ago", 400},
	"nbf":            {"", "invalid_grant", "JWT is not valid yet", 400},
	"lifetime":       {"", "invalid_grant", "JWT lifetime is more than 120 seconds", 400},
	"combination":    {"", "invalid_request", "Validation of JWT claim failed: The combination consumer_org in claim and delegation scope on client is invalid", 400},
}

// requireRejection checks a response, and that the log has its correlation identifier.
func (w *world) requireRejection(t *testing.T, a answer, r wire) {
	t.Helper()
	require.Equal(t, r.status, a.status, a.raw)
	require.Equal(t, r.code, a.str("error"), a.raw)
	description := a.str("error_description")
	text, trace, ok := strings.Cut(strings.TrimSuffix(description, ")"), " (trace_id: ")
	require.True(t, ok && strings.HasSuffix(description, ")"), description)
	require.Equal(t, r.text, text)
	require.Regexp(t, "^[0-9a-f]{32}$", trace)
	require.Equal(t, trace, a.header.Get("X-Correlation-Id"))
	require.Contains(t, w.log.String(), trace)
	last := w.lastEvent()
	require.Equal(t, trace, last.CorrelationID)
	require.NotEmpty(t, last.Reason)
	require.NotEqual(t, a.str("error"), last.Reason, "the event has a reason of its own")
	uri := ""
	if r.number != "" {
		uri = "https://maskinporten.no/errors/" + r.number
	}
	require.Equal(t, uri, a.str("error_uri"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Empty(t, a.header.Get("Www-Authenticate"), "docs/spec/maskinporten.md §1.12: the assertion is the grant")
}

// TestCatalogueIsCovered checks that a vector exists for each entry of the catalogue.
func TestCatalogueIsCovered(t *testing.T) {
	t.Parallel()
	id := func(r wire) string {
		if r.number == "" {
			return r.code + r.text
		}
		return r.code + r.number
	}
	tried := map[string]bool{}
	for _, n := range rejectedVectors() {
		tried[id(n.entry)] = true
	}
	for name, r := range catalogue {
		if name == "iat past" || name == "nbf" { // TestTimes
			continue
		}
		require.True(t, tried[id(r)], name)
	}
}

// TestDocumentedErrors checks that docs/spec/maskinporten.md §1.12 has the code, the error and the text of each entry of the catalogue, and that
// each row names vectors of docs/spec/maskinporten.md §6.3.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec/maskinporten.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "### 1.12 Errors")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "### 1.13")
	var rows []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.Trim(line, "|\n"), "|"); len(cells) == 5 && strings.Contains(cells[1], "`invalid_") {
			rows = append(rows, line)
			require.Regexp(t, `^ MN\d+(, MN\d+)* $`, cells[4], line)
			for name := range strings.SplitSeq(cells[4], ",") {
				require.Contains(t, string(text), `<a id="`+strings.ToLower(strings.TrimSpace(name))+`"></a>`, line)
			}
		}
	}
	for name, r := range catalogue {
		if name == "nbf" || name == "iat past" || name == "lifetime" { // texts of this project
			require.Contains(t, section, `"`+r.text+`"`)
			continue
		}
		words := strings.Split(r.text, "%") // the fixed parts; the documents abbreviate the beginning of MP-100 as "…"
		i := slices.IndexFunc(rows, func(row string) bool {
			has := strings.HasPrefix(row, "| "+r.number+" |") || r.number == "" && strings.HasPrefix(row, "| | ")
			return has && strings.Contains(row, "`"+r.code+"`") && !slices.ContainsFunc(words, func(w string) bool {
				w = strings.Trim(strings.TrimPrefix(w, "Invalid assertion. Client authentication failed. "), " :")
				return !strings.Contains(row, w)
			})
		})
		require.GreaterOrEqual(t, i, 0, name)
	}
	require.Len(t, rows, len(catalogue)-4, "two rows fewer for the errors of MP-303, and the texts of this project")
}
