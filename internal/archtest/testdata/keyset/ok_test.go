package keyset

// docs/threat-model.md A12: RFC 8252 §7.3.
func TestLoopback_RFC8252_7_3() {}

var fine = []string{"RFC 6749 §4.1.3", "ES256", "a name (RFC 7636)"}
