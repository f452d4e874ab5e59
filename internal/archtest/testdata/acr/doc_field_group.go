package acr

// Group is documented.
type Group struct {
	Bare  int
	Other int // has a comment, which speaks for itself only
}
