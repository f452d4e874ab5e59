package norway

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unique"
)

const redacted = "REDACTED"

// ErrPID is what every error of [ParsePID] is. No error holds a digit of the number.
var ErrPID = errors.New("norway: not a national identity number")

var (
	errPIDForm  = fmt.Errorf("%w: want eleven digits", ErrPID)
	errPIDDate  = fmt.Errorf("%w: no such date of birth", ErrPID)
	errPIDCheck = fmt.Errorf("%w: wrong check digits", ErrPID)
)

// PID is a national identity number (fødselsnummer or D-number). It redacts itself wherever it is
// printed, logged or marshalled; Reveal gives the digits. PIDs are comparable with ==, and the zero
// value is no number.
//
// fmt does not call methods on unexported struct fields. The digits are therefore kept behind a
// pointer, so that a struct which holds a PID privately prints an address.
type PID struct{ digits unique.Handle[string] }

// ParsePID checks the form, the date and both check digits. It accepts fødselsnummer, D-numbers (day
// + 40) and the synthetic numbers of the test environments (month + 80).
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

// UncheckedPID takes any eleven digits: for numbers that pass through on somebody else's word, as the pid
// of a machine's grant does (maskinporten-altinn section 1.4). Nobody may take such a person for real.
func UncheckedPID(s string) (PID, error) {
	if _, ok := digits(s, pidLength); !ok {
		return PID{}, errPIDForm
	}
	return PID{unique.Make(s)}, nil
}

// SyntheticPID returns the serial-th synthetic number (counted from 0) of a person born on that date:
// the same for the same arguments, valid by every rule and never a real person's. A date has some
// 400 to 500 of them; it is an error to ask for more, or for a date before 1854 or after 2039.
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

// Reveal returns the eleven digits, "" for the zero PID.
func (p PID) Reveal() string {
	if p.IsZero() {
		return ""
	}
	return p.digits.Value()
}

// IsZero reports whether there is no number.
func (p PID) IsZero() bool { return p == PID{} }

// IsSynthetic reports whether the number belongs to no person (month + 80). A headless test login
// must insist on it.
func (p PID) IsSynthetic() bool { return !p.IsZero() && p.digits.Value()[2] >= '8' }

// Format writes "REDACTED" for every verb, %x and %p included.
func (PID) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns "REDACTED".
func (PID) String() string { return redacted }

// GoString returns "REDACTED".
func (PID) GoString() string { return redacted }

// LogValue returns "REDACTED".
func (PID) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED".
func (PID) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "REDACTED" as a string. A claim is written with Reveal, on purpose.
func (PID) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

const (
	pidLength      = 11
	dNumberDay     = 40 // added to the day of a D-number
	syntheticMonth = 80 // added to the month of a number in the test environments
)

// validBirth checks the date in the first six digits. The individual number (digits seven to nine)
// gives the century.
func validBirth(d [pidLength]int) bool {
	day, month, year := 10*d[0]+d[1], 10*d[2]+d[3], 10*d[4]+d[5]
	if day > dNumberDay {
		day -= dNumberDay
	}
	if month > syntheticMonth {
		month -= syntheticMonth
	}
	c, ok := century(100*d[6]+10*d[7]+d[8], year)
	if !ok || month < 1 || month > 12 || day < 1 {
		return false
	}
	// Day 0 of the next month is the last of this one.
	return day <= time.Date(c+year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// century tells the century of birth from the individual number and the two digits of the year.
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

// pidCheckDigits computes the two modulus 11 check digits of the first nine digits, false if there
// are none: such a number is not given to anybody.
func pidCheckDigits(d [pidLength]int) (k1, k2 int, ok bool) {
	k1, ok1 := mod11(d[:9], 3, 7, 6, 1, 8, 9, 4, 5, 2)
	d[9] = k1
	k2, ok2 := mod11(d[:10], 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
	return k1, k2, ok1 && ok2
}

// mod11 returns the check digit of digits under weights, false where it would be 10.
func mod11(digits []int, weights ...int) (int, bool) {
	sum := 0
	for i, w := range weights {
		sum += w * digits[i]
	}
	k := (11 - sum%11) % 11
	return k, k != 10
}

// pidDigits lays out a number without its check digits.
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

// digits reads s as n ASCII digits, n at most eleven.
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
