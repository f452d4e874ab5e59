module github.com/portner-go/portner/examples

go 1.26.0

require github.com/portner-go/portner v0.0.0

replace github.com/portner-go/portner => ..
