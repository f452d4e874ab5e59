package storage

import _ "github.com/portner-go/portner/internal/seal"
