package scope

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// MarshalJSON writes the record with ID-porten's property names, "active" always among them.
func (s Scope) MarshalJSON() ([]byte, error) {
	type plain Scope // without methods
	return json.Marshal(struct {
		plain
		Active bool `json:"active"`
	}{plain(s), !s.Inactive})
}

// UnmarshalJSON reads a record. encoding/json would take members in any case, the last of
// repeated ones, and ignore unknown ones: here each is an error, because a misspelt
// requires_pseudonymous_tokens must not go unnoticed. Values are checked by [NewRegistry].
func (s *Scope) UnmarshalJSON(data []byte) error {
	*s = Scope{}
	active := true
	aud := stringOrList{&s.EnforcedAudForIntrospection}
	fields := map[string]any{
		"name": &s.Name, "prefix": &s.Prefix, "subscope": &s.Subscope, "owner_orgno": &s.OwnerOrgno,
		"description": &s.Description, "long_description": &s.LongDescription,
		"descriptions": &s.Descriptions, "long_descriptions": &s.LongDescriptions,
		"visibility": &s.Visibility, "token_type": &s.TokenType,
		"at_max_age": &s.ATMaxAge, "authorization_max_lifetime": &s.AuthorizationMaxLifetime,
		"requires_user_consent":          &s.RequiresUserConsent,
		"requires_user_authentication":   &s.RequiresUserAuthentication,
		"requires_pseudonymous_tokens":   &s.RequiresPseudonymousTokens,
		"accessible_for_all":             &s.AccessibleForAll,
		"allowed_integration_types":      &s.AllowedIntegrationTypes,
		"delegation_source":              &s.DelegationSource,
		"enforced_aud_for_introspection": &aud,
		"enforced_aud_for_access_token":  &s.EnforcedAudForAccessToken,
		"protected":                      &s.Protected, "supports_european_businesses": &s.SupportsEuropeanBusinesses,
		"active": &active, "created": &s.Created, "last_updated": &s.LastUpdated,
	}
	tagged := map[string]string{} // description#nn: kept apart until descriptions has been read
	err := members(data, func(name string, value json.RawMessage) error {
		if base, _, ok := strings.Cut(name, "#"); ok && (base == "description" || base == "long_description") {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
			tagged[name] = text
			return nil
		}
		field, ok := fields[name]
		if !ok {
			return fmt.Errorf("unknown member%s", hint(name))
		}
		return json.Unmarshal(value, field)
	})
	if err == nil {
		err = s.translate(tagged)
	}
	if err != nil {
		return fmt.Errorf("scope %q: %w", s.Name, err)
	}
	s.Inactive = !active
	return nil
}

// translate adds description#nn and the like to the translations.
func (s *Scope) translate(tagged map[string]string) error {
	for name, text := range tagged {
		base, lang, _ := strings.Cut(name, "#")
		into := &s.Descriptions
		if base == "long_description" {
			into = &s.LongDescriptions
		}
		if _, ok := (*into)[lang]; ok {
			return fmt.Errorf("%s: given twice", name)
		}
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[lang] = text
	}
	return nil
}

// hint helps with the names that ID-porten's documents spell in two ways (idporten C23).
func hint(name string) string {
	switch name {
	case "authorization_max_age":
		return " (authorization_max_lifetime is meant)"
	case "allowable_integration_types":
		return " (allowed_integration_types is meant)"
	case "visiblity":
		return " (visibility is meant)"
	}
	return ""
}

// members walks over the members of a JSON object; a repeated name is an error. Errors name
// the member.
func members(data []byte, visit func(string, json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("%s: given twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := visit(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return err
	}
	return nil
}

// stringOrList reads ["a","b"] and "a" alike.
type stringOrList struct{ into *[]string }

func (l *stringOrList) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l.into = nil
		if one != "" {
			*l.into = []string{one}
		}
		return nil
	}
	return json.Unmarshal(data, l.into)
}
