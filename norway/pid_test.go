package norway_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
)

// Synthetic numbers from the documentation of ID-porten and Ansattporten.
const (
	pid     = "21879498012"
	dNumber = "45840375084"
	young   = "10850199405"
)

func TestParsePID(t *testing.T) {
	t.Parallel()
	const form, date, check = "eleven digits are required", "invalid date of birth", "wrong check digits"
	tests := []struct {
		name, s, want string
	}{
		{"fødselsnummer", pid, ""},
		{"D-number", dNumber, ""},
		{"born 2001", young, ""},
		{"published example with wrong check digits", "01010199999", check},
		{"another published example", "11111156789", check},
		{"empty", "", form},
		{"ten digits", pid[:10], form},
		{"twelve digits", pid + "0", form},
		{"space", pid[:6] + " " + pid[6:], form},
		{"letter", "2187949801O", form},
		{"other digits", "2187949801٢", form},
		{"sign", "+1879498012", form},
		{"first check digit", pid[:9] + "22", check},
		{"second check digit", pid[:10] + "3", check},
		{"all zero", "00000000000", date},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := norway.ParsePID(tt.s)
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, tt.s, p.Reveal())
				require.True(t, p.IsSynthetic())
				return
			}
			require.ErrorIs(t, err, norway.ErrPID)
			require.ErrorContains(t, err, tt.want)
			require.True(t, p.IsZero())
			require.NotRegexp(t, `\d`, err.Error())
		})
	}
}

// withCheckDigits adds check digits to nine digits, by another formulation of the rule: the weighted sum that includes the
// check digit is a multiple of eleven.
func withCheckDigits(t *testing.T, nine string) string {
	t.Helper()
	require.Len(t, nine, 9)
	sum := func(s string, weights ...int) (n int) {
		for i, w := range weights {
			n += w * int(s[i]-'0')
		}
		return n
	}
	for k := range 100 {
		s := fmt.Sprintf("%s%02d", nine, k)
		if sum(s, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 && sum(s, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0 {
			return s
		}
	}
	return ""
}

// Only the form is validated; the number is redacted like others.
func TestUncheckedPID(t *testing.T) {
	t.Parallel()
	p, err := norway.UncheckedPID("01010199999") // a published example
	require.NoError(t, err)
	require.Equal(t, "01010199999", p.Reveal())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", p, p, p, p), "0101")
	for _, s := range []string{"", "0101019999", "010101999999", "0101019999x", " 1010199999", "０1010199999"} {
		_, err := norway.UncheckedPID(s)
		require.ErrorIs(t, err, norway.ErrPID, s)
	}
	same, err := norway.ParsePID("21879498012")
	require.NoError(t, err)
	unchecked, err := norway.UncheckedPID("21879498012")
	require.NoError(t, err)
	require.Equal(t, same, unchecked)
}

// Individual numbers determine the century; days and months have offsets. Each row is tried with every last digit of the
// individual number for which check digits exist.
func TestBirthDate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prefix string // ddmmyyii
		valid  bool
	}{
		{"1900-1999 by 000-499", "01810049", true},
		{"1854 by 500-749", "01815450", true},
		{"1899 by 500-749", "01819974", true},
		{"1853 does not exist", "01815374", false},
		{"2000-2039 by 500-999", "01813950", true},
		{"2039 by 9xx", "01813999", true},
		{"2040 does not exist", "01814050", false},
		{"1940 by 900-999", "01814090", true},
		{"1999 by 900-999", "01819999", true},
		{"750-899 are not of the 1800s", "01815475", false},
		{"750-899 are not of the 1900s", "01819989", false},
		{"leap day 2000", "29820050", true},
		{"1900 was no leap year", "29820000", false},
		{"leap day 1996", "29829690", true},
		{"29 February 2001", "29820150", false},
		{"31 April", "31840100", false},
		{"31 December", "31920100", true},
		{"32 December", "32920100", false},
		{"day 0", "00810100", false},
		{"D-number day 0", "40810100", false},
		{"D-number day 1", "41810100", true},
		{"D-number day 31", "71810100", true},
		{"D-number day 32", "72810100", false},
		{"month 0", "01000100", false},
		{"synthetic month 0", "01800100", false},
		{"synthetic month 12", "01920100", true},
		{"synthetic month 13", "01930100", false},
		{"month + 40", "01410100", true},
		{"month 12 + 40", "01520100", true},
		{"month 13 + 40", "01530100", false},
		{"month 0 + 65", "01650100", false},
		{"month + 65", "01660100", true},
		{"month 12 + 65", "01770100", true},
		{"month 13 + 65", "01780100", false},
		{"31 April + 65", "31690100", false},
		{"D-number, month + 65", "41660100", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tried := 0
			for last := range 10 {
				s := withCheckDigits(t, fmt.Sprintf("%s%d", tt.prefix, last))
				if s == "" {
					continue
				}
				tried++
				p, err := norway.ParsePID(s)
				if tt.valid {
					require.NoError(t, err)
					require.True(t, p.IsSynthetic())
				} else {
					require.ErrorContains(t, err, "date of birth")
				}
			}
			require.Positive(t, tried)
		})
	}
}

