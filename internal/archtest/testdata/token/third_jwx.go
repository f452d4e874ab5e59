package token

import _ "github.com/lestrrat-go/jwx/v2/jwt"
