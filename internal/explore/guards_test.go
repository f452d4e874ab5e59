package explore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/explore"
	"github.com/portner-go/portner/internal/slow"
)

// guards are conditions of package memory.
var guards = []explore.Guard{
	{"grant.go", "case g.isConsumed():\n\t\treturn storage.ErrConsumed", "case !dropped(\"a code is used once\") && g.isConsumed():\n\t\treturn storage.ErrConsumed"},
	{"grant.go", "case now >= g.code().end():", `case !dropped("a code expires") && now >= g.code().end():`},
	{"grant.go", "case g.isConsumed() || now >= g.code().end():", `case !dropped("a used code is no equal outcome") && g.isConsumed() || !dropped("an expired code is no equal outcome") && now >= g.code().end():`},
	{"grant.go", "g.auth.revoked.Load() || g.session != nil && g.session.ended.Load()", `g.auth.revoked.Load() || !dropped("a code ends with its session") && g.session != nil && g.session.ended.Load()`},
	{"grant.go", "return g.revoked || g.auth.revoked.Load() || g.redeemed && g.session", `return g.revoked || !dropped("a grant ends with its authorization") && g.auth.revoked.Load() || !dropped("a login ends with its session") && g.redeemed && g.session`},
	{"grant.go", "if !text.loginOnly() {", `if !dropped("other grants do not end with the session") && !text.loginOnly() {`},
	{"grant.go", "g.revoked, g.used = true, true", `g.revoked, g.used = !dropped("a revocation ends the grant"), g.used || !dropped("a revocation consumes the code")`},
	{"session.go", "x.stripe != stripe || !x.isLive(now) ||", `x.stripe != stripe || !dropped("a code needs a live session") && !x.isLive(now) ||`},
	{"session.go", "if x.text.version() != r.next.Version ||", `if !dropped("a replacement compares versions") && x.text.version() != r.next.Version ||`},
	{"session.go", "if from != nil {\n\t\tr.end(from)", "if !dropped(\"a switch ends the old session\") && from != nil {\n\t\tr.end(from)"},
	{"session.go", "if r.limit < 1 || x.user", `if dropped("the session limit") || r.limit < 1 || x.user`},
	{"token.go", "case t.consumed != record.NoTime:\n\t\treturn storage.ErrConsumed", "case !dropped(\"a refresh token is rotated once\") && t.consumed != record.NoTime:\n\t\treturn storage.ErrConsumed"},
	{"token.go", "case t.grant.isRevoked():", `case !dropped("a family ends with its grant") && t.grant.isRevoked():`},
	{"token.go", "t.grant.ended(now) || t.consumed == record.NoTime && now >= t.end:", `!dropped("a refresh token ends with its grant") && t.grant.ended(now) || !dropped("the idle lifetime") && t.consumed == record.NoTime && now >= t.end:`},
	{"token.go", "n.hash == ts.refresh.hash && grace > 0 && now-t.consumed < grace &&", `(dropped("a retry names the same successor") || n.hash == ts.refresh.hash) && grace > 0 && (dropped("a retry is made in the grace") || now-t.consumed < grace) &&`},
	{"token.go", "\t\t!n.used && n.verdict", "\t\t(dropped(\"a retry finds its successor unused\") || !n.used) && n.verdict"},
	{"token.go", "\tt.used = true\n", "\tt.used = !dropped(\"a renewal uses the token\") || !renewed\n"},
	{"token.go", "t.grant.ended(n) || n >= t.text.end()", `!dropped("an access token ends with its grant") && t.grant.ended(n) || !dropped("an access token expires") && n >= t.text.end()`},
	{"token.go", "revoked, text, given := t.grant.isRevoked(),", `revoked, text, given := !dropped("an access token is revoked with its grant") && t.grant.isRevoked(),`},
	{"pushed.go", "case p.used:", `case !dropped("a pushed request is used once") && p.used:`},
	{"pushed.go", "|| now >= p.end:", `|| !dropped("a pushed request expires") && now >= p.end:`},
	{"replay.go", "known || one.at <= r.horizon()", `!dropped("an assertion is used once") && known || !dropped("a collected assertion stays used") && one.at <= r.horizon()`},
	{"signingkey.go", "(other.Number == k.Number || other.KID == k.KID)", `(!dropped("a number has one key") && other.Number == k.Number || !dropped("a key has one number") && other.KID == k.KID)`},
	{"consent.go", "old != nil && old.version == in.Version && now < old.until", `!dropped("a consent that is renewed keeps its instant") && old != nil && (dropped("a consent for another version is a new one") || old.version == in.Version) && (dropped("a consent that has expired is not renewed") || now < old.until)`},
	{"consent.go", "one.until > old.until:", `dropped("a consent ends at the later instant") || one.until > old.until:`},
	{"consent.go", "if scope == one.scope {", `if !dropped("a declined consent ends") && scope == one.scope {`},
	{"grant.go", "if f.grant.session != nil && f.outcome.Visit != nil {", `if !dropped("a visit changes the session") && f.grant.session != nil && f.outcome.Visit != nil {`},
	{"signingkey.go", "k.Key = nil", "if !dropped(\"a deleted key has no private key\") {\n\t\t\t\tk.Key = nil\n\t\t\t}"},
}

// TestGuards finds each guard once in package memory, also when TestDroppedGuards is skipped.
func TestGuards(t *testing.T) {
	t.Parallel()
	for _, g := range guards {
		text, err := os.ReadFile(filepath.Join("..", "..", "storage", "memory", g[0]))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), g[1]), "%q in %s", g[1], g[0])
	}
}

// TestDroppedGuards: without any single guard of package memory there is a trace that breaks an invariant or a verdict. The program that
// finds the traces is compiled once, with all guards.
func TestDroppedGuards(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a program")
	}
	names, traces := explore.WithoutGuards(t, filepath.Join("..", "..", "storage", "memory"), guards, filepath.Join("testdata", "main.go.txt"), nil)
	for _, name := range names {
		t.Logf("without %q\n%s", name, traces[name])
		assert.NotEmpty(t, traces[name], name)
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "exploration.md"))
	require.NoError(t, err)
	require.Contains(t, string(document), traces["a retry finds its successor unused"], "the example in docs/exploration.md")
}
