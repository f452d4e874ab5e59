package acr

type Bare int
