package token

import "crypto/hmac"

var _ = hmac.Equal