// Every way to print, log and marshal: the number itself, a pointer, collections, exported and unexported fields.
func TestPIDIsRedacted(t *testing.T) {
	t.Parallel()
	p, err := norway.ParsePID(pid)
	require.NoError(t, err)
	type private struct{ p norway.PID }
	values := map[string]any{
		"value": p, "pointer": &p, "slice": []norway.PID{p}, "array": [1]norway.PID{p},
		"map value": map[string]norway.PID{"a": p}, "map key": map[norway.PID]string{p: "a"},
		"field": struct{ P norway.PID }{p}, "private field": private{p}, "pointer to private": &private{p},
		"private slice": struct{ p []norway.PID }{[]norway.PID{p}}, "private pointer": struct{ p *norway.PID }{&p},
		"error": fmt.Errorf("user: %w", fmt.Errorf("%v", p)),
	}
	for name, v := range values {
		for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
			for _, flags := range []string{"", "+", "#", "-30", "030.20", " "} {
				requireHidden(t, fmt.Sprintf("%"+flags+string(verb), v), name)
			}
		}
		requireHidden(t, fmt.Sprint(v), name)
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).With("a", v).WithGroup("g").Info("m", "b", v)
			requireHidden(t, b.String(), name)
		}
		if data, err := json.Marshal(v); err == nil {
			requireHidden(t, string(data), name)
		}
		if data, err := xml.Marshal(v); err == nil {
			requireHidden(t, string(data), name)
		}
	}
	for name, v := range map[string]any{
		"value": p, "zero": norway.PID{}, "pointer": &p, "field": struct{ P norway.PID }{p}, "map value": map[string]norway.PID{"a": p},
		"map key": map[norway.PID]string{p: "a"}, "text": struct{ P encoding.TextMarshaler }{p},
	} {
		_, err := json.Marshal(v)
		require.ErrorContains(t, err, "use Reveal", name)
	}
	_, err = xml.Marshal(p)
	require.ErrorContains(t, err, "use Reveal")
	require.Equal(t, "REDACTED REDACTED REDACTED", fmt.Sprintf("%v %s %#v", p, p, p))
	require.Equal(t, "REDACTED REDACTED REDACTED", fmt.Sprintf("%d %x %q", p, p, p))
	require.Equal(t, "REDACTED", p.String())
}

// leaks are six consecutive digits, and the number in hexadecimal.
var leaks = func() []string {
	l := []string{fmt.Sprintf("%x", pid), fmt.Sprintf("%X", pid)}
	for i := range len(pid) - 5 {
		l = append(l, pid[i:i+6])
	}
	return l
}()

func requireHidden(t *testing.T, s, name string) {
	t.Helper()
	for _, leak := range leaks {
		if strings.Contains(s, leak) {
			t.Fatalf("%s: %q holds %q", name, s, leak)
		}
	}
}

func TestPIDCompares(t *testing.T) {
	t.Parallel()
	a, err := norway.ParsePID(pid)
	require.NoError(t, err)
	b, err := norway.ParsePID(strings.Clone(pid))
	require.NoError(t, err)
	c, err := norway.ParsePID(dNumber)
	require.NoError(t, err)
	require.True(t, a == b)
	require.False(t, a == c)
	require.False(t, a.IsZero())

	var zero norway.PID
	require.True(t, zero.IsZero())
	require.False(t, zero.IsSynthetic())
	require.Empty(t, zero.Reveal())
	require.Equal(t, "REDACTED", fmt.Sprint(zero))
}

func TestSyntheticPID(t *testing.T) {
	t.Parallel()
	for _, year := range []int{1854, 1899, 1900, 1939, 1940, 1953, 1954, 1999, 2000, 2039} {
		birth := time.Date(year, time.February, 28, 23, 0, 0, 0, time.UTC)
		seen := map[norway.PID]bool{}
		for serial := 0; ; serial++ {
			p, err := norway.SyntheticPID(birth, serial)
			if err != nil {
				break
			}
			parsed, err := norway.ParsePID(p.Reveal())
			require.NoError(t, err)
			require.Equal(t, p, parsed)
			require.True(t, p.IsSynthetic())
			require.Equal(t, fmt.Sprintf("2882%02d", year%100), p.Reveal()[:6])
			require.False(t, seen[p])
			seen[p] = true
		}
		require.Greater(t, len(seen), 150, "year %d", year)
	}
	for name, f := range map[string]func() (norway.PID, error){
		"1853": func() (norway.PID, error) { return norway.SyntheticPID(time.Date(1853, 1, 1, 0, 0, 0, 0, time.UTC), 0) },
		"2040": func() (norway.PID, error) { return norway.SyntheticPID(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), 0) },
		"serial": func() (norway.PID, error) {
			return norway.SyntheticPID(time.Date(1994, 7, 21, 0, 0, 0, 0, time.UTC), -1)
		},
		"many": func() (norway.PID, error) {
			return norway.SyntheticPID(time.Date(1994, 7, 21, 0, 0, 0, 0, time.UTC), 1000)
		},
	} {
		p, err := f()
		require.Error(t, err, name)
		require.True(t, p.IsZero(), name)
	}
}

// The number is made here: no living person is born in 1854.
func TestNotSynthetic(t *testing.T) {
	t.Parallel()
	for individual := 500; individual < 510; individual++ {
		s := withCheckDigits(t, fmt.Sprintf("010154%03d", individual))
		if s == "" {
			continue
		}
		p, err := norway.ParsePID(s)
		require.NoError(t, err)
		require.False(t, p.IsSynthetic())
		return
	}
	t.Fatal("no number built")
}
