package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// TestConfirmPageInBrowser: an access manager approves a request in Chromium. The page is audited in every state.
func TestConfirmPageInBrowser(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	p, _ := newPair(t)
	page := p.requested("")["confirmUrl"].(string)
	first, second := browsertest.New(t, "altinn-"), browsertest.New(t, "altinn-")
	first.Open(page, "#approve")
	first.Audit("request")
	second.Open(page, "#reject")
	first.Click("#approve", "#text")
	require.Equal(t, "Svaret er lagret.", first.Text("#text"))
	require.Equal(t, "godkjent", first.Text("#status"))
	first.Audit("approved")
	second.Click("#reject", "#text[role=alert]")
	require.Equal(t, "godkjent", second.Text("#status"))
	second.Audit("answered before")
	status, answer := p.systemUserGrant()
	require.Equal(t, 200, status, answer)

	u, err := url.Parse(page)
	require.NoError(t, err)
	u.RawQuery = "id=x"
	first.Open(u.String(), "#text[role=alert]")
	first.Audit("unknown request")
}
