package ansattporten_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What the form posts is never a person's number, nor around one (rar.Choice.ID): the authorizer's or the
// person's own.
func TestFullmaktChoicesAreNoNumbers(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"mandate-21879498012", personPID + ":1"} {
		r := mandates()
		r.mandates[0].ID = id
		_, err := ask(t, r, fullmaktRequest)
		require.ErrorContains(t, err, "named by it", id)
		require.NotContains(t, err.Error(), id)
	}
}
