package demo

import _ "math/rand/v2"
