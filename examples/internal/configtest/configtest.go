// Package configtest compares the configuration of a stand-in with its documents: the JSON Schema, the example file and the guide
// in docs/.
package configtest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/scope"
)

// Schema is the JSON Schema of a configuration.
type Schema struct {
	root     Node
	compiled *jsonschema.Schema
}

// Node is an object of the text of a schema.
type Node map[string]any

// Child returns the object with a path below n, such as "properties", "users". It returns nil if there is none.
func (n Node) Child(path ...string) Node {
	for _, name := range path {
		child, _ := n[name].(map[string]any)
		n = child
	}
	return n
}

// Load compiles the schema of a stand-in and validates it with its meta-schema.
func Load(t *testing.T, name string) *Schema {
	t.Helper()
	file := "../../docs/" + name + "-config.schema.json"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	compiled, err := c.Compile(file)
	must(t, err)
	if compiled.DraftVersion != 2020 {
		t.Errorf("%s: draft %d, want 2020", file, compiled.DraftVersion)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	s := &Schema{compiled: compiled}
	must(t, json.Unmarshal(text, &s.root))
	return s
}

// Validate validates a configuration.
func (s *Schema) Validate(t *testing.T, document string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	must(t, err)
	return s.compiled.Validate(value)
}

// Def returns a definition of the schema.
func (s *Schema) Def(name string) Node { return s.root.Child("$defs", name) }

// Check tests the documents of a stand-in whose configuration has the type C: the schema describes exactly the members of C, with the
// same types; the example file and the JSON blocks of the guide are valid configurations; the guide names every member.
func Check[C any](t *testing.T, name string, read func(path string) (C, error)) {
	t.Helper()
	s := Load(t, name)
	s.compare(t, "", s.root, reflect.TypeFor[C]())

	example := "../../docs/" + name + "-config.example.json"
	text, err := os.ReadFile(example)
	must(t, err)
	must(t, s.Validate(t, string(text)))
	_, err = read(example)
	must(t, err)

	guide, err := os.ReadFile("../../docs/" + name + "-config.md")
	must(t, err)
	for _, member := range slices.Sorted(maps.Keys(s.root.Child("properties"))) {
		if !strings.Contains(string(guide), "`"+member+"`") {
			t.Errorf("the guide does not mention %s", member)
		}
	}
	for _, block := range Blocks(string(guide)) {
		must(t, s.Validate(t, block))
		file := filepath.Join(t.TempDir(), "config.json")
		must(t, os.WriteFile(file, []byte(block), 0o600))
		_, err := read(file)
		must(t, err)
	}
}

// Blocks returns the JSON blocks of a Markdown document.
func Blocks(markdown string) (blocks []string) {
	for _, rest := range strings.Split(markdown, "```json\n")[1:] {
		block, _, _ := strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

func (s *Schema) compare(t *testing.T, path string, n Node, typ reflect.Type) {
	t.Helper()
	if ref, ok := n["$ref"].(string); ok {
		description := n["description"]
		n = maps.Clone(s.Def(strings.TrimPrefix(ref, "#/$defs/")))
		if description != nil {
			n["description"] = description
		}
	}
	if n["description"] == nil {
		t.Errorf("%s has no description", path)
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if n["oneOf"] == nil && n["type"] != kind(typ) {
		t.Errorf("%s: the schema has type %v, the program %s", path, n["type"], kind(typ))
	}
	switch {
	case typ.Kind() == reflect.Slice && n["type"] == "array" && typ.Elem().Kind() != reflect.String:
		s.compare(t, path+"[]", n.Child("items"), typ.Elem())
	case typ.Kind() == reflect.Struct && n["type"] == "object":
		fields := members(typ)
		if read, described := slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(n.Child("properties"))); !slices.Equal(read, described) {
			t.Errorf("%s: the program reads %v, the schema describes %v", path, read, described)
		}
		if n["additionalProperties"] != false {
			t.Errorf("%s: the schema allows unknown members", path)
		}
		for name, field := range fields {
			s.compare(t, strings.TrimPrefix(path+"."+name, "."), n.Child("properties", name), field)
		}
	}
}

// members returns the members of a struct with the types of their values.
func members(typ reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && name != "" && name != "-" {
			all[name] = f.Type
		}
	}
	switch typ {
	case reflect.TypeFor[scope.Scope]():
		for _, name := range standin.ScopeMembers {
			all[name] = reflect.TypeFor[string]()
		}
		all["active"] = reflect.TypeFor[bool]()
	case reflect.TypeFor[standin.ClientEntry]():
		for _, name := range standin.StoreMembers {
			delete(all, name)
		}
		all["active"] = reflect.TypeFor[bool]()
	}
	return all
}

// kind returns the type of the JSON value of a Go type.
func kind(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[json.RawMessage]():
		return "object"
	case typ.Kind() == reflect.Struct && typ.PkgPath() == "time":
		return "string"
	}
	return map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer",
		reflect.Slice: "array", reflect.Struct: "object", reflect.Map: "object",
	}[typ.Kind()]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
