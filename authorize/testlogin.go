package authorize

// TestLogin answers requests with login_hint=testid:<pid>_<acr> at once (idporten section 3.8).
type TestLogin struct{ issuer string }

// TestLoginConfig configures a TestLogin.
type TestLoginConfig struct {
	// Issuer is the provider's issuer. Its host must be a loopback name or address, or TestIssuer must
	// be set to the very same value.
	Issuer string
	// TestIssuer repeats the issuer of a test environment that is not on loopback: whoever sets it has
	// thought about it.
	TestIssuer string
}

// NewTestLogin refuses issuers that are not known to be test environments.
func NewTestLogin(cfg TestLoginConfig) (*TestLogin, error) { panic("stub") }
