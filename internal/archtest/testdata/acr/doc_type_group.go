package acr

// The comment of a group says nothing about a type.
type (
	Bare int
)
