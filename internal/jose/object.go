package jose

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxInt is the greatest integer that Int and NumericDate return: as a time in seconds, the year 2242. A later exp would keep an entry of a
// replay cache for centuries.
const MaxInt = 1 << 33

// Object is a JSON object. Names are case-sensitive. ParseObject rejects objects that two parsers could read differently.
//
// Methods return ErrAbsent for absent members and ErrType for members of another type. null is a type of its own.
type Object struct{ members []member }

type member struct{ name, raw string }

// Kind is the JSON type of a member.
type Kind byte

// The kinds. Absent is the zero value.
const (
	Absent Kind = iota
	KindString
	KindNumber
	KindBool
	KindNull
	KindArray
	KindObject
)

// ParseObject parses a JSON object. At every level it rejects repeated names (also in another case, because encoding/json reads
// "ISS" as "iss"), nesting deeper than MaxDepth, lone surrogates and invalid UTF-8. Only white space may surround the
// object; a byte order mark is rejected. The caller must limit the length.
func ParseObject(data []byte) (Object, error) { return parseObject(string(data)) }

func parseObject(s string) (Object, error) {
	if !utf8.ValidString(s) {
		return Object{}, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	var sc scanner
	sc.scan(s)
	sc.space()
	o := Object{members: make([]member, 0, 8)}
	if err := sc.object(&o); err != nil {
		return Object{}, err
	}
	if sc.space(); sc.i != len(s) {
		return Object{}, fmt.Errorf("%w: data after the object", ErrMalformed)
	}
	return o, nil
}

// Len returns the number of members.
func (o Object) Len() int { return len(o.members) }

// Names returns the names of the members in their order.
func (o Object) Names() []string {
	names := make([]string, len(o.members))
	for i, m := range o.members {
		names[i] = m.name
	}
	return names
}

// Raw returns the JSON text of a member.
func (o Object) Raw(name string) (string, bool) {
	for i := range o.members {
		if o.members[i].name == name {
			return o.members[i].raw, true
		}
	}
	return "", false
}

// Has reports whether the object has the member, which may be null.
func (o Object) Has(name string) bool { return o.Kind(name) != Absent }

// Kind returns the JSON type of a member.
func (o Object) Kind(name string) Kind {
	raw, ok := o.Raw(name)
	if !ok {
		return Absent
	}
	switch raw[0] {
	case '"':
		return KindString
	case '{':
		return KindObject
	case '[':
		return KindArray
	case 't', 'f':
		return KindBool
	case 'n':
		return KindNull
	}
	return KindNumber
}

// want returns the JSON text of a member of the given kind.
func (o Object) want(name string, kind Kind) (string, error) {
	switch o.Kind(name) {
	case kind:
		raw, _ := o.Raw(name)
		return raw, nil
	case Absent:
		return "", fmt.Errorf("%w: %s", ErrAbsent, name)
	}
	return "", fmt.Errorf("%w: %s", ErrType, name)
}

// String returns a string member.
func (o Object) String(name string) (string, error) {
	raw, err := o.want(name, KindString)
	if err != nil {
		return "", err
	}
	sc := scanner{s: raw}
	return sc.text()
}

// OptionalString returns a string member, or "" if it is absent.
func (o Object) OptionalString(name string) (string, error) {
	if !o.Has(name) {
		return "", nil
	}
	return o.String(name)
}

// Int returns an integer member from 0 to MaxInt, written with digits only. It rejects 1.0, 1e3, -1 and "1", which other parsers
// accept. Times are read with NumericDate.
func (o Object) Int(name string) (int64, error) {
	raw, err := o.want(name, KindNumber)
	if err != nil {
		return 0, err
	}
	if !allDigits(raw) {
		return 0, fmt.Errorf("%w: %s is not a whole number", ErrType, name)
	}
	return bounded(name, raw, len(raw))
}

// NumericDate returns a time in whole seconds from 0 to MaxInt. RFC 7519 §2: a NumericDate is a JSON number, also with a fraction or an
// exponent. The fraction is removed, so that a token with a fraction of exp expires with the second before.
func (o Object) NumericDate(name string) (int64, error) {
	raw, err := o.want(name, KindNumber)
	if err != nil {
		return 0, err
	}
	if raw[0] == '-' {
		return 0, fmt.Errorf("%w: %s is negative", ErrType, name)
	}
	mantissa, exponent := raw, 0
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		mantissa = raw[:i]
		if exponent, err = strconv.Atoi(raw[i+1:]); err != nil || max(exponent, -exponent) > MaxToken {
			return 0, fmt.Errorf("%w: %s is out of range", ErrType, name)
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return bounded(name, whole+fraction, len(whole)+exponent)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// bounded returns the number that the first n digits denote, with zeros after the last one. It rejects numbers greater than MaxInt.
func bounded(name, digits string, n int) (int64, error) {
	var value int64
	for i := range max(n, 0) {
		var digit int64
		if i < len(digits) {
			digit = int64(digits[i] - '0')
		}
		if value = value*10 + digit; value > MaxInt {
			return 0, fmt.Errorf("%w: %s is out of range", ErrType, name)
		}
	}
	return value, nil
}

// Bool returns a boolean member.
func (o Object) Bool(name string) (bool, error) {
	raw, err := o.want(name, KindBool)
	return raw == "true", err
}

// Object returns an object member.
func (o Object) Object(name string) (Object, error) {
	raw, err := o.want(name, KindObject)
	if err != nil {
		return Object{}, err
	}
	return parseObject(raw)
}

// Strings returns a member that is an array of strings.
func (o Object) Strings(name string) ([]string, error) {
	raw, err := o.want(name, KindArray)
	if err != nil {
		return nil, err
	}
	var list []string
	err = elements(raw, func(element string) error {
		if element[0] != '"' {
			return fmt.Errorf("%w: %s has an element that is not a string", ErrType, name)
		}
		sc := scanner{s: element}
		s, err := sc.text()
		list = append(list, s)
		return err
	})
	return list, err
}

// OneString returns a member that is a string, or an array of one string.
func (o Object) OneString(name string) (string, error) {
	if o.Kind(name) != KindArray {
		return o.String(name)
	}
	list, err := o.Strings(name)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%w: %s has %d elements", ErrType, name, len(list))
	}
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// Objects returns a member that is an array of objects.
func (o Object) Objects(name string) ([]Object, error) {
	raw, err := o.want(name, KindArray)
	if err != nil {
		return nil, err
	}
	var list []Object
	err = elements(raw, func(element string) error {
		if element[0] != '{' {
			return fmt.Errorf("%w: %s has an element that is not an object", ErrType, name)
		}
		e, err := parseObject(element)
		list = append(list, e)
		return err
	})
	return list, err
}

// elements calls f for each element of a valid array.
func elements(array string, f func(string) error) error {
	sc := scanner{s: array, i: 1}
	for {
		if sc.space(); sc.peek() == ']' {
			return nil
		}
		start := sc.i
		if err := sc.value(); err != nil {
			return err
		}
		if err := f(array[start:sc.i]); err != nil {
			return err
		}
		if sc.space(); sc.peek() == ',' {
			sc.i++
		}
	}
}
