package rar_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/rar"
)

// refreshing returns a registry with a type whose function Refresh returns texts, one that has no such function, and their granted
// details.
func refreshing(t testing.TB, texts []string, err error) (*rar.Registry, json.RawMessage) {
	t.Helper()
	granted := func(context.Context, rar.Request, []rar.Detail, []string) ([]json.RawMessage, error) { return nil, nil }
	r, bad := rar.NewRegistry(rar.Type{Name: "once", Grant: granted}, rar.Type{
		Name: "right", Grant: granted,
		Refresh: func(_ context.Context, q rar.Request, details []rar.Detail) (all []json.RawMessage, _ error) {
			require.Equal(t, "kari", q.Subject)
			require.Len(t, details, 2, "all details of the type")
			for _, text := range texts {
				all = append(all, json.RawMessage(text))
			}
			return all, err
		},
	})
	require.NoError(t, bad)
	return r, json.RawMessage(`[` + rightA + `,{"type":"once"},` + rightB + `]`)
}

const (
	rightA = `{"type":"right","orgs":[{"id":"1","rights":["r","w"]},{"id":"2","rights":["r"]}],"n":1.0}`
	rightB = `{"type":"right","orgs":[],"limit":null}`
)

// TestRefresh: what is left of granted details when tokens are issued later.
func TestRefresh(t *testing.T) {
	t.Parallel()
	fault := errors.New("down")
	for name, tt := range map[string]struct {
		texts             []string
		err               error
		refreshed, redeem string // "" is ErrDenied
		fault             bool
	}{
		"nothing lost":         {texts: []string{rightA, rightB}, refreshed: `[` + rightA + `,` + rightB + `]`, redeem: `[` + rightA + `,` + rightB + `,{"type":"once"}]`},
		"a detail lost":        {texts: []string{rightB}, refreshed: `[` + rightB + `]`, redeem: `[` + rightB + `,{"type":"once"}]`},
		"all lost":             {refreshed: "", redeem: `[{"type":"once"}]`},
		"denied":               {err: rar.ErrNoMandate, refreshed: "", redeem: `[{"type":"once"}]`},
		"an element lost":      {texts: []string{`{"type":"right","n":1.0,"orgs":[{"id":"1","rights":["w"]}]}`}, refreshed: `[{"type":"right","n":1.0,"orgs":[{"id":"1","rights":["w"]}]}]`, redeem: `[{"type":"right","n":1.0,"orgs":[{"id":"1","rights":["w"]}]},{"type":"once"}]`},
		"a fault":              {err: fault, fault: true},
		"another value":        {texts: []string{`{"type":"right","n":2.0,"orgs":[{"id":"1","rights":["w"]}]}`}, fault: true},
		"another right":        {texts: []string{`{"type":"right","n":1.0,"orgs":[{"id":"1","rights":["r","x"]}]}`}, fault: true},
		"the right of another": {texts: []string{`{"type":"right","n":1.0,"orgs":[{"id":"2","rights":["w"]}]}`}, fault: true},
		"an array emptied":     {texts: []string{`{"type":"right","n":1.0,"orgs":[{"id":"1","rights":[]}]}`}, fault: true},
		"a member removed":     {texts: []string{`{"type":"right","orgs":[{"id":"1","rights":["r"]}]}`}, fault: true},
		"a limit removed":      {texts: []string{`{"type":"right","orgs":[]}`}, fault: true},
		"a member added":       {texts: []string{`{"type":"right","orgs":[],"limit":null,"x":1}`}, fault: true},
		"another type":         {texts: []string{`{"type":"once"}`}, fault: true},
		"an array of scalars":  {texts: []string{`{"type":"right","n":1.0,"orgs":["1"]}`}, fault: true},
		"no JSON":              {texts: []string{`{`}, fault: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, granted := refreshing(t, tt.texts, tt.err)
			for what, step := range map[string]struct {
				do   func(context.Context, rar.Request, json.RawMessage) (json.RawMessage, error)
				want string
			}{"refresh": {r.Refresh, tt.refreshed}, "redeem": {r.Redeem, tt.redeem}} {
				got, err := step.do(t.Context(), rar.Request{Subject: "kari"}, granted)
				switch {
				case tt.fault:
					require.Error(t, err, what)
					require.NotErrorIs(t, err, rar.ErrDenied, what)
					require.Nil(t, got, what)
				case step.want == "":
					require.ErrorIs(t, err, rar.ErrDenied, what)
				default:
					require.NoError(t, err, what)
					require.Equal(t, step.want, string(got), what)
				}
			}
		})
	}
}

// TestRefreshOfNothing: without granted details there is nothing to evaluate, and a type that is not supported any more grants
// nothing.
func TestRefreshOfNothing(t *testing.T) {
	t.Parallel()
	r, _ := refreshing(t, nil, nil)
	for _, granted := range []json.RawMessage{nil, json.RawMessage(`[]`)} {
		for _, of := range []*rar.Registry{r, {}} {
			got, err := of.Refresh(t.Context(), rar.Request{}, granted)
			require.NoError(t, err)
			require.Equal(t, granted, got)
		}
	}
	for _, do := range []func(context.Context, rar.Request, json.RawMessage) (json.RawMessage, error){(&rar.Registry{}).Refresh, (&rar.Registry{}).Redeem} {
		_, err := do(t.Context(), rar.Request{}, json.RawMessage(`[{"type":"once"}]`))
		require.ErrorIs(t, err, rar.ErrDenied)
	}
	got, err := r.Refresh(t.Context(), rar.Request{}, json.RawMessage(`[{"type":"once"}]`))
	require.NoError(t, err)
	require.Equal(t, `[]`, string(got), "details that are in the tokens of the code only are not lost")
	_, err = r.Refresh(t.Context(), rar.Request{}, json.RawMessage(`{`))
	require.Error(t, err)
	_, err = r.Refresh(t.Context(), rar.Request{}, json.RawMessage(`[1]`))
	require.Error(t, err)
}
