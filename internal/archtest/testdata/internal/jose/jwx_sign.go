// Package jose breaks one rule in each file.
package jose

import "github.com/lestrrat-go/jwx/v2/jws"

var _ = jws.Sign
