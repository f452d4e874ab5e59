package acr

// Base is documented.
type Base struct{}

func (b *Base) Bare() {}
