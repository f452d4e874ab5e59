package token

import _ "math/rand"
