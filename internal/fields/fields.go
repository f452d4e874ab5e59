// Package fields collects the problems of a configuration, so that a New function reports all of them at once.
package fields

import (
	"errors"

	"github.com/portner-go/portner"
)

// Checker collects field errors. The zero value is empty.
type Checker struct{ problems []error }

// Require records portner.ErrRequired for field unless ok.
func (c *Checker) Require(ok bool, field string) {
	if !ok {
		c.Add(field, portner.ErrRequired)
	}
}

// Want records a problem of field unless ok. The rule says what the value must be: "must be at most 600 s".
func (c *Checker) Want(ok bool, field, rule string) {
	if !ok {
		c.Add(field, errors.New(rule))
	}
}

// Add records err for field. It ignores a nil err.
func (c *Checker) Add(field string, err error) {
	if err != nil {
		c.problems = append(c.problems, &portner.FieldError{Field: field, Err: err})
	}
}

// Join records the problems of a part that was validated elsewhere. The path of each field begins with prefix, or is
// unchanged if prefix is "". An error without a FieldError is recorded for prefix itself.
func (c *Checker) Join(prefix string, err error) {
	if err == nil {
		return
	}
	found := portner.FieldErrors(err)
	if len(found) == 0 {
		c.Add(prefix, err)
		return
	}
	for _, e := range found {
		field := e.Field
		if prefix != "" {
			field = prefix + "." + field
		}
		c.problems = append(c.problems, &portner.FieldError{Field: field, Err: e.Err})
	}
}

// Secret records a secret that portner.Secret.Validate rejects.
func (c *Checker) Secret(field string, s portner.Secret) {
	if len(s) == 0 {
		c.Require(false, field)
		return
	}
	c.Add(field, s.Validate())
}

// Err returns the recorded problems joined, or nil.
func (c *Checker) Err() error { return errors.Join(c.problems...) }

// Names returns the paths of the field errors in err, in order. Tests of New functions compare them.
func Names(err error) []string {
	var names []string
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}
