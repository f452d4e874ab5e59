// Package seal breaks one rule in each file.
package seal

import _ "github.com/portner-go/portner/session"
