package token

import _ "log"
