package portner_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
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
		"replace":           {portner.Secret("replace-this-secret-with-a-random-one-please"), portner.ErrPlaceholderSecret},
		"a phrase":          {portner.Secret("Correct horse battery staple, 32 letters"), portner.ErrPlaceholderSecret},
		"capitals":          {portner.Secret("SETT_INN_EN_TILFELDIG_VERDI_HER_NAA"), portner.ErrPlaceholderSecret},
		"a word in digits":  {portner.Secret("x9replacex8x7x6x5x4x3x2x1xyzqwvutsrq"), portner.ErrPlaceholderSecret},
		"UUIDs":             {portner.Secret("f47ac10b-58cc-4372-a567-0e02b2c3d479"), nil},
		"hex in groups":     {portner.Secret("a3f9-07bd-e4c1-88d2-5b6e-f013-9ac7-2d4e"), nil},
		"text, random":      {portner.Secret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"), nil},
		"binary with ascii": {append(portner.Secret("change\x00"), portner.NewSecret()...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, c.secret.Validate(), c.want)
		})
	}
}

// TestRandomSecretsAreValid: 32 random bytes are accepted, raw and in every usual text form. The generator is seeded, so that a text with
// the word of a placeholder, of which there is one in millions, does not fail a test run.
func TestRandomSecretsAreValid(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	forms := map[string]func([]byte) string{
		"raw": func(b []byte) string { return string(b) }, "hexadecimal": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString,
		"base64 without padding": base64.RawStdEncoding.EncodeToString, "base64url": base64.RawURLEncoding.EncodeToString,
		"base32": base32.StdEncoding.EncodeToString, "capitals": func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
	}
	b := make([]byte, 32)
	for range 20000 {
		_, _ = random.Read(b)
		for name, form := range forms {
			require.NoError(t, portner.Secret(form(b)).Validate(), "%s: %x", name, b)
		}
	}
	require.NoError(t, portner.NewSecret().Validate())
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
