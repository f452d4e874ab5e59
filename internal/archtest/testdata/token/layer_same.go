package token

import _ "github.com/portner-go/portner/authorize"
