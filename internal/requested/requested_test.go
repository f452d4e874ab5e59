package requested_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/requested"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range []requested.Claims{
		{}, {IDToken: []string{"email"}}, {UserInfo: []string{"name", "https://example.no/claims/x", "fødselsdato"}},
	} {
		got, err := requested.Decode(c.Encode())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	require.Nil(t, requested.Claims{}.Encode())
	_, err := requested.Decode([]byte("{"))
	require.Error(t, err)
}
