module github.com/portner-go/portner/reliability

go 1.26.0

replace github.com/portner-go/portner => ..
