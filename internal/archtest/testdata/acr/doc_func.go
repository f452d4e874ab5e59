package acr

func Bare() {}
