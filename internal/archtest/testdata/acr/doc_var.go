package acr

var (
	Bare = 1

	// Documented has a comment.
	Documented = 2
)
