package token

// Minter makes the tokens of grants.
type Minter struct{ cfg *Config }
