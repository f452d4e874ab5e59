// Package changes keeps what an administrator changed in the configuration of a stand-in: entries of its lists, such as clients and users.
// The changes are kept beside the configuration file, which is never written, and are merged into it before it is decoded and validated:
// an entry that was changed passes the checks of one in the file.
package changes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// List is a list of a configuration whose entries can be changed.
type List struct {
	Member string // of the configuration, such as clients
	// Key returns the key of an entry, or "" for an entry without one. Two entries of a list have different keys.
	Key func(Entry) string
}

// Entry is an entry of a list. Its members are not decoded.
type Entry map[string]json.RawMessage

// ParseEntry decodes the members of an entry.
func ParseEntry(text []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(text, &e); err != nil || e == nil {
		return nil, fmt.Errorf("must be a JSON object")
	}
	return e, nil
}

// Text returns a member that is a string, or "".
func (e Entry) Text(member string) (text string) {
	if json.Unmarshal(e[member], &text) != nil {
		return ""
	}
	return text
}

// By returns the Key of a list whose entries differ in the values of these members: strings or numbers, which are separated by spaces.
func By(members ...string) func(Entry) string {
	return func(e Entry) string {
		var key string
		for i, member := range members {
			value := e.Text(member)
			var number json.Number
			if value == "" && json.Unmarshal(e[member], &number) == nil {
				value = number.String()
			}
			if value == "" {
				return ""
			}
			if i > 0 {
				key += " "
			}
			key += value
		}
		return key
	}
}

// ScopeName is the Key of scopes: name, or prefix and subscope.
func ScopeName(e Entry) string {
	if name := e.Text("name"); name != "" {
		return name
	}
	if e.Text("prefix") == "" || e.Text("subscope") == "" {
		return ""
	}
	return e.Text("prefix") + ":" + e.Text("subscope")
}

// Changes are the changed entries, by list and key. A nil entry was removed. The zero value has none. It must not change while it is in use:
// With and Without return copies.
type Changes map[string]map[string]json.RawMessage

// Len returns the number of changed entries.
func (c Changes) Len() (n int) {
	for _, list := range c {
		n += len(list)
	}
	return n
}

// With returns c with an entry. A nil entry removes the one in the file.
func (c Changes) With(list, key string, entry json.RawMessage) Changes {
	next := c.copyOf(list)
	next[list][key] = entry
	return next
}

// Without returns c without the change of an entry: what the file has applies again.
func (c Changes) Without(list, key string) Changes {
	next := c.copyOf(list)
	delete(next[list], key)
	return next
}

func (c Changes) copyOf(list string) Changes {
	next := maps.Clone(c)
	if next == nil {
		next = Changes{}
	}
	next[list] = maps.Clone(next[list])
	if next[list] == nil {
		next[list] = map[string]json.RawMessage{}
	}
	return next
}

// Merge returns a configuration file with the changes: a changed entry is at the place that it has in the file, and a new one at the end of
// its list, in the order of the keys. The file is valid JSON without repeated members and without a byte order mark; "" is an empty one. Lists that are not among lists stay.
func (c Changes) Merge(file []byte, lists []List) ([]byte, error) {
	if c.Len() == 0 {
		return file, nil
	}
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(file)) > 0 {
		if err := json.Unmarshal(file, &members); err != nil {
			return nil, err
		}
	}
	for _, list := range lists {
		if len(c[list.Member]) == 0 {
			continue
		}
		merged, err := c.mergeList(members[list.Member], list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list.Member, err)
		}
		if members[list.Member], err = json.Marshal(merged); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members)
}

func (c Changes) mergeList(text json.RawMessage, list List) ([]json.RawMessage, error) {
	var entries []json.RawMessage
	if len(text) > 0 {
		if err := json.Unmarshal(text, &entries); err != nil {
			return nil, fmt.Errorf("must be a list")
		}
	}
	changed := c[list.Member]
	merged := []json.RawMessage{}
	seen := map[string]bool{}
	for _, text := range entries {
		var key string
		if e, err := ParseEntry(text); err == nil {
			key = list.Key(e)
		}
		entry, ok := changed[key]
		switch {
		case key == "" || !ok:
			merged = append(merged, text)
		case entry != nil && !seen[key]:
			merged = append(merged, entry)
		}
		seen[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		if entry := changed[key]; entry != nil && !seen[key] {
			merged = append(merged, entry)
		}
	}
	return merged, nil
}
