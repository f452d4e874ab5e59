package standin_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/norway"
)

// unassigned returns a valid number that is not synthetic, of a date of birth in 2039.
func unassigned(t *testing.T) string {
	t.Helper()
	for i := 90000; i < 100000; i++ {
		if pid := fmt.Sprintf("311239%d", i); valid(pid) {
			return pid
		}
	}
	t.Fatal("no valid number")
	return ""
}

func valid(pid string) bool {
	_, err := norway.ParsePID(pid)
	return err == nil
}

// TestOnlySyntheticNumbers: no stand-in has a user with a number that may be that of a real person.
func TestOnlySyntheticNumbers(t *testing.T) {
	t.Parallel()
	for name, parse := range map[string]func(standin.Document) error{
		"idporten":     func(d standin.Document) error { _, err := idporten.ParseConfig(d, false); return err },
		"ansattporten": func(d standin.Document) error { _, err := ansattporten.ParseConfig(d); return err },
		"helseid":      func(d standin.Document) error { _, err := helseid.ParseConfig(d); return err },
		"altinn":       func(d standin.Document) error { _, err := altinn.ParseConfig(d); return err },
		"krr":          func(d standin.Document) error { _, err := krr.ParseConfig(d); return err },
	} {
		list := "users"
		if name == "krr" {
			list = "persons"
		}
		want := list + "[0].pid: must be a synthetic national identity number, with 40, 65 or 80 added to the month"
		err := parse(standin.Document{Text: fmt.Appendf(nil, `{%q:[{"pid":%q}]}`, list, unassigned(t))})
		require.ErrorContains(t, err, want, name)
		require.NotContains(t, err.Error(), unassigned(t), name)
		err = parse(standin.Document{Text: fmt.Appendf(nil, `{%q:[{"pid":"21879498012"},{"pid":"21879498013"}]}`, list)})
		require.NotContains(t, err.Error(), want, name)
		require.ErrorContains(t, err, list+"[1].pid: must be a national identity number: ", name)
	}
}
