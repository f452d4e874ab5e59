package logout

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDecide: the decision depends on values only.
func TestDecide(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		facts facts
		want  action
	}{
		"hint of this session":                           {facts{session: true, cookie: true, hint: true, matches: true}, end},
		"hint of another session":                        {facts{session: true, cookie: true, hint: true}, confirm},
		"hint of another session, confirmation disabled": {facts{session: true, cookie: true, hint: true, skip: true}, confirm},
		"no hint":                             {facts{session: true, cookie: true}, confirm},
		"no hint, confirmation disabled":      {facts{session: true, cookie: true, skip: true}, end},
		"session ended, hint":                 {facts{cookie: true, hint: true}, repeat},
		"session ended, no hint":              {facts{cookie: true, required: true}, repeat},
		"session ended, form of another site": {facts{cookie: true, crossSite: true}, repeat},
		"no cookie":                           {facts{}, repeat},
		"no cookie, hint":                     {facts{hint: true}, repeat},
		"no cookie, session required":         {facts{hint: true, required: true}, reject},
		"no cookie, form of another site":     {facts{hint: true, crossSite: true}, repost},
		"no cookie, confirmation disabled":    {facts{skip: true, required: true}, reject},
		"two cookies":                         {facts{hint: true, unclear: true}, reject},
	} {
		require.Equal(t, tc.want, tc.facts.decide(), name)
	}
}
