package keyset

// Interface has a method.
type Interface interface {
	// Method is ruling R3.
	Method()
}
