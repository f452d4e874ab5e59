package acr

// Fields is documented.
type Fields struct {
	// Documented has a comment.
	Documented int

	Bare int
}
