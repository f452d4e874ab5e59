package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/redis"
)

// TestDefaultTimeout: the default is that of the documentation, also if the other tests have a longer one.
func TestDefaultTimeout(t *testing.T) {
	t.Parallel()
	require.Equal(t, 3*time.Second, redis.DocumentedTimeout)
}
