// Package strictjson decodes configuration files. Unknown members, repeated members and values of the wrong type are errors
// with the path of the member. All problems are reported at once.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/portner-go/portner"
)

// Also lists the members that the UnmarshalJSON method of a type accepts in addition to the fields of the type. Unknown members
// of the type are then reported with those of all other objects.
type Also struct {
	Type    reflect.Type
	Members []string
}

// Decode decodes one JSON value into the struct that into points to. Its errors are [portner.FieldError] values if data is JSON.
func Decode(data []byte, into any, also ...Also) error {
	_, err := DecodeKnown(data, into, also...)
	return err
}

// DecodeKnown is Decode. decoded reports whether into has the values of the known members, also if there are unknown ones.
func DecodeKnown(data []byte, into any, also ...Also) (decoded bool, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	w := newWalker(data, also)
	if err := w.value("", reflect.TypeOf(into).Elem()); err != nil {
		return false, locate(data, w.dec.InputOffset(), err)
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return false, locate(data, w.dec.InputOffset(), errors.New("unexpected text after the value"))
	}
	problems := errors.Join(w.problems...)
	if w.others {
		return false, problems
	}
	if err := json.Unmarshal(w.kept(), into); err != nil {
		return false, errors.Join(problems, err)
	}
	return true, problems
}

func locate(data []byte, offset int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of the file")
	}
	offset = min(offset, int64(len(data)))
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	return fmt.Errorf("line %d: %w", line, err)
}

// walker compares the members of a document with the fields of a type.
type walker struct {
	dec      *json.Decoder
	data     []byte // what dec reads
	base     int64  // offset of data in the document
	also     map[reflect.Type][]string
	problems []error
	others   bool   // some of the problems are no unknown members
	remove   []span // unknown members, each with a comma
}

// span is a part of a document.
type span struct{ from, to int64 }

func newWalker(data []byte, also []Also) *walker {
	w := &walker{dec: json.NewDecoder(bytes.NewReader(data)), data: data, also: map[reflect.Type][]string{}}
	w.dec.UseNumber()
	for _, a := range also {
		w.also[a.Type] = a.Members
	}
	return w
}

// add records a problem other than an unknown member.
func (w *walker) add(path, format string, args ...any) {
	w.others = true
	w.report(path, format, args...)
}

func (w *walker) report(path, format string, args ...any) {
	if path == "" {
		path = "the file"
	}
	w.problems = append(w.problems, &portner.FieldError{Field: path, Err: fmt.Errorf(format, args...)})
}

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	rawMessage  = reflect.TypeFor[json.RawMessage]()
)

func (w *walker) value(path string, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && t != rawMessage && reflect.PointerTo(t).Implements(unmarshaler) {
		return w.ownDecoder(path, t)
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	if kind := mismatch(tok, t); kind != "" {
		w.add(path, "must be %s", kind)
		t = nil // the members inside have no types to compare with
	}
	switch tok {
	case json.Delim('{'):
		return w.object(path, t)
	case json.Delim('['):
		return w.array(path, t)
	}
	return nil
}

// mismatch returns the kind of value that t requires, or "" if a value of t can begin with tok.
func mismatch(tok json.Token, t reflect.Type) string {
	if t == nil || t == rawMessage {
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		if _, ok := tok.(string); !ok {
			return "a string"
		}
	case reflect.Bool:
		if _, ok := tok.(bool); !ok {
			return "a boolean"
		}
	case reflect.Int:
		n, ok := tok.(json.Number)
		if _, err := n.Int64(); !ok || err != nil {
			return "an integer"
		}
	case reflect.Slice:
		if tok != json.Delim('[') {
			return "a list"
		}
	case reflect.Struct, reflect.Map:
		if tok != json.Delim('{') {
			return "an object"
		}
	}
	return ""
}

// ownDecoder decodes a value whose type has an UnmarshalJSON method, and adds the path of the value to its errors. The names of
// the members are compared first, because the method of some types reports the first unknown member only.
func (w *walker) ownDecoder(path string, t reflect.Type) error {
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return err
	}
	if more, ok := w.also[t]; ok && bytes.HasPrefix(raw, []byte("{")) {
		fields, _ := members(t)
		for name := range fields {
			fields[name] = nil // UnmarshalJSON checks the values
		}
		for _, name := range more {
			fields[name] = nil
		}
		inner := newWalker(raw, nil)
		inner.base = w.base + w.dec.InputOffset() - int64(len(raw))
		if _, err := inner.dec.Token(); err != nil {
			return err
		}
		if err := inner.compare(path, fields, false); err != nil {
			return err
		}
		w.problems, w.remove, w.others = append(w.problems, inner.problems...), append(w.remove, inner.remove...), w.others || inner.others
		if inner.others {
			return nil
		}
		raw = inner.kept()
	}
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if found := portner.FieldErrors(err); len(found) > 0 {
		for _, e := range found {
			w.add(path+"."+e.Field, "%s", e.Err)
		}
	} else if err != nil {
		w.add(path, "%s", strings.ReplaceAll(err.Error(), "json: ", ""))
	}
	return nil
}

