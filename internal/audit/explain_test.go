package audit_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
)

// TestExplanation: the rule of the reason of a rejection completes what the endpoint found.
func TestExplanation(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var heard []portner.Event
	l := audit.Log{Logger: slog.New(slog.NewTextHandler(&out, nil)), OnEvent: func(_ context.Context, e portner.Event) { heard = append(heard, e) }}
	l.Emit(t.Context(), portner.Event{
		Name: portner.EventRedirectMismatch, Reason: "redirect_uri_mismatch",
		Explanation: portner.Explanation{Received: "https://a/ b", Expected: "https://a/cb"},
	})
	l.Emit(t.Context(), portner.Event{Name: portner.EventLoggedOut, Reason: "id_token_hint"})
	require.Equal(t, portner.Explanation{Parameter: "redirect_uri", Received: "https://a/ b", Expected: "https://a/cb", Property: "redirect_uris"}, heard[0].Explanation)
	require.Contains(t, out.String(), `parameter=redirect_uri received="https://a/ b" expected=https://a/cb property=redirect_uris`)
	require.Zero(t, heard[1].Explanation, "not a rejection")

	for _, endpoint := range []string{"resource", "authorize"} {
		l.Emit(t.Context(), portner.Event{Name: portner.EventRefused, Endpoint: endpoint, Reason: "scope_missing"})
	}
	l.Emit(t.Context(), portner.Event{Name: portner.EventRefused, Endpoint: "token", Reason: "unknown"})
	require.Equal(t, "a token with the scope that the API requires", heard[2].Explanation.Expected)
	require.Equal(t, "at least one scope", heard[3].Explanation.Expected)
	require.Zero(t, heard[4].Explanation, "the word names several rules")
}

// TestReceived: values that can be secret or name a user are left out, and identity numbers are masked.
func TestReceived(t *testing.T) {
	t.Parallel()
	for parameter, values := range map[string][][2]string{
		"redirect_uri": {{"https://a/cb?user=kari#x", "https://a/cb"}},
		"scope":        {{"a:b c", "a:b c"}, {"21879498012", "***"}, {"x21879498012y", "x***y"}, {"a\nb\x00\xff", "a?b??"}},
		"kid":          {{"1234567890", "1234567890"}, {"123456789012", "***"}, {"", ""}},
		"login_hint":   {{"21879498012", ""}},
		"code":         {{"abc", ""}}, "client_secret": {{"abc", ""}}, "refresh_token": {{"abc", ""}}, "id_token_hint": {{"a.b.c", ""}},
		"code_verifier": {{"abc", ""}}, "client_assertion": {{"a.b.c", ""}}, "token": {{"abc", ""}}, "claims": {{"{}", ""}}, "sub": {{"x", ""}},
		"authorization_details": {{"[]", ""}}, "pid": {{"x", ""}}, "state": {{"x", ""}}, "nonce": {{"x", ""}}, "": {{"x", ""}},
	} {
		for _, v := range values {
			require.Equal(t, v[1], audit.Received(parameter, v[0]), "%s=%q", parameter, v[0])
		}
	}
	long := audit.Received("scope", strings.Repeat("å", 1000))
	require.True(t, utf8.ValidString(long))
	require.Less(t, len(long), 310)
	require.Equal(t, "a b", audit.OneOf([]string{"a", "b"}))
	require.Equal(t, "no value: none is registered", audit.OneOf(nil))
}

func FuzzReceived(f *testing.F) {
	f.Add("https://a/21879498012")
	f.Add("\xff1234567890")
	f.Fuzz(func(t *testing.T, value string) {
		got := audit.Received("scope", value)
		require.True(t, utf8.ValidString(got))
		require.NotRegexp(t, `[0-9]{11}`, got)
		require.NotRegexp(t, `[\x00-\x1f\x7f]`, got)
	})
}
