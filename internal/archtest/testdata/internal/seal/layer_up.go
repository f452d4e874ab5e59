package seal

import _ "github.com/portner-go/portner/session"
