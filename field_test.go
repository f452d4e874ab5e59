package portner_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
)

func TestFieldErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("must not be blank")
	a := &portner.FieldError{Field: "Issuer", Err: portner.ErrRequired}
	b := &portner.FieldError{Field: "redirect_uris[1]", Err: cause}
	err := fmt.Errorf("provider: %w", errors.Join(a, errors.New("no field"), errors.Join(b)))
	require.Equal(t, []*portner.FieldError{a, b}, portner.FieldErrors(err))
	require.Empty(t, portner.FieldErrors(nil))
	require.Empty(t, portner.FieldErrors(cause))
	require.ErrorIs(t, err, cause)
	require.Equal(t, "Issuer: is required", a.Error())
}

func TestSecretValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret portner.Secret
		want   error
	}{
		"empty":             {nil, portner.ErrShortSecret},
		"31 bytes":          {portner.NewSecret()[:31], portner.ErrShortSecret},
		"zero bytes":        {make(portner.Secret, 32), portner.ErrWeakSecret},
		"one letter":        {portner.Secret("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), portner.ErrWeakSecret},
		"a pattern":         {portner.Secret("k3JxQp0z9LmVk3JxQp0z9LmVk3JxQp0z9LmV"), portner.ErrWeakSecret},
		"a cut pattern":     {portner.Secret("k3JxQp0z9LmVwqk3JxQp0z9LmVwqk3JxQp"), portner.ErrWeakSecret},
		"README":            {portner.Secret("32 random bytes of your secret store"), portner.ErrPlaceholderSecret},
		"README, pairwise":  {portner.Secret("32 other bytes, the same for years..."), portner.ErrPlaceholderSecret},
		"change me":         {portner.Secret("Change-me-Change-me-please-change-me"), portner.ErrPlaceholderSecret},
		"Norwegian":         {portner.Secret("endre-meg-dette-er-bare-et-eksempel"), portner.ErrPlaceholderSecret},
		"digits in a row":   {portner.Secret("01234567890123456789012345678901234x"), portner.ErrPlaceholderSecret},
		"text, random":      {portner.Secret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"), nil},
		"binary with ascii": {append(portner.Secret("change\x00"), portner.NewSecret()...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, c.secret.Validate(), c.want)
		})
	}
}

// A random secret is rejected with a probability below 2^-100.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		s := portner.NewSecret()
		require.NoError(t, s.Validate())
		require.False(t, seen[string(s)])
		seen[string(s)] = true
	}
}
