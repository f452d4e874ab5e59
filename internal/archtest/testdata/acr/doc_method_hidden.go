package acr

type helper struct{}

func (helper) Bare() {}
