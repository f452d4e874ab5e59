package helseid_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
)

// TestExchangeDisclosesNoUser: a subject token whose client must not identify the user, because a scope of the host is pseudonymous or opaque,
// is not exchanged for one that has the claims of the user.
func TestExchangeDisclosesNoUser(t *testing.T) {
	t.Parallel()
	op := newExchanges(t)
	for name, status := range map[string]int{"open": http.StatusOK, "pseudonymous": http.StatusBadRequest, "opaque": http.StatusBadRequest} {
		a := op.exchange(t, op.token(t, "openid nhn:sample/"+name), "nhn:other/read")
		require.Equal(t, status, a.Status, "%s: %v, %s", name, a.JSON, payload(a.String("access_token")))
		if status == http.StatusOK {
			require.Equal(t, optest.KariPID, claimsOf(t, a)[claimPID], "the control")
		}
	}
}

func payload(jwt string) []byte {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return text
}
