package scope

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// MarshalJSON encodes the record with the property names of ID-porten. The member "active" is always present.
func (s Scope) MarshalJSON() ([]byte, error) {
	type plain Scope // without methods
	return json.Marshal(struct {
		plain
		Active bool `json:"active"`
	}{plain(s), !s.Inactive})
}

// UnmarshalJSON decodes a record. Unlike encoding/json it rejects unknown members, repeated members and members whose name
// differs in case: a misspelt requires_pseudonymous_tokens is an error. [NewRegistry] validates the values.
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
		"consent_version": &s.ConsentVersion, "active": &active, "created": &s.Created, "last_updated": &s.LastUpdated,
	}
	tagged := map[string]string{} // description#nn and the like; merged into Descriptions after all members are decoded
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
			return fmt.Errorf("unknown member%s", suggestion(name))
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

// translate merges members such as description#nn into the translations.
func (s *Scope) translate(tagged map[string]string) error {
	for name, text := range tagged {
		base, lang, _ := strings.Cut(name, "#")
		into := &s.Descriptions
		if base == "long_description" {
			into = &s.LongDescriptions
		}
		if _, ok := (*into)[lang]; ok {
			return fmt.Errorf("%s: repeated", name)
		}
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[lang] = text
	}
	return nil
}

// suggestion returns the right name for a name that the documents of ID-porten spell in two ways.
func suggestion(name string) string {
	switch name {
	case "authorization_max_age":
		return " (use authorization_max_lifetime)"
	case "allowable_integration_types":
		return " (use allowed_integration_types)"
	case "visiblity":
		return " (use visibility)"
	}
	return ""
}

// members calls visit for each member of a JSON object. A repeated name is an error. Errors contain the name of the member.
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
			return fmt.Errorf("%s: repeated", name)
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

// stringOrList decodes a string or a list of strings.
type stringOrList struct{ into *[]string }

// UnmarshalJSON implements json.Unmarshaler.
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
