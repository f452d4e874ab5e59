package storage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
)

// TestVisitsCommute: visits of a session have one result in any order, and when they are applied again: the fields only grow, the list of
// clients has each once, and Open is only lost. The record that was given shares no change.
func TestVisitsCommute(t *testing.T) {
	t.Parallel()
	start := time.Date(2031, time.March, 4, 12, 0, 0, 0, time.UTC)
	client := func(id string, open bool) storage.SessionClient {
		return storage.SessionClient{ClientID: id, SID: "sid " + id, Open: open}
	}
	visits := []storage.Visit{
		{At: start.Add(2 * time.Minute), Client: client("a", true)},
		{At: start.Add(-time.Minute), Until: start.Add(3 * time.Hour), Client: client("b", true)},
		{At: start.Add(time.Minute), Until: start.Add(time.Hour), Client: client("a", false)},
		{Client: client("c", false)},
	}
	first := storage.Session{Version: 7, LastRequestAt: start, ExpiresAt: start.Add(2 * time.Hour), Clients: []storage.SessionClient{client("c", true)}}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {0, 0, 1, 1, 2, 3, 3, 0}} {
		s := first
		for _, i := range order {
			visits[i].Apply(&s)
		}
		require.Equal(t, int64(7+len(order)), s.Version, order)
		require.Equal(t, start.Add(2*time.Minute), s.LastRequestAt, order)
		require.Equal(t, start.Add(3*time.Hour), s.ExpiresAt, order)
		require.ElementsMatch(t, []storage.SessionClient{client("a", false), client("b", true), client("c", false)}, s.Clients, order)
		require.Equal(t, []storage.SessionClient{client("c", true)}, first.Clients, "the record that was read")
	}
}
