package fields

import (
	"errors"
	"fmt"
	"reflect"
)

// IsNil reports whether v is nil, or holds a nil pointer or a nil function. An interface that holds one is not equal to nil, and panics when
// a method is called: New functions reject it, so that no request panics. Nil maps and slices are values. Call it at construction only.
func IsNil(v any) bool {
	switch of := reflect.ValueOf(v); of.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return of.IsNil()
	}
	return false
}

// RequireValue records portner.ErrRequired for a field of an interface type, unless it has a value (IsNil).
func (c *Checker) RequireValue(v any, field string) { c.Require(!IsNil(v), field) }

// OptionalValue records a field of an interface type that is not nil, but holds a nil pointer or function.
func (c *Checker) OptionalValue(v any, field string) {
	if v != nil && IsNil(v) {
		c.Add(field, fmt.Errorf("must not hold a nil %T: leave the field nil", v))
	}
}

// Made records a pointer to the zero value of a type whose values a constructor makes, such as "session.NewVault". It accepts a nil pointer.
func (c *Checker) Made(v any, field, constructor string) {
	if of := reflect.ValueOf(v); !IsNil(v) && of.Elem().IsZero() {
		c.Add(field, errors.New("must be a value of "+constructor))
	}
}
