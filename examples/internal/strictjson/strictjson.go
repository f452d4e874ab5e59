// Package strictjson reads configuration files: every unknown, repeated or ill-typed member is an error
// that names its path, and all of them are reported at once.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode reads one JSON value into the struct that into points to.
func Decode(data []byte, into any) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	w := &walker{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	if err := w.value("", reflect.TypeOf(into).Elem()); err != nil {
		return locate(data, w.dec.InputOffset(), err)
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return locate(data, w.dec.InputOffset(), errors.New("something follows the value"))
	}
	if len(w.problems) > 0 {
		return errors.Join(w.problems...)
	}
	if err := json.Unmarshal(data, into); err != nil {
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s: needs %s, has a %s", te.Field, te.Type, te.Value)
		}
		return err
	}
	return nil
}

func locate(data []byte, offset int64, err error) error {
	offset = min(offset, int64(len(data)))
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	return fmt.Errorf("line %d: %w", line, err)
}

// walker compares the members of a document with the fields of a type.
type walker struct {
	dec      *json.Decoder
	problems []error
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (w *walker) value(path string, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && t != reflect.TypeFor[json.RawMessage]() && reflect.PointerTo(t).Implements(unmarshaler) {
		return w.itself(path, t)
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		return w.object(path, t)
	case json.Delim('['):
		return w.array(path, t)
	}
	return nil
}

// itself lets a type that reads its own JSON do so, and adds the path to its complaint.
func (w *walker) itself(path string, t reflect.Type) error {
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		w.problems = append(w.problems, fmt.Errorf("%s: %w", path, err))
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
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		name := tok.(string)
		at := strings.TrimPrefix(path+"."+name, ".")
		if seen[name] {
			w.problems = append(w.problems, fmt.Errorf("%s: given twice", at))
		}
		seen[name] = true
		ft, known := fields[name]
		if !known && !open {
			w.problems = append(w.problems, fmt.Errorf("%s: unknown member%s", at, suggestion(name, fields)))
		}
		if err := w.value(at, ft); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// members returns the JSON members of a struct type; open means that any member is fine (maps, raw JSON).
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

// suggestion names the member that was probably meant: equal but for case, dashes and a plural s.
func suggestion(name string, fields map[string]reflect.Type) string {
	plain := func(s string) string {
		return strings.TrimSuffix(strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)), "s")
	}
	for f := range fields {
		if plain(f) == plain(name) {
			return fmt.Sprintf(" (did you mean %q?)", f)
		}
	}
	return ""
}
