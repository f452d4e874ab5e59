package session

import _ "github.com/portner-go/portner/token"
