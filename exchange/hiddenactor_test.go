package exchange_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
)

// TestActorsOfPseudonyms checks that the response to an actor token that names its user by a public subject does not tell whether this is
// the user of a pseudonymous subject token: it is the same for every such actor (docs/threat-model.md H15).
func TestActorsOfPseudonyms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		subjectType string // of the client that presents the actor token
		scopes      string // of the actor token
		want        int
	}{
		"public subjects":   {client.Public, "openid test:two", http.StatusBadRequest},
		"pairwise subjects": {client.Pairwise, "openid test:two", http.StatusOK},
		"pseudonyms":        {client.Public, "openid test:two test:pseudonym", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, func(c *provider.Config) {
				c.Profile.SubjectTypesSupported = []string{client.Public, client.Pairwise}
				all := clients(t)
				for i := range all {
					all[i].SubjectType = tt.subjectType
				}
				var err error
				c.Clients, err = client.NewRegistry(client.Environment{}, all...)
				require.NoError(t, err)
			})
			hidden := w.loginAs("kari-long", "portal", "openid test:pseudonym").String("access_token")
			open := w.loginAs("kari-long", "portal", "openid test:two").String("access_token")
			for _, user := range []string{"kari-long", "ola-long"} {
				actor := w.loginAs(user, "service", tt.scopes).String("access_token")
				a := w.exchange("service", withActor(hidden, actor))
				require.Equal(t, tt.want, a.Status, "%s: %v", user, a.JSON)
				w.exchanged("service", withActor(open, actor))
			}
		})
	}
}