func (w *walker) array(path string, t reflect.Type) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		if err := w.value(fmt.Sprintf("%s[%d]", path, i), elem); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) object(path string, t reflect.Type) error {
	fields, open := members(t)
	return w.compare(path, fields, open)
}

// compare reads the members of an object up to its end and compares their names with fields.
func (w *walker) compare(path string, fields map[string]reflect.Type, open bool) error {
	seen := map[string]bool{}
	first := true // no member before this one is kept
	for w.dec.More() {
		start := w.dec.InputOffset()
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, end := tok.(string), w.dec.InputOffset()
		at := strings.TrimPrefix(path+"."+name, ".")
		if seen[name] {
			w.add(at, "is given twice")
		}
		seen[name] = true
		ft, known := fields[name]
		if !known && !open {
			w.report(at, "is an unknown member%s", suggestion(name, fields))
		}
		if err := w.value(at, ft); err != nil {
			return err
		}
		switch {
		case !known && !open:
			w.drop(start, w.dec.InputOffset())
		case first:
			if comma := bytes.IndexAny(w.data[start:end], `,"`); w.data[start+int64(comma)] == ',' { // those before it are dropped
				w.drop(start, start+int64(comma)+1)
			}
			first = false
		}
	}
	_, err := w.dec.Token()
	return err
}

// drop records a part of the document that is not decoded.
func (w *walker) drop(from, to int64) { w.remove = append(w.remove, span{w.base + from, w.base + to}) }

// kept returns the document without what is dropped.
func (w *walker) kept() []byte {
	kept := bytes.Clone(w.data)
	for _, r := range w.remove {
		for i := r.from; i < r.to; i++ {
			kept[i-w.base] = ' '
		}
	}
	return kept
}

// members returns the JSON members of a struct type. open reports that any member is allowed, as in a map.
func members(t reflect.Type) (fields map[string]reflect.Type, open bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, true
	}
	fields = map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch tag {
		case "-":
		case "":
			fields[f.Name] = f.Type
		default:
			fields[tag] = f.Type
		}
	}
	return fields, false
}

// suggestion returns a hint with the field that name probably means.
func suggestion(name string, fields map[string]reflect.Type) string {
	if meant := Meant(name, slices.Sorted(maps.Keys(fields))); meant != "" {
		return fmt.Sprintf(" (did you mean %q?)", meant)
	}
	return ""
}

// Meant returns the known name that name probably means, or "": the two differ in case, punctuation, a plural s, or by one typing error.
func Meant(name string, known []string) string {
	plain := func(s string) string {
		return strings.TrimSuffix(strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)), "s")
	}
	for _, f := range known {
		if plain(f) == plain(name) || len(name) > 2 && oneEditApart(f, name) {
			return f
		}
	}
	return ""
}

// oneEditApart reports whether a and b differ by one byte inserted, deleted or replaced, or by two adjacent bytes swapped.
func oneEditApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 1:
		return a[i:] == b[i+1:]
	case 0:
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return i == len(a) || a[i+1:] == b[i+1:] || swapped
	}
	return false
}
