package landscape

import (
	"testing"

	"github.com/portner-go/portner/examples/internal/browsertest"
)

// TestPagesWithoutServers audits the pages that say what went wrong.
func TestPagesWithoutServers(t *testing.T) {
	t.Parallel()
	srv, _ := page(t)
	b := browsertest.New(t, "")
	b.Open(srv.URL, "#story-maskin")
	b.Click("#story-maskin", "#silent")
	b.Audit("a server does not answer")
	b.Open(srv.URL+"/nothing", "#notice")
	b.Audit("a page that does not exist")
}
