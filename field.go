package portner

import "errors"

// FieldError reports one invalid field of a configuration, or one invalid member of a registration or of authorization_details. The New and Parse
// functions of this module report every problem at once, as FieldErrors joined by [errors.Join]. Find one of them with
// [errors.As] and all of them with [FieldErrors].
type FieldError struct {
	// Field is the path of the field: "Issuer", "Pages.Login", "redirect_uris[1]".
	Field string
	// Err says what the value must be. It never quotes a secret.
	Err error
}

// Error returns "Field: cause".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// FieldErrors returns every FieldError in the tree of err, in order. It returns nil if there is none.
func FieldErrors(err error) []*FieldError {
	if e, ok := err.(*FieldError); ok {
		return []*FieldError{e}
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var found []*FieldError
		for _, child := range e.Unwrap() {
			found = append(found, FieldErrors(child)...)
		}
		return found
	case interface{ Unwrap() error }:
		return FieldErrors(e.Unwrap())
	}
	return nil
}

// ErrRequired is the cause of a FieldError for a field that has no value.
var ErrRequired = errors.New("is required")
