package jose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// TestParseObjectRejects: two parsers must not read different values (docs/threat-model.md E9).
func TestParseObjectRejects(t *testing.T) {
	t.Parallel()
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf(`"n%d":%d`, i, i)
	}
	for name, text := range map[string]string{
		"empty":                    ``,
		"null":                     `null`,
		"array":                    `[{}]`,
		"string":                   `"{}"`,
		"name twice":               `{"iss":"good","iss":"evil"}`,
		"name in two cases":        `{"iss":"good","ISS":"evil"}`,
		"name folded beyond ASCII": `{"iss":"good","iſs":"evil"}`,
		"name escaped":             `{"iss":"good","\u0069ss":"evil"}`,
		"name twice inside":        `{"a":{"b":1,"b":2}}`,
		"name twice in an array":   `{"a":[{"b":1,"b":2}]}`,
		"name twice after many":    `{` + strings.Join(many, ",") + `,"N3":1}`,
		"name twice late":          `{` + strings.Join(many, ",") + `,"x":1,"X":1}`,
		"byte order mark":          "\ufeff{}",
		"trailing object":          `{}{}`,
		"trailing letter":          `{} x`,
		"trailing NUL":             "{}\x00",
		"comma at the end":         `{"a":1,}`,
		"comma at the start":       `{,"a":1}`,
		"two commas":               `{"a":1,,"b":1}`,
		"comma in array":           `{"a":[1,]}`,
		"no comma":                 `{"a":1 "b":1}`,
		"no colon":                 `{"a" 1}`,
		"name without quotes":      `{a:1}`,
		"single quotes":            `{'a':1}`,
		"comment":                  `{/**/}`,
		"no end":                   `{"a":1`,
		"no end of text":           `{"a":"b`,
		"no end after escape":      `{"a":"\`,
		"control character":        "{\"a\":\"\n\"}",
		"control after escape":     "{\"a\":\"\\n\n\"}",
		"bad escape":               `{"a":"\x41"}`,
		"bad hex":                  `{"a":"\u00g0"}`,
		"short hex":                `{"a":"\u00`,
		"lone high surrogate":      `{"a":"\ud800"}`,
		"lone low surrogate":       `{"a":"\udc00"}`,
		"two high surrogates":      `{"a":"\ud800\ud800"}`,
		"bad UTF-8":                "{\"a\":\"\xff\"}",
		"surrogate in UTF-8":       "{\"a\":\"\xed\xa0\x80\"}",
		"leading zero":             `{"a":01}`,
		"plus":                     `{"a":+1}`,
		"point without digits":     `{"a":1.}`,
		"point first":              `{"a":.5}`,
		"exponent without digits":  `{"a":1e}`,
		"minus alone":              `{"a":-}`,
		"NaN":                      `{"a":NaN}`,
		"half a literal":           `{"a":tru}`,
		"literal in capitals":      `{"a":True}`,
		"nine levels of objects":   strings.Repeat(`{"a":`, 8) + `{}` + strings.Repeat(`}`, 8),
		"nine levels of arrays":    `{"a":` + strings.Repeat(`[`, 8) + strings.Repeat(`]`, 8) + `}`,
	} {
		_, err := jose.ParseObject([]byte(text))
		require.ErrorIs(t, err, jose.ErrMalformed, name)
		require.NotContains(t, err.Error(), "evil", "errors do not quote")
	}
}

func TestParseObjectAccepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, " \t\r\n{ } \n", `{"":""}`, `{"a":[],"b":{},"c":null,"d":[null,true,false,-0,1.5e+3]}`,
		`{"a":{"iss":1},"b":{"iss":1},"iss":1}`, `{"a":"\ud83d\ude00 \u00e6 \" \\ \/ \b\f\n\r\t"}`, `{"a":"æøå😀"}`,
		strings.Repeat(`{"a":`, 7) + `{}` + strings.Repeat(`}`, 7),
	} {
		_, err := jose.ParseObject([]byte(text))
		require.NoError(t, err, text)
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	o, err := jose.ParseObject([]byte(`{"s":"a\u00e6\n","n":1,"t":true,"f":false,"z":null,"l":["x","y"],"o":{"k":"v"},"os":[{"k":1},{}],"e":[], "m":["x",1]}`))
	require.NoError(t, err)
	require.Equal(t, 10, o.Len())
	require.Equal(t, []string{"s", "n", "t", "f", "z", "l", "o", "os", "e", "m"}, o.Names())

	s, err := o.String("s")
	require.NoError(t, err)
	require.Equal(t, "aæ\n", s)
	b, err := o.Bool("t")
	require.NoError(t, err)
	require.True(t, b)
	b, err = o.Bool("f")
	require.NoError(t, err)
	require.False(t, b)
	l, err := o.Strings("l")
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y"}, l)
	l, err = o.Strings("e")
	require.NoError(t, err)
	require.Empty(t, l)
	inner, err := o.Object("o")
	require.NoError(t, err)
	raw, ok := inner.Raw("k")
	require.True(t, ok)
	require.Equal(t, `"v"`, raw)
	list, err := o.Objects("os")
	require.NoError(t, err)
	require.Len(t, list, 2)
	s, err = o.OptionalString("none")
	require.NoError(t, err)
	require.Empty(t, s)

	for name, kind := range map[string]jose.Kind{
		"s": jose.KindString, "n": jose.KindNumber, "t": jose.KindBool,
		"f": jose.KindBool, "z": jose.KindNull, "l": jose.KindArray, "o": jose.KindObject, "S": jose.Absent,
	} {
		require.Equal(t, kind, o.Kind(name), name)
		require.Equal(t, kind != jose.Absent, o.Has(name))
	}
	for name, err := range map[string]error{
		"string absent":   second(o.String("S")),
		"int absent":      second(o.Int("N")),
		"strings absent":  second(o.Strings("L")),
		"objects absent":  second(o.Objects("OS")),
		"object absent":   second(o.Object("O")),
		"bool absent":     second(o.Bool("T")),
		"case is counted": second(o.String("S")),
	} {
		require.ErrorIs(t, err, jose.ErrAbsent, name)
	}
	for name, err := range map[string]error{
		"string of number":  second(o.String("n")),
		"string of null":    second(o.String("z")),
		"optional null":     second(o.OptionalString("z")),
		"int of string":     second(o.Int("s")),
		"bool of null":      second(o.Bool("z")),
		"strings of string": second(o.Strings("s")),
		"strings mixed":     second(o.Strings("m")),
		"objects mixed":     second(o.Objects("l")),
		"object of array":   second(o.Object("l")),
	} {
		require.ErrorIs(t, err, jose.ErrType, name)
	}
}

func second[T any](_ T, err error) error { return err }

// TestInt: times outside of the range are rejected (docs/threat-model.md E11).
func TestInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1": 1, "1700000000": 1700000000, "8589934592": 1 << 33} {
		o, err := jose.ParseObject([]byte(`{"exp":` + text + `}`))
		require.NoError(t, err)
		n, err := o.Int("exp")
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	for _, text := range []string{"-0", "-1", "1.0", "1e3", "1E3", "8589934593", "18446744073709551617", strings.Repeat("9", 4000), `"1"`, "null", "true", "[1]"} {
		o, err := jose.ParseObject([]byte(`{"exp":` + text + `}`))
		require.NoError(t, err)
		_, err = o.Int("exp")
		require.ErrorIs(t, err, jose.ErrType, text)
	}
}

