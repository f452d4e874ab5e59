package rar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/rar"
)

// organisation is a type with organisations to select.
func organisation() rar.Type {
	return rar.Type{
		Name: "org", Members: []string{"resource", "several", "required"}, Alone: true,
		Validate: func(d rar.Detail) error {
			if !strings.Contains(string(d.JSON), `"resource"`) {
				return fmt.Errorf("%w: resource", rar.ErrValue)
			}
			return nil
		},
		Choices: func(context.Context, rar.Request, []rar.Detail) ([]rar.Choice, error) {
			return []rar.Choice{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, nil
		},
		Multiple: func(d []rar.Detail) bool { return strings.Contains(string(d[0].JSON), "several") },
		Required: func(d []rar.Detail) bool { return strings.Contains(string(d[0].JSON), "required") },
		Grant: func(_ context.Context, _ rar.Request, _ []rar.Detail, chosen []string) ([]json.RawMessage, error) {
			var out []json.RawMessage
			for _, c := range chosen {
				out = append(out, json.RawMessage(`{"type":"org","id":"`+c+`"}`))
			}
			return out, nil
		},
	}
}

// echo grants every detail to an organisation.
func echo() rar.Type {
	return rar.Type{Name: "echo", Members: []string{"x"}, Grant: func(_ context.Context, r rar.Request, ds []rar.Detail, _ []string) ([]json.RawMessage, error) {
		if r.Organisation == "" {
			return nil, rar.ErrDenied
		}
		out := make([]json.RawMessage, len(ds))
		for i := range ds {
			out[i] = ds[i].JSON
		}
		return out, nil
	}}
}

func registry(t *testing.T) *rar.Registry {
	t.Helper()
	r, err := rar.NewRegistry(organisation(), echo())
	require.NoError(t, err)
	return r
}

func TestNewRegistry(t *testing.T) {
	t.Parallel()
	flag := func([]rar.Detail) bool { return true }
	for field, damage := range map[string]func(*rar.Type){
		"types[1].Name":       func(o *rar.Type) { o.Name = "" },
		"types[1].Grant":      func(o *rar.Type) { o.Grant = nil },
		"types[1].Members":    func(o *rar.Type) { o.Members = []string{"type"} },
		"types[1].Multiple":   func(o *rar.Type) { o.Choices, o.Multiple, o.Required = nil, flag, nil },
		"types[1].Required":   func(o *rar.Type) { o.Choices, o.Multiple, o.Required = nil, nil, flag },
		"types[1].NoApproval": func(o *rar.Type) { o.NoApproval = true },
	} {
		broken := organisation()
		damage(&broken)
		r, err := rar.NewRegistry(echo(), broken)
		require.Equal(t, []string{field}, fieldsOf(err))
		require.Nil(t, r)
	}
	_, err := rar.NewRegistry(rar.Type{}, echo(), echo())
	require.Equal(t, []string{"types[0].Name", "types[0].Grant", "types[2].Name"}, fieldsOf(err), "every problem at once")
	require.Equal(t, []string{"org", "echo"}, registry(t).Names())
}

func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

// TestParse: the syntax of RFC 9396 §2 and the errors of RFC 9396 §5.
func TestParse(t *testing.T) {
	t.Parallel()
	r := registry(t)
	for in, want := range map[string]error{
		`[{"type":"echo"}]`:                 nil,
		`[{"type":"echo","x":{"y":[1]}}]`:   nil,
		`[{"type":"echo"},{"type":"echo"}]`: nil,
		`[]`:                                rar.ErrMalformed,
		``:                                  rar.ErrMalformed,
		`{"type":"echo"}`:                   rar.ErrMalformed,
		`"echo"`:                            rar.ErrMalformed,
		`[{"type":1}]`:                      rar.ErrMalformed,
		`[{"x":1}]`:                         rar.ErrMalformed,
		`["echo"]`:                          rar.ErrMalformed,
		`[{"type":"echo","type":"org"}]`:    rar.ErrMalformed,
		`[{"type":"echo","TYPE":"org"}]`:    rar.ErrMalformed,
		`[{"type":"echo"}]}`:                rar.ErrMalformed,
		`[{"type":"echo"}],"e":[]`:          rar.ErrMalformed,
		`[{"type":"other"}]`:                rar.ErrUnknownType,
		`[{"type":"echo","z":1}]`:           rar.ErrUnknownMember,
		`[{"type":"org"}]`:                  rar.ErrValue,
		`[{"type":"org","resource":"r"}]`:   nil,
		`[{"type":"org","resource":"r"},{"type":"echo"}]`:                   rar.ErrMixedTypes,
		`[{"type":"echo"},{"type":"org","resource":"r"}]`:                   rar.ErrMixedTypes,
		`[` + strings.Repeat(`{"type":"echo"},`, 10) + `{"type":"echo"}]`:   rar.ErrMalformed,
		`[{"type":"echo","x":"` + strings.Repeat("x", rar.MaxBytes) + `"}]`: rar.ErrMalformed,
	} {
		details, err := r.Parse([]byte(in))
		if want == nil {
			require.NoError(t, err, in)
			require.NotEmpty(t, details)
			continue
		}
		require.ErrorIs(t, err, want, in)
		require.Nil(t, details)
	}
}

func TestSelectionAndGrant(t *testing.T) {
	t.Parallel()
	r, ctx := registry(t), t.Context()
	details, err := r.Parse([]byte(`[{"type":"org","resource":"r","several":true,"required":true}]`))
	require.NoError(t, err)
	o, err := r.Offer(ctx, rar.Request{}, details)
	require.NoError(t, err)
	require.Equal(t, &rar.Selection{Choices: []rar.Choice{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, Multiple: true, Required: true}, o.Selection)
	granted, err := o.Grant(ctx, []string{"b"}, nil)
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"org","id":"b"}]`, string(granted))
	_, err = o.Grant(ctx, nil, nil)
	require.ErrorIs(t, err, rar.ErrDenied, "a choice is required")
	_, err = o.Grant(ctx, []string{"c"}, nil)
	require.ErrorIs(t, err, rar.ErrDenied, "not a choice")
	granted, err = r.Grant(ctx, rar.Request{Organisation: "991825827"}, details)
	require.NoError(t, err)
	require.Equal(t, `[]`, string(granted), "a machine chooses nothing")

	machine, err := r.Parse([]byte(`[{"type":"echo","x":1}]`))
	require.NoError(t, err)
	o, err = r.Offer(ctx, rar.Request{}, machine)
	require.NoError(t, err)
	require.Nil(t, o.Selection, "there is no selection")
	_, err = r.Grant(ctx, rar.Request{}, machine)
	require.True(t, errors.Is(err, rar.ErrDenied))
	granted, err = r.Grant(ctx, rar.Request{Organisation: "991825827"}, machine)
	require.NoError(t, err)
	require.Equal(t, `[{"type":"echo","x":1}]`, string(granted))
	_, err = o.Grant(ctx, []string{"a"}, nil)
	require.ErrorIs(t, err, rar.ErrDenied, "nothing to select")
}

// TestSelectionCheck: what the form of the page may post.
func TestSelectionCheck(t *testing.T) {
	t.Parallel()
	choices := []rar.Choice{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	for name, tt := range map[string]struct {
		q      rar.Selection
		chosen []string
		want   []string
		err    error
	}{
		"one":                  {rar.Selection{}, []string{"b"}, []string{"b"}, nil},
		"none":                 {rar.Selection{}, nil, nil, nil},
		"none, required":       {rar.Selection{Required: true}, nil, nil, rar.ErrDenied},
		"two, but one allowed": {rar.Selection{}, []string{"a", "b"}, nil, rar.ErrValue},
		"two":                  {rar.Selection{Multiple: true}, []string{"c", "a"}, []string{"a", "c"}, nil},
		"the same twice":       {rar.Selection{Multiple: true}, []string{"a", "a"}, nil, rar.ErrValue},
		"unknown":              {rar.Selection{}, []string{"d"}, nil, rar.ErrValue},
		"one unknown":          {rar.Selection{Multiple: true}, []string{"a", "d"}, nil, rar.ErrValue},
		"an empty ID":          {rar.Selection{Required: true}, []string{""}, nil, rar.ErrValue},
		"an empty list":        {rar.Selection{Multiple: true}, []string{}, nil, nil},
		"required, and one":    {rar.Selection{Required: true}, []string{"a"}, []string{"a"}, nil},
	} {
		tt.q.Choices = choices
		got, err := tt.q.Check(tt.chosen)
		require.ErrorIs(t, err, tt.err, name)
		require.Equal(t, tt.want, got, name)
	}
}

// TestSelectionRejectsAmbiguity: choices without an ID, or with the same, are a fault.
func TestSelectionRejectsAmbiguity(t *testing.T) {
	t.Parallel()
	same := func(name, id string) rar.Type {
		o := organisation()
		o.Name, o.Alone, o.Validate = name, false, nil
		o.Choices = func(context.Context, rar.Request, []rar.Detail) ([]rar.Choice, error) {
			return []rar.Choice{{ID: id}}, nil
		}
		return o
	}
	for second, ok := range map[string]bool{"x": false, "": false, "y": true} {
		r, err := rar.NewRegistry(same("one", "x"), same("two", second))
		require.NoError(t, err)
		details, err := r.Parse([]byte(`[{"type":"one"},{"type":"two"}]`))
		require.NoError(t, err)
		_, err = r.Offer(t.Context(), rar.Request{}, details)
		require.Equal(t, ok, err == nil, second)
	}
}

// TestSelectionShowsReadableNames: a name from a register that a page must not show is replaced by the ID, and such a hint is left out.
func TestSelectionShowsReadableNames(t *testing.T) {
	t.Parallel()
	o := organisation()
	o.Validate = nil
	choices := []rar.Choice{
		{ID: "0192:991825827", Name: "Blåbær & Sønner AS", Hint: "991825827"},
		{ID: "0192:974761076", Name: "Skаtteetaten", Hint: "974761076"},
		{ID: "0192:910753614", Name: " ", Hint: "\u202e910753614"},
		{ID: "c", Name: "N\u0336A\u0336V"},
	}
	o.Choices = func(context.Context, rar.Request, []rar.Detail) ([]rar.Choice, error) { return choices, nil }
	r, err := rar.NewRegistry(o)
	require.NoError(t, err)
	details, err := r.Parse([]byte(`[{"type":"` + o.Name + `"}]`))
	require.NoError(t, err)
	offered, err := r.Offer(t.Context(), rar.Request{}, details)
	require.NoError(t, err)
	require.Equal(t, []rar.Choice{
		{ID: "0192:991825827", Name: "Blåbær & Sønner AS", Hint: "991825827"},
		{ID: "0192:974761076", Name: "0192:974761076", Hint: "974761076"},
		{ID: "0192:910753614", Name: "0192:910753614"},
		{ID: "c", Name: "c"},
	}, offered.Selection.Choices)
	choices = []rar.Choice{{ID: "\u202e", Name: "\u202e"}}
	_, err = r.Offer(t.Context(), rar.Request{}, details)
	require.Error(t, err, "no text identifies the choice")
}

// TestDetailsShowReadableTexts: a detail is not offered with a text that a page must not show.
func TestDetailsShowReadableTexts(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"Les inntekten din": true, "": true, "Lеs": false, "Les\u202e": false, "Les\nalt": false, "\u2800": false, strings.Repeat("ø", 1001): false,
	} {
		for i, described := range []rar.Text{{Title: text}, {Title: "Inntekt", Lines: []string{"les", text}}} {
			o := organisation()
			o.Validate, o.NoApproval = nil, false
			o.Describe = func(context.Context, rar.Request, []rar.Detail) ([]rar.Text, error) {
				return []rar.Text{described}, nil
			}
			r, err := rar.NewRegistry(o)
			require.NoError(t, err)
			details, err := r.Parse([]byte(`[{"type":"` + o.Name + `"}]`))
			require.NoError(t, err)
			_, err = r.Offer(t.Context(), rar.Request{}, details)
			require.Equal(t, !ok, errors.Is(err, rar.ErrValue), "%d: %+q: %v", i, text, err)
		}
	}
}

// TestNarrow: a token request may name some of the granted details, unchanged.
func TestNarrow(t *testing.T) {
	t.Parallel()
	granted := `[{"type":"a","x":[1,2]},{"type":"b","n":9007199254740993}]`
	for wanted, want := range map[string]string{
		`[{"x":[1,2],"type":"a"}]`: `[{"type":"a","x":[1,2]}]`, `[]`: `[]`, granted: granted, ` [ ] `: `[]`,
		`[{"type":"b","n":9007199254740993},{"n":9007199254740993,"type":"b"}]`: `[{"type":"b","n":9007199254740993}]`,
	} {
		got, err := rar.Narrow([]byte(wanted), []byte(granted))
		require.NoError(t, err, wanted)
		require.Equal(t, want, string(got), wanted)
	}
	for wanted, err := range map[string]error{
		`[{"type":"a"}]`: rar.ErrNotGranted, `[{"type":"a","x":[2,1]}]`: rar.ErrNotGranted, `[{"type":"c"}]`: rar.ErrNotGranted,
		`[{"type":"a","x":[1,2],"y":1}]`: rar.ErrNotGranted, `[{"type":"b","n":9007199254740992}]`: rar.ErrNotGranted,
		`x`: rar.ErrMalformed, ``: rar.ErrMalformed, `null`: rar.ErrMalformed, `{"type":"a","x":[1,2]}`: rar.ErrMalformed,
		`[{"type":"a","type":"a","x":[1,2]}]`: rar.ErrMalformed, `["a"]`: rar.ErrMalformed, `[{}]`: rar.ErrMalformed,
	} {
		got, e := rar.Narrow([]byte(wanted), []byte(granted))
		require.ErrorIs(t, e, err, wanted)
		require.Nil(t, got, wanted)
	}
	_, err := rar.Narrow([]byte(`[{"type":"a"}]`), nil)
	require.ErrorIs(t, err, rar.ErrNotGranted)
}

// FuzzNarrow: the result consists of granted texts, and narrowing it again does not change it.
func FuzzNarrow(f *testing.F) {
	f.Add(`[{"type":"a"}]`, `[{"type":"a"},{"type":"b"}]`)
	f.Add(`[{"type":"a","x":1.0}]`, `[{"type":"a","x":1.0}]`)
	f.Add(`[]`, `[{"type":"\u0061"}]`)
	for _, pair := range [][2]string{
		{``, ``},
		{`[{}]`, `[{}]`},
		{`null`, `null`},
		{`[{"type":"a"},{"type":"a"}]`, `[{"type":"a"}]`},
		{`[{"type":"a","x":1}]`, `[{"x":1,"type":"a"}]`},
		{`[{"type":"a","x":[1,2]}]`, `[{"type":"a","x":[2,1]}]`},
		{`[{"type":"a","x":1}]`, `[{"type":"a","x":1.0}]`},
		{`[{"type":"a","type":"b"}]`, `[{"type":"a","type":"b"}]`},
		{`[{"type":"a"}`, `[{"type":"a"}]`},
		{`[{"type":"b"}]`, `[{"type":"a"}]`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, wanted, granted string) {
		out, err := rar.Narrow([]byte(wanted), []byte(granted))
		if err != nil {
			return
		}
		var got, have []any
		require.NoError(t, json.Unmarshal(out, &got))
		if granted != "" {
			require.NoError(t, json.Unmarshal([]byte(granted), &have))
		}
		require.Subset(t, have, got)
		again, err := rar.Narrow(out, []byte(granted))
		if err != nil { // a granted text that the strict parser rejects
			require.ErrorIs(t, err, rar.ErrMalformed)
			return
		}
		require.Equal(t, string(out), string(again))
	})
}

// FuzzParse: accepted text is an array of objects with registered types.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`[{"type":"echo"}]`, `[{"type":"org","resource":"r"}]`, `[{"type":"echo","x":"\u0000"}]`, `[[]]`, `[{"type":"echo"}],"d":[`} {
		f.Add([]byte(s))
	}
	r, err := rar.NewRegistry(organisation(), echo())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		details, err := r.Parse(raw)
		if err != nil {
			require.Nil(t, details)
			return
		}
		var plain []map[string]any
		require.NoError(t, json.Unmarshal(raw, &plain))
		require.Len(t, details, len(plain))
		for i, d := range details {
			require.Equal(t, plain[i]["type"], d.Type)
			require.Contains(t, r.Names(), d.Type)
		}
	})
}

// TestSelectionCheckEachType: the rules of one type do not apply to the choices of another.
func TestSelectionCheckEachType(t *testing.T) {
	t.Parallel()
	typ := func(name string, yes bool, ids ...string) rar.Type {
		flag := func([]rar.Detail) bool { return yes }
		return rar.Type{
			Name: name, Multiple: flag, Required: flag,
			Choices: func(context.Context, rar.Request, []rar.Detail) (all []rar.Choice, err error) {
				for _, id := range ids {
					all = append(all, rar.Choice{ID: id})
				}
				return all, nil
			},
			Grant: func(context.Context, rar.Request, []rar.Detail, []string) ([]json.RawMessage, error) { return nil, nil },
		}
	}
	r, err := rar.NewRegistry(typ("many", true, "a", "b"), typ("one", false, "c", "d"))
	require.NoError(t, err)
	details, err := r.Parse([]byte(`[{"type":"many"},{"type":"one"}]`))
	require.NoError(t, err)
	o, err := r.Offer(t.Context(), rar.Request{}, details)
	require.NoError(t, err)
	q := o.Selection
	for _, good := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}} {
		_, err := q.Check(good)
		require.NoError(t, err, good)
	}
	_, err = q.Check([]string{"a", "c", "d"})
	require.ErrorIs(t, err, rar.ErrValue)
	_, err = q.Check([]string{"c"})
	require.ErrorIs(t, err, rar.ErrDenied)
}

// TestCheck: each type checks its details together, before any user is known; the first error is returned unchanged.
func TestCheck(t *testing.T) {
	t.Parallel()
	var seen []int
	checked := func(name string, err error) rar.Type {
		typ := echo()
		typ.Name = name
		typ.Check = func(_ context.Context, r rar.Request, details []rar.Detail) error {
			require.Equal(t, rar.Request{ClientID: "client"}, r)
			for _, d := range details {
				require.Equal(t, name, d.Type)
			}
			seen = append(seen, len(details))
			return err
		}
		return typ
	}
	fault := errors.New("down")
	r, err := rar.NewRegistry(checked("a", nil), checked("b", fault), echo())
	require.NoError(t, err)
	for text, want := range map[string]error{
		`[{"type":"a"},{"type":"echo"},{"type":"a"}]`: nil, `[{"type":"echo"}]`: nil, `[{"type":"a"},{"type":"b"}]`: fault,
	} {
		details, err := r.Parse([]byte(text))
		require.NoError(t, err)
		seen = nil
		require.Equal(t, want, r.Check(t.Context(), rar.Request{ClientID: "client"}, details), text)
		if want == nil && len(details) == 3 {
			require.Equal(t, []int{2}, seen, "once for each type")
		}
	}
}

// TestSingleObject: authorization_details of a type with Single may be one object; those of other types must be an array.
func TestSingleObject(t *testing.T) {
	t.Parallel()
	single := echo()
	single.Name, single.Single = "single", true
	r, err := rar.NewRegistry(single, echo())
	require.NoError(t, err)
	for _, text := range []string{`{"type":"single"}`, ` {"type":"single"} `, `[{"type":"single"}]`} {
		details, err := r.Parse([]byte(text))
		require.NoError(t, err, text)
		require.Len(t, details, 1)
		require.JSONEq(t, `{"type":"single"}`, string(details[0].JSON))
	}
	for _, text := range []string{`{"type":"echo"}`, `{"type":"unknown"}`, `{"type":"single"},{"type":"single"}`, `{}`, `{"type":"single"}]`, `{"type":"single"`} {
		_, err := r.Parse([]byte(text))
		require.ErrorIs(t, err, rar.ErrMalformed, text)
	}
}
