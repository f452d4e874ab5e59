package ansattporten_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFullmaktChoicesAreNoNumbers checks that mandates whose ID holds a national identity number are rejected.
func TestFullmaktChoicesAreNoNumbers(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"mandate-21879498012", personPID + ":1"} {
		r := mandates()
		r.mandates[0].ID = id
		_, err := selection(t, r, fullmaktRequest)
		require.ErrorContains(t, err, "holds a national identity number", id)
		require.NotContains(t, err.Error(), id)
	}
}
