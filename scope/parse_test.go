package scope_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/scope"
)

func TestParse(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("a ", scope.MaxValues), " ")
	for _, tt := range []struct {
		name, in string
		want     []string // nil is ErrSyntax
	}{
		{"order kept", "profile openid altinn:instances.meta", []string{"profile", "openid", "altinn:instances.meta"}},
		{"duplicates removed", "openid a openid b a", []string{"openid", "a", "b"}},
		{"slashes and dots", "krr:user/kontaktinformasjon.read", []string{"krr:user/kontaktinformasjon.read"}},
		{"every character of scope-token", "!#[]~", []string{"!#[]~"}},
		{"case matters", "OpenID openid", []string{"OpenID", "openid"}},
		{"longest", strings.Repeat("x", scope.MaxBytes), []string{strings.Repeat("x", scope.MaxBytes)}},
		{"most values", many, []string{"a"}},
		{"empty", "", nil},
		{"space only", " ", nil},
		{"leading space", " openid", nil},
		{"trailing space", "openid ", nil},
		{"two spaces", "openid  profile", nil},
		{"tab", "openid\tprofile", nil},
		{"newline", "openid\n", nil},
		{"NUL", "open\x00id", nil},
		{"DEL", "open\x7fid", nil},
		{"double quote", `open"id`, nil},
		{"backslash", `open\id`, nil},
		{"not ASCII", "opénid", nil},
		{"no-break space", "openid\u00a0profile", nil},
		{"too long", strings.Repeat("x", scope.MaxBytes+1), nil},
		{"too many values, all equal", many + " a", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := scope.Parse(tt.in)
			if tt.want == nil {
				require.ErrorIs(t, err, scope.ErrSyntax)
				require.Nil(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"openid profile", "", " ", "a  b", "a a", "a\tb", "å", `"`, "x y x z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := scope.Parse(in)
		want, ok := referenceParse(in)
		if (err == nil) != ok {
			t.Fatalf("Parse(%q): %v, reference says %v", in, err, ok)
		}
		if err != nil {
			return
		}
		if !slices.Equal(got, want) {
			t.Fatalf("Parse(%q) = %q, reference %q", in, got, want)
		}
		again, err := scope.Parse(strings.Join(got, " "))
		if err != nil || !slices.Equal(got, again) {
			t.Fatalf("round trip of %q: %q, %v", in, again, err)
		}
	})
}

// referenceParse is the grammar of RFC 6749 §3.3, written for clarity.
func referenceParse(in string) ([]string, bool) {
	if len(in) > 4096 {
		return nil, false
	}
	var values []string
	parts := strings.Split(in, " ")
	for _, p := range parts {
		if p == "" {
			return nil, false
		}
		for _, c := range []byte(p) {
			if !(c == 0x21 || c >= 0x23 && c <= 0x5b || c >= 0x5d && c <= 0x7e) {
				return nil, false
			}
		}
		if !slices.Contains(values, p) {
			values = append(values, p)
		}
	}
	return values, len(parts) <= 100
}
