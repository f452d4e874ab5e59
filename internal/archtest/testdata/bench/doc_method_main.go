package main

type helper struct{}

func (helper) Bare() {}
