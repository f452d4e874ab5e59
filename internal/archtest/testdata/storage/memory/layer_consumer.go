package memory

import _ "github.com/portner-go/portner/session"
