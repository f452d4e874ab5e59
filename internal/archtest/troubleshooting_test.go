package archtest_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/audit"
)

// accepted holds the reasons of docs/log-reasons.md that are not of rejected requests.
var accepted = []string{
	"accepted", "audience_slash_mismatch", "audience_token_endpoint", "authorizations", "confirmation", "confirmation_disabled", "consent", "notifications_full",
	"random_identifier", "refresh", "representation", "signing_failure", "subject_failure", "token_endpoint",
}

// TestTroubleshooting compares docs/troubleshooting.md with the reasons in the code: each reason of a rejected request has one row, with
// the parameter that the log names.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	code, err := reasons("../..")
	require.NoError(t, err)
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| (?:`([^`]+)` )?\\| ([^|]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		reason, parameter, change := m[1], m[2], m[3]
		require.False(t, rows[reason], "two rows for %s", reason)
		rows[reason] = true
		require.True(t, len(code[reason]) > 0, "docs/troubleshooting.md has a reason that is not in the code: %s", reason)
		require.Equal(t, audit.Parameter(reason), parameter, "parameter of %s", reason)
		require.Greater(t, len(change), 5, reason)
	}
	for reason, dirs := range code {
		if slices.Equal(dirs, []string{"session"}) || slices.Contains(accepted, reason) { // why a page is shown
			require.False(t, rows[reason], "%s is not a rejection", reason)
			continue
		}
		assert.True(t, rows[reason], "docs/troubleshooting.md has no row for %s, of %v", reason, dirs)
	}
}