// TestNumericDate: a NumericDate is any JSON number (RFC 7519 §2). It is rounded down to whole seconds, and numbers outside of the range
// and other types are rejected (docs/threat-model.md E11).
func TestNumericDate(t *testing.T) {
	t.Parallel()
	numericDate := func(text string) (int64, error) {
		o, err := jose.ParseObject([]byte(`{"exp":` + text + `}`))
		require.NoError(t, err)
		return o.NumericDate("exp")
	}
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1520589808": 1520589808, "1520589808.0": 1520589808, "1520589808.125": 1520589808, "1520589808.999999999": 1520589808,
		"0.9": 0, "8589934592": 1 << 33, "8589934592.999": 1 << 33, "1.520589808E9": 1520589808, "1.5205898089E9": 1520589808, "1.5e+1": 15,
		"15205898080e-1": 1520589808, "1e-300": 0, "0e300": 0, "0.00000001520589808e17": 1520589808,
	} {
		n, err := numericDate(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{
		"-0", "-0.0", "-1", "-1520589808.5", "1e300", "1e99999999999999999999", "1e-99999999999999999999", "8589934593", "8589934593.0", "9e9", "18446744073709551617",
		strings.Repeat("9", 4000), "0." + strings.Repeat("0", 20) + "1e40", `"1520589808"`, `"1520589808.0"`, `""`, "null", "true", "[1520589808]", "{}",
	} {
		_, err := numericDate(text)
		require.ErrorIs(t, err, jose.ErrType, text)
	}
	_, err := (jose.Object{}).NumericDate("exp")
	require.ErrorIs(t, err, jose.ErrAbsent)
}

// FuzzNumericDate compares with the exact arithmetic of math/big.
func FuzzNumericDate(f *testing.F) {
	for _, s := range []string{"0", "1520589808.125", "1.520589808E9", "-1", "8589934592.5", "12e-3", "0.0012e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := jose.ParseObject([]byte(`{"exp":` + text + `}`))
		if err != nil || o.Len() != 1 || o.Kind("exp") != jose.KindNumber || len(text) > 40 || regexp.MustCompile(`[eE][+-]?\d{3}`).MatchString(text) {
			return
		}
		exact, ok := new(big.Rat).SetString(strings.TrimSpace(text))
		require.True(t, ok, text)
		got, err := o.NumericDate("exp")
		floor := new(big.Int).Div(exact.Num(), exact.Denom()) // Euclidean division rounds down
		if strings.HasPrefix(strings.TrimSpace(text), "-") || floor.Cmp(big.NewInt(jose.MaxInt)) > 0 {
			require.Error(t, err, text)
			return
		}
		require.NoError(t, err, text)
		require.Equal(t, floor.Int64(), got, text)
	})
}

// FuzzObject compares with encoding/json: it reads the same values from an accepted object, and a rejected object is invalid or
// ambiguous.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1,"A":2}`, `{"a":[{"b":"\ud800"}]}`, `{"iss":"x","aud":["y"],"exp":1e3}`, "\ufeff{}", `{"a":"\u0041"} `, `[]`,
		`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}`, `{"ſ":1,"s":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := jose.ParseObject(data)
		if err != nil {
			require.False(t, json.Valid(data) && unambiguous(data), "rejected without a reason: %v", err)
			return
		}
		require.True(t, json.Valid(data))
		require.True(t, unambiguous(data), "accepted although ambiguous")
		var m map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &m))
		require.Len(t, m, o.Len())
		for name, want := range m {
			raw, ok := o.Raw(name)
			require.True(t, ok)
			require.Equal(t, string(want), raw)
			if o.Kind(name) == jose.KindString {
				var s string
				require.NoError(t, json.Unmarshal(want, &s))
				got, err := o.String(name)
				require.NoError(t, err)
				require.Equal(t, s, got)
			}
		}
	})
}

var surrogateEscape = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// unambiguous reports whether data is an object without what ParseObject rejects, by the tokens of encoding/json. Escaped
// surrogates count as ambiguous unless they decode without a replacement character.
func unambiguous(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return false
	}
	type level struct {
		object, value bool // value: a value comes next, not a name
		names         []string
	}
	stack := []level{{object: true}}
	for len(stack) > 0 {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		top := &stack[len(stack)-1]
		if s, ok := tok.(string); ok {
			if strings.ContainsRune(s, utf8.RuneError) && surrogateEscape.Match(data) {
				return false
			}
			if top.object && !top.value {
				for _, other := range top.names {
					if strings.EqualFold(other, s) {
						return false
					}
				}
				top.names = append(top.names, s)
				top.value = true
				continue
			}
		}
		top.value = false
		switch tok {
		case json.Delim('{'), json.Delim('['):
			stack = append(stack, level{object: tok == json.Delim('{')})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			if len(stack) > 0 {
				stack[len(stack)-1].value = false
			}
		}
		if len(stack) > jose.MaxDepth {
			return false
		}
	}
	return true
}

func BenchmarkParseObject(b *testing.B) {
	claims := []byte(`{"iss":"https://client.example","sub":"https://client.example","aud":"https://op.example","iat":1700000000,"exp":1700000100,"jti":"0123456789abcdef0123456789abcdef","scope":"openid profile"}`)
	b.ReportAllocs()
	for b.Loop() {
		o, err := jose.ParseObject(claims)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.String("iss"); err != nil {
			b.Fatal(err)
		}
	}
}
