package storagetest

import _ "github.com/stretchr/testify/require"
