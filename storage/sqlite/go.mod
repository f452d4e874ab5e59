module github.com/portner-go/portner/storage/sqlite

go 1.26.0

replace github.com/portner-go/portner => ../..
