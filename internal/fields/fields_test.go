package fields_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

func TestChecker(t *testing.T) {
	t.Parallel()
	var c fields.Checker
	require.NoError(t, c.Err())

	c.Require(true, "Present")
	c.Want(true, "Valid", "must be valid")
	c.Add("Nil", nil)
	c.Join("Part", nil)
	c.Secret("Key", portner.NewSecret())
	require.NoError(t, c.Err())

	c.Require(false, "Issuer")
	c.Want(false, "Lifetimes.Code", "must be at most 600 s")
	c.Add("Keys", errors.New("no key"))
	c.Secret("Secrets[0]", nil)
	c.Secret("Secrets[1]", make(portner.Secret, 31))
	var part fields.Checker
	part.Want(false, "Max", "must be positive")
	c.Join("Session", fmt.Errorf("session: %w", part.Err()))
	c.Join("", part.Err())
	c.Join("PairwiseKey", errors.New("too short"))

	var found []string
	for _, e := range portner.FieldErrors(c.Err()) {
		found = append(found, e.Error())
	}
	require.Equal(t, []string{
		"Issuer: is required", "Lifetimes.Code: must be at most 600 s", "Keys: no key", "Secrets[0]: is required",
		"Secrets[1]: must be at least 32 random bytes", "Session.Max: must be positive", "Max: must be positive", "PairwiseKey: too short",
	}, found)
	require.ErrorIs(t, c.Err(), portner.ErrShortSecret)
}

func TestNames(t *testing.T) {
	t.Parallel()
	var c fields.Checker
	require.Empty(t, fields.Names(c.Err()))
	c.Require(false, "Issuer")
	c.Require(false, "Keys[1]")
	require.Equal(t, []string{"Issuer", "Keys[1]"}, fields.Names(fmt.Errorf("x: %w", c.Err())))
}

func TestURL(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"https://login.example.no": true, "https://login.example.no/": true, "http://localhost:8080/op": true,
		"": false, "login.example.no": false, "/op": false, "ftp://login.example.no": false, "https:///op": false, "https:op": false,
		"https://a@login.example.no": false, "https://login.example.no?": false, "https://login.example.no/#": false, "https://login.example.no/%zz": false,
	} {
		var c fields.Checker
		c.URL("Issuer", raw)
		require.Equal(t, ok, c.Err() == nil, raw)
	}
}

func TestSecureURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		"https://login.example.no": 0, "http://localhost:8080/op": 0, "http://[::1]": 0, "": 1, "http://login.example.no": 1, "ftp://localhost": 1, "http://localhost?": 1,
	} {
		var c fields.Checker
		c.SecureURL("Issuer", raw)
		require.Len(t, fields.Names(c.Err()), want, raw)
	}
}
