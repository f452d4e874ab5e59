module github.com/portner-go/portner/storage/redis

go 1.26.0

replace github.com/portner-go/portner => ../..
