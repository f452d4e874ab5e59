package demo

// Config has a field without a comment, which only packages that a host imports need.
type Config struct{ Issuer string }

func New() Config { return Config{} }
