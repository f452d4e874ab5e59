package rar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/rar"
)

// kind is a type that grants its details with what was selected. Its choices are the letters of choices after its name.
func kind(name, choices string, noApproval bool) rar.Type {
	t := rar.Type{
		Name: name, Members: []string{"n"}, NoApproval: noApproval,
		Grant: func(_ context.Context, _ rar.Request, ds []rar.Detail, selected []string) (all []json.RawMessage, err error) {
			for _, d := range ds {
				all = append(all, json.RawMessage(fmt.Sprintf(`{"type":%q,"of":%s,"for":%q}`, name, d.JSON, strings.Join(selected, " "))))
			}
			return all, nil
		},
	}
	if choices != "" {
		t.Multiple = func([]rar.Detail) bool { return true }
		t.Choices = func(context.Context, rar.Request, []rar.Detail) (all []rar.Choice, err error) {
			for _, c := range strings.Fields(choices) {
				all = append(all, rar.Choice{ID: name + c})
			}
			return all, nil
		}
	}
	return t
}

// TestOfferShows: details of types with choices belong to the representation page, those of other types to the consent page, and those
// of types with NoApproval to none.
func TestOfferShows(t *testing.T) {
	t.Parallel()
	described := kind("d", "", false)
	described.Describe = func(_ context.Context, r rar.Request, ds []rar.Detail) ([]rar.Text, error) {
		return []rar.Text{{Title: r.Locale, Lines: []string{"first"}}, {}}[:len(ds)], nil
	}
	nothing := kind("n", "", false)
	nothing.Choices = func(context.Context, rar.Request, []rar.Detail) ([]rar.Choice, error) { return nil, nil }
	r, err := rar.NewRegistry(kind("c", "1 2", false), described, kind("f", "", true), nothing)
	require.NoError(t, err)
	details, err := r.Parse([]byte(`[{"type":"f"},{"type":"d"},{"type":"c"},{"type":"d","n":1},{"type":"n"}]`))
	require.NoError(t, err)
	o, err := r.Offer(t.Context(), rar.Request{Locale: "en"}, details)
	require.NoError(t, err)
	require.Equal(t, []rar.Shown{{ID: "detail 3", Type: "c", JSON: json.RawMessage(`{"type":"c"}`), Text: rar.Text{Title: "c"}}}, o.Represented)
	require.Equal(t, []rar.Shown{
		{ID: "detail 2", Type: "d", JSON: json.RawMessage(`{"type":"d"}`), Text: rar.Text{Title: "en", Lines: []string{"first"}}},
		{ID: "detail 4", Type: "d", JSON: json.RawMessage(`{"type":"d","n":1}`), Text: rar.Text{Title: "d"}},
	}, o.Approvable)
	granted, err := o.Grant(t.Context(), []string{"c2"}, []string{"detail 4", "detail 3", "detail 5", "x"})
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"f","of":{"type":"f"},"for":""},{"type":"d","of":{"type":"d","n":1},"for":""},{"type":"c","of":{"type":"c"},"for":"c2"}]`,
		string(granted))
}

// TestDescribeFaults: a type without one text for each detail is a fault, and so is one that fails.
func TestDescribeFaults(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for _, describe := range []func(context.Context, rar.Request, []rar.Detail) ([]rar.Text, error){
		func(context.Context, rar.Request, []rar.Detail) ([]rar.Text, error) { return nil, nil },
		func(_ context.Context, _ rar.Request, ds []rar.Detail) ([]rar.Text, error) {
			return make([]rar.Text, len(ds)+1), nil
		},
		func(_ context.Context, _ rar.Request, ds []rar.Detail) ([]rar.Text, error) {
			return make([]rar.Text, len(ds)), down
		},
	} {
		typ := kind("d", "", false)
		typ.Describe = describe
		r, err := rar.NewRegistry(typ)
		require.NoError(t, err)
		details, err := r.Parse([]byte(`[{"type":"d"}]`))
		require.NoError(t, err)
		_, err = r.Offer(t.Context(), rar.Request{}, details)
		require.Error(t, err)
		require.False(t, errors.Is(err, rar.ErrDenied) || errors.Is(err, rar.ErrValue))
	}
}

// TestOnce: what a type loads from a register is loaded once for an offer, errors included, and again for the next offer.
func TestOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	down := errors.New("down")
	load := func(r rar.Request) (int, error) {
		return rar.Once(r, "d", func() (int, error) { calls++; return calls, down })
	}
	typ := kind("d", "1", false)
	typ.Choices = func(_ context.Context, r rar.Request, _ []rar.Detail) ([]rar.Choice, error) {
		n, err := load(r)
		require.ErrorIs(t, err, down)
		return []rar.Choice{{ID: fmt.Sprint("d", n)}}, nil
	}
	typ.Describe = func(_ context.Context, r rar.Request, ds []rar.Detail) ([]rar.Text, error) {
		_, err := load(r)
		require.ErrorIs(t, err, down)
		return make([]rar.Text, len(ds)), nil
	}
	typ.Grant = func(_ context.Context, r rar.Request, _ []rar.Detail, selected []string) ([]json.RawMessage, error) {
		n, _ := load(r)
		return []json.RawMessage{json.RawMessage(fmt.Sprint(n))}, nil
	}
	r, err := rar.NewRegistry(typ)
	require.NoError(t, err)
	details, err := r.Parse([]byte(`[{"type":"d"},{"type":"d"}]`))
	require.NoError(t, err)
	for want := 1; want <= 2; want++ {
		o, err := r.Offer(t.Context(), rar.Request{}, details)
		require.NoError(t, err)
		granted, err := o.Grant(t.Context(), []string{fmt.Sprint("d", want)}, nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("[%d]", want), string(granted))
		require.Equal(t, want, calls)
	}
	_, err = load(rar.Request{})
	require.ErrorIs(t, err, down)
	require.Equal(t, 3, calls, "without an offer nothing is kept")
}

// TestGrantIsAnswered: for random types, details and answers, every granted detail was approved, selected, or needs no approval.
func TestGrantIsAnswered(t *testing.T) {
	t.Parallel()
	r, err := rar.NewRegistry(kind("a", "", false), kind("b", "1 2", false), kind("c", "1 2", false), kind("f", "", true))
	require.NoError(t, err)
	for range 2000 {
		var texts []string
		for n := range 1 + rand.IntN(rar.MaxDetails) {
			texts = append(texts, fmt.Sprintf(`{"type":%q,"n":%d}`, string("abcf"[rand.IntN(4)]), n))
		}
		details, err := r.Parse([]byte("[" + strings.Join(texts, ",") + "]"))
		require.NoError(t, err)
		o, err := r.Offer(t.Context(), rar.Request{}, details)
		require.NoError(t, err)
		var selected, approved []string
		if o.Selection != nil {
			for _, c := range o.Selection.Choices {
				if rand.IntN(2) == 0 {
					selected = append(selected, c.ID)
				}
			}
		}
		for n := range 12 {
			if rand.IntN(2) == 0 {
				approved = append(approved, fmt.Sprint("detail ", n))
			}
		}
		granted, err := o.Grant(t.Context(), selected, approved)
		require.NoError(t, err)
		var got []struct {
			Type, For string
			Of        struct{ N int }
		}
		require.NoError(t, json.Unmarshal(granted, &got))
		for _, g := range got {
			switch g.Type {
			case "a":
				require.Contains(t, approved, fmt.Sprint("detail ", g.Of.N+1))
			case "f":
			default:
				require.NotEmpty(t, g.For)
				for _, id := range strings.Fields(g.For) {
					require.True(t, slices.Contains(selected, id) && strings.HasPrefix(id, g.Type), "the choices of its own type")
				}
			}
		}
	}
}
