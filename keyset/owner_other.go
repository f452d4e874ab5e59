//go:build !unix

package keyset

import "io/fs"

// ownerOf returns no owner: the platform has none.
func ownerOf(fs.FileInfo) (uid int, known bool) { return 0, false }
