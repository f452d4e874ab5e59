package pseudonym

import "strings"

// Identifying reports whether a claim identifies a person and must go from pseudonymous tokens
// and answers: the national number, names, contact data and what is derived from them. The
// pairwise "sub" is not one.
//
// It knows OpenID Connect's standard claims (Core 1.0 section 5.1), ID-porten's, the eIDAS ones in
// all three spellings (idporten section 18.3), and common names for the same things. Case does
// not matter, nor a language tag ("name#nn") or a namespace ("https://example.no/claims/pid").
// It knows claims by name only: check the final bytes with [Leaks].
func Identifying(claim string) bool {
	name := claim
	if i := strings.IndexByte(name, '#'); i > 0 && !strings.Contains(name, "://") {
		name = name[:i]
	}
	if i := strings.LastIndexAny(name, "/#:"); i >= 0 {
		name = name[i+1:]
	}
	name = strings.ToLower(name) // allocates for names in other case only
	for _, prefix := range [...]string{"email", "e_mail", "phone", "mobile", "eidas", "birth", "address", "postal_", "street_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "pid", "fnr", "dnr", "ssn", "nin", "fodselsnummer", "personnummer", "personidentifier", "person_identifier",
		"national_id", "national_identity_number", "personal_number", "identifier-no",
		"name", "given_name", "family_name", "middle_name", "first_name", "last_name", "full_name",
		"givenname", "familyname", "middlename", "firstname", "lastname", "surname", "fullname",
		"nickname", "preferred_username", "username", "user_name", "unique_name", "upn", "login_hint",
		"profile", "picture", "website", "gender", "dateofbirth", "date_of_birth":
		return true
	}
	return false
}

// Strip deletes identifying claims in place, also from objects and lists inside others, such as
// authorization_details. Run it last, after every hook that adds claims.
func Strip(claims map[string]any) {
	for name, value := range claims {
		if Identifying(name) {
			delete(claims, name)
			continue
		}
		strip(value)
	}
}

func strip(value any) {
	switch v := value.(type) {
	case map[string]any:
		Strip(v)
	case []any:
		for _, item := range v {
			strip(item)
		}
	case []map[string]any:
		for _, item := range v {
			Strip(item)
		}
	}
}
