package token

import _ "net/http/httptest"
