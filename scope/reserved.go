package scope

// Reserved scopes have a meaning of their own and belong to no API.
const (
	// OpenID requests an id_token. It is built in.
	OpenID = "openid"
	// Profile gives access to the UserInfo endpoint. It is built in; a record replaces it.
	Profile = "profile"
	// Introspection permits a client to introspect tokens. It is built in: add it to the registered scopes of the client.
	Introspection = "idporten:token.introspection"

	// Email, Address, Phone and OfflineAccess are scopes of OpenID Connect. They exist if the source has records of them: see
	// [StandardScopes].
	Email         = "email"
	Address       = "address"
	Phone         = "phone"
	OfflineAccess = "offline_access"

	// NoPID is a retired scope of ID-porten that requests a pseudonymous login. It is accepted with Request.AllowNoPID and is
	// never granted.
	NoPID = "no_pid"
	// TokenInfo is the name that Introspection had at ID-porten. It is never granted.
	TokenInfo = "tokeninfo"
)

// Reserved reports whether name is a reserved scope: one of the constants above, or "eidas", which ID-porten retired. Rules about every
// scope of a token, such as those of introspection, skip reserved scopes.
func Reserved(name string) bool {
	switch name {
	case OpenID, Profile, Introspection, Email, Address, Phone, OfflineAccess, NoPID, TokenInfo, "eidas":
		return true
	}
	return false
}

// loginOnly reports whether a scope concerns the login itself: a grant with only such scopes ends at logout. A grant with
// offline_access does not (OIDC Back-Channel Logout §2.7).
func loginOnly(name string) bool { return name != OfflineAccess && Reserved(name) }

// StandardScopes returns records of email, address, phone and offline_access (OIDC Core §5.4 and §11) for every client that
// registers them. A provider of OpenID Connect adds them to its own records and may change them, for instance set
// RequiresUserConsent. ID-porten does not support these scopes.
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

// Scopes of ID-porten's own APIs. They exist if the source has records of them: see [IDPortenScopes].
const (
	Authorizations = "idporten:authorizations" // lists and ends authorizations
	LoginHistory   = "idporten:user.log.read"  // lists logins
)

// IDPortenScopes returns records of the scopes of ID-porten's own APIs, for every client of type api_klient or maskinporten that registers
// them. Their visibility is internal: the operator registers them on request.
func IDPortenScopes() []Scope {
	types := []string{"api_klient", "maskinporten"}
	return []Scope{
		{
			Name: Authorizations, AccessibleForAll: true, Visibility: VisibilityInternal, AllowedIntegrationTypes: types,
			Description: "Se og avslutte tilgangene dine", Descriptions: map[string]string{
				"nn": "Sjå og avslutte tilgangane dine", "en": "See and end your authorizations",
			},
		},
		{
			Name: LoginHistory, AccessibleForAll: true, Visibility: VisibilityInternal, AllowedIntegrationTypes: types[:1],
			Description: "Se innloggingene dine", Descriptions: map[string]string{"nn": "Sjå innloggingane dine", "en": "See your logins"},
		},
	}
}

var (
	loginTypes = []string{"", "idporten", "api_klient", "ansattporten"} // integration types of clients that log users in

	builtinOpenID = &Scope{
		Name: OpenID, AccessibleForAll: true, AllowedIntegrationTypes: loginTypes,
		Description: "Innlogging", Descriptions: map[string]string{"nn": "Innlogging", "en": "Login"},
	}
	builtinProfile = &Scope{
		Name: Profile, AccessibleForAll: true, AllowedIntegrationTypes: loginTypes,
		Description: "Profilen din", Descriptions: map[string]string{"nn": "Profilen din", "en": "Your profile"},
	}
	builtinIntrospection = &Scope{
		Name: Introspection, Prefix: "idporten", Subscope: "token.introspection",
		AccessibleForAll: true, Visibility: VisibilityInternal, Description: "Oppslag av token",
	}
)

// find returns the record of a scope, nil if there is none. A source can replace the built-in record of profile, for instance
// to require consent, but no other built-in record.
func find(src Source, name string) *Scope {
	switch name {
	case OpenID:
		return builtinOpenID
	case Introspection:
		return builtinIntrospection
	case NoPID, TokenInfo:
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
