package demo

import _ "github.com/stretchr/testify/assert"
