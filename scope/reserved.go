package scope

// The scopes with a meaning of their own (idporten section 12.4). They belong to no API.
const (
	// OpenID asks for a login with an id_token. Built in.
	OpenID = "openid"
	// Profile makes the access token usable at UserInfo. Built in; a record replaces it.
	Profile = "profile"
	// Introspection is the right of a client to introspect tokens. Built in: the operator
	// gives it by listing it in the client's scopes.
	Introspection = "idporten:token.introspection"

	// Email, Address, Phone and OfflineAccess are OpenID Connect's. They exist if the source
	// has a record of them: see [StandardScopes].
	Email         = "email"
	Address       = "address"
	Phone         = "phone"
	OfflineAccess = "offline_access"

	// NoPID is the retired wish for a pseudonymous login. It is understood with
	// Request.AllowNoPID and never part of what is granted.
	NoPID = "no_pid"
)

// Reserved reports whether a scope belongs to no API: those above and ID-porten's retired
// "eidas" and "tokeninfo". Reserved scopes do not count where a rule speaks of every scope of a
// token, as for introspection.
func Reserved(name string) bool {
	switch name {
	case OpenID, Profile, Introspection, Email, Address, Phone, OfflineAccess, NoPID, "eidas", "tokeninfo":
		return true
	}
	return false
}

// loginOnly reports whether a scope is about the login itself, so that a grant with nothing else
// dies at logout (idporten section 15.2). Offline access is meant to outlive it (OpenID
// Connect Back-Channel Logout 1.0 section 2.7).
func loginOnly(name string) bool { return name != OfflineAccess && Reserved(name) }

// StandardScopes returns records of email, address, phone and offline_access (OpenID Connect
// Core 1.0 sections 5.4 and 11), open to every client that registers them. An OpenID Connect
// provider adds them to its own records; ID-porten has none of them. Change what you like, for
// instance RequiresUserConsent.
func StandardScopes() []Scope {
	return []Scope{
		{Name: Email, Description: "E-postadressen din", AccessibleForAll: true, Descriptions: map[string]string{
			"nn": "E-postadressa di", "en": "Your email address", "se": "Du e-poastačujuhus",
		}},
		{Name: Address, Description: "Adressen din", AccessibleForAll: true, Descriptions: map[string]string{
			"nn": "Adressa di", "en": "Your address", "se": "Du čujuhus",
		}},
		{Name: Phone, Description: "Telefonnummeret ditt", AccessibleForAll: true, Descriptions: map[string]string{
			"nn": "Telefonnummeret ditt", "en": "Your telephone number", "se": "Du telefonnummir",
		}},
		{Name: OfflineAccess, Description: "Tilgang også når du ikke er logget inn", AccessibleForAll: true, Descriptions: map[string]string{
			"nn": "Tilgang òg når du ikkje er logga inn", "en": "Access also when you are not logged in",
		}},
	}
}

var (
	login = []string{"", "idporten", "api_klient", "ansattporten"} // integration types of people

	builtinOpenID = &Scope{
		Name: OpenID, AccessibleForAll: true, AllowedIntegrationTypes: login,
		Description: "Innlogging", Descriptions: map[string]string{"nn": "Innlogging", "en": "Login"},
	}
	builtinProfile = &Scope{
		Name: Profile, AccessibleForAll: true, AllowedIntegrationTypes: login,
		Description: "Profilen din", Descriptions: map[string]string{"nn": "Profilen din", "en": "Your profile"},
	}
	builtinIntrospection = &Scope{
		Name: Introspection, Prefix: "idporten", Subscope: "token.introspection",
		AccessibleForAll: true, Visibility: VisibilityInternal, Description: "Oppslag av token",
	}
)

// find returns the record of a scope. What is built in cannot be replaced by a source, but for
// profile, which a provider may want to ask consent for.
func find(src Source, name string) *Scope {
	switch name {
	case OpenID:
		return builtinOpenID
	case Introspection:
		return builtinIntrospection
	case NoPID:
		return nil
	}
	if src != nil {
		if s := src.Scope(name); s != nil {
			return s
		}
	}
	if name == Profile {
		return builtinProfile
	}
	return nil
}
