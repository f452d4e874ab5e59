package acr

// Interface is documented.
type Interface interface {
	Bare()
}
