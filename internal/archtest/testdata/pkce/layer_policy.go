package pkce

import _ "github.com/portner-go/portner/scope"
