package norway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unique"
)

const redacted = "REDACTED"

// ErrPID is wrapped by the errors of [ParsePID] and [UncheckedPID]. No error contains a digit of the number.
var ErrPID = errors.New("norway: not a national identity number")

var (
	errPIDForm  = fmt.Errorf("%w: eleven digits are required", ErrPID)
	errPIDDate  = fmt.Errorf("%w: invalid date of birth", ErrPID)
	errPIDCheck = fmt.Errorf("%w: wrong check digits", ErrPID)

	errMarshal = errors.New("norway: a PID is not marshalled: use Reveal")
)

// PID is a national identity number (fødselsnummer or D-number). It shows REDACTED when it is printed or logged, and cannot be
// marshalled. PIDs are comparable with ==. The zero value is no number.
//
// The fmt package prints unexported fields without calling their methods. The digits are behind a pointer, so that a struct
// with an unexported PID prints an address.
type PID struct{ digits unique.Handle[string] }

// ParsePID parses eleven digits and validates the date of birth and both check digits. It accepts fødselsnummer, D-numbers (day
// + 40) and synthetic numbers (month + 40, + 65 or + 80).
func ParsePID(s string) (PID, error) {
	d, ok := digits(s, pidLength)
	if !ok {
		return PID{}, errPIDForm
	}
	if !validBirth(d) {
		return PID{}, errPIDDate
	}
	k1, k2, ok := pidCheckDigits(d)
	if !ok || d[9] != k1 || d[10] != k2 {
		return PID{}, errPIDCheck
	}
	return PID{unique.Make(s)}, nil
}

// UncheckedPID parses eleven digits and validates neither date nor check digits. It is for numbers that another party asserts and the caller only
// forwards, such as the pid in a JWT grant of Maskinporten. Do not use it to identify a user.
func UncheckedPID(s string) (PID, error) {
	if _, ok := digits(s, pidLength); !ok {
		return PID{}, errPIDForm
	}
	return PID{unique.Make(s)}, nil
}

// SyntheticPID returns the valid synthetic number (month + 80) with the index serial among those for a date of birth. A date has
// about 200 numbers before 1900, and 410 to 500 from 1900. SyntheticPID returns an error if there is no number with this index,
// and for a date before 1854 or after 2039.
func SyntheticPID(birth time.Time, serial int) (PID, error) {
	year, month, day := birth.Date()
	left := serial
	for individual := 0; individual < 1000 && serial >= 0; individual++ {
		if c, ok := century(individual, year%100); !ok || c+year%100 != year {
			continue
		}
		d := pidDigits(day, int(month)+syntheticMonth, year%100, individual)
		var ok bool
		if d[9], d[10], ok = pidCheckDigits(d); !ok {
			continue
		}
		if left == 0 {
			return PID{unique.Make(text(d))}, nil
		}
		left--
	}
	return PID{}, fmt.Errorf("norway: no synthetic number %d for a birth in the year %d", serial, year)
}

// Reveal returns the eleven digits, "" for the zero value.
func (p PID) Reveal() string {
	if p.IsZero() {
		return ""
	}
	return p.digits.Value()
}

// IsZero reports whether p is no number.
func (p PID) IsZero() bool { return p == PID{} }

// IsSynthetic reports whether the number belongs to a test population: 40, 65 or 80 is added to the month. A login page for tests,
// which accepts any number without authentication, must reject other numbers.
func (p PID) IsSynthetic() bool {
	if p.IsZero() {
		return false
	}
	d, _ := digits(p.digits.Value(), pidLength)
	return syntheticOffset(10*d[2]+d[3]) != 0
}

// Format writes "REDACTED" for every verb, %x included.
func (PID) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns "REDACTED".
func (PID) String() string { return redacted }

// LogValue returns "REDACTED".
func (PID) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns an error: write the digits with Reveal.
func (PID) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error: write the digits with Reveal.
func (PID) MarshalJSON() ([]byte, error) { return nil, errMarshal }

const (
	pidLength      = 11
	dNumberDay     = 40 // added to the day of a D-number
	syntheticMonth = 80 // added to the month by SyntheticPID
)

// syntheticOffset returns what is added to the month of a synthetic number, 0 for other numbers.
func syntheticOffset(month int) int {
	for _, offset := range [...]int{40, 65, 80} {
		if month > offset && month <= offset+12 {
			return offset
		}
	}
	return 0
}

// validBirth reports whether the first six digits are a date. The individual number (digits seven to nine) determines the
// century.
func validBirth(d [pidLength]int) bool {
	day, month, year := 10*d[0]+d[1], 10*d[2]+d[3], 10*d[4]+d[5]
	if day > dNumberDay {
		day -= dNumberDay
	}
	month -= syntheticOffset(month)
	c, ok := century(100*d[6]+10*d[7]+d[8], year)
	if !ok || month < 1 || month > 12 || day < 1 {
		return false
	}
	// Day 0 of the next month is the last day of this month.
	return day <= time.Date(c+year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// century returns the century of birth for an individual number and the last two digits of the year.
func century(individual, year int) (int, bool) {
	switch {
	case individual < 500:
		return 1900, true
	case individual < 750 && year >= 54:
		return 1800, true
	case year < 40:
		return 2000, true
	case individual >= 900:
		return 1900, true
	}
	return 0, false
}

// pidCheckDigits returns the two modulus 11 check digits for the first nine digits. It reports false if there are none; such
// numbers are not assigned.
func pidCheckDigits(d [pidLength]int) (k1, k2 int, ok bool) {
	k1, ok1 := mod11(d[:9], 3, 7, 6, 1, 8, 9, 4, 5, 2)
	d[9] = k1
	k2, ok2 := mod11(d[:10], 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
	return k1, k2, ok1 && ok2
}

// mod11 returns the weighted modulus 11 check digit. It reports false if it would be 10.
func mod11(digits []int, weights ...int) (int, bool) {
	sum := 0
	for i, w := range weights {
		sum += w * digits[i]
	}
	k := (11 - sum%11) % 11
	return k, k != 10
}

// pidDigits returns the digits of a number, with zeros for the check digits.
func pidDigits(day, month, year, individual int) [pidLength]int {
	return [pidLength]int{
		day / 10, day % 10, month / 10, month % 10, year / 10, year % 10,
		individual / 100, individual / 10 % 10, individual % 10,
	}
}

func text(d [pidLength]int) string {
	var b [pidLength]byte
	for i, n := range d {
		b[i] = '0' + byte(n)
	}
	return string(b[:])
}

// digits parses n ASCII digits, n at most eleven.
func digits(s string, n int) (d [pidLength]int, ok bool) {
	if len(s) != n {
		return d, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return d, false
		}
		d[i] = int(s[i] - '0')
	}
	return d, true
}
