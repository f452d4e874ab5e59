package fields_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

type (
	pointed  struct{ made bool }
	function func()
	table    map[string]int
)

func (*pointed) Close() error { return nil }
func (function) Close() error { return nil }
func (table) Close() error    { return nil }

// TestValues: an interface that holds a nil pointer or function has no value.
func TestValues(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		v                  io.Closer
		required, optional bool // valid as such
	}{
		"nil":            {nil, false, true},
		"nil pointer":    {(*pointed)(nil), false, false},
		"nil function":   {function(nil), false, false},
		"pointer":        {&pointed{}, true, true},
		"function":       {function(func() {}), true, true},
		"nil map":        {table(nil), true, true},
		"struct in part": {struct{ io.Closer }{}, true, true},
	} {
		var required, optional fields.Checker
		required.RequireValue(tt.v, "Store")
		optional.OptionalValue(tt.v, "Store")
		require.Equal(t, tt.required, required.Err() == nil, name)
		require.Equal(t, tt.optional, optional.Err() == nil, name)
		if !tt.required {
			require.ErrorIs(t, required.Err(), portner.ErrRequired, name)
		}
	}
	var c fields.Checker
	c.OptionalValue((*pointed)(nil), "History")
	require.EqualError(t, c.Err(), "History: must not hold a nil *fields_test.pointed: leave the field nil")
}

// TestMade: a pointer to a zero value was not made by the constructor of its type.
func TestMade(t *testing.T) {
	t.Parallel()
	var c fields.Checker
	c.Made((*pointed)(nil), "Vault", "x.New")
	c.Made(&pointed{made: true}, "Vault", "x.New")
	require.NoError(t, c.Err())
	c.Made(&pointed{}, "Vault", "x.New")
	require.EqualError(t, c.Err(), "Vault: must be a value of x.New")
}
