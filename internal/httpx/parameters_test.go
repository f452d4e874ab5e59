package httpx

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
)

// TestRepeatedParameters: the error for a repeated parameter names it if it is one of the protocols, and holds no other text of the request.
func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	require.True(t, slices.IsSorted(parameters))
	require.Len(t, slices.Compact(slices.Clone(parameters)), len(parameters))
	for _, name := range append(slices.Clone(parameters), "evil", "Scope", "code ", "") {
		f := Form{[]pair{{"first", "1"}, {name, "x"}, {name, "x"}}}
		err := f.Unique()
		if name == "resource" || name == "audience" || name == "" {
			require.NoError(t, err, name)
			continue
		}
		protocol, cause := portner.AsError(err), (*FormError)(nil)
		require.True(t, errors.As(err, &cause), name)
		require.True(t, cause.Repeated(), name)
		if slices.Contains(parameters, name) {
			require.Equal(t, "The parameter "+name+" is repeated.", protocol.Description)
			require.Equal(t, name, cause.Parameter)
			continue
		}
		require.Equal(t, "A parameter is repeated.", protocol.Description)
		require.Empty(t, cause.Parameter)
		require.NotContains(t, strings.ToLower(err.Error()), "evil")
	}
	require.False(t, (&FormError{Reason: "semicolon"}).Repeated())
}
