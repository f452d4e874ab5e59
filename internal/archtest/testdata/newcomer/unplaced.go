// Package newcomer is new.
package newcomer

import _ "github.com/portner-go/portner/session"
