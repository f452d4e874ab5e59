package discovery

import _ "github.com/portner-go/portner/provider"
