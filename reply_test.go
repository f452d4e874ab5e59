package portner_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

type limited struct{ error }

func (limited) Throttled() time.Duration { return 1500 * time.Millisecond }

func TestErrorReply(t *testing.T) {
	t.Parallel()
	cause := errors.New("the password of the database is hunter2")
	for name, c := range map[string]struct {
		err        error
		status     int
		code       portner.ErrorCode
		retryAfter string
	}{
		"a protocol error":   {&portner.Error{Code: portner.InvalidGrant, Err: cause}, 400, portner.InvalidGrant, ""},
		"wrapped":            {fmt.Errorf("token: %w", &portner.Error{Code: portner.InvalidScope, Err: cause}), 400, portner.InvalidScope, ""},
		"client":             {&portner.Error{Code: portner.InvalidClient, Err: cause}, 401, portner.InvalidClient, ""},
		"token":              {&portner.Error{Code: portner.InvalidToken, Err: cause}, 401, portner.InvalidToken, ""},
		"level":              {&portner.Error{Code: portner.InsufficientUserAuthentication}, 401, portner.InsufficientUserAuthentication, ""},
		"insufficient scope": {&portner.Error{Code: portner.InsufficientScope, Err: cause}, 403, portner.InsufficientScope, ""},
		"forbidden":          {&portner.Error{Code: portner.Forbidden, Err: cause}, 403, portner.Forbidden, ""},
		"a status of its own": {
			&portner.Error{Code: portner.InvalidRequest, Status: 405, Err: cause}, 405, portner.InvalidRequest, "",
		},
		"rate limit":  {&portner.Error{Code: portner.InvalidClient, Err: limited{cause}}, 429, portner.InvalidClient, "2"},
		"full store":  {fmt.Errorf("%w: %w", storage.ErrFull, cause), 503, portner.TemporarilyUnavailable, "2"},
		"unavailable": {fmt.Errorf("%w: %w", portner.ErrUnavailable, cause), 503, portner.TemporarilyUnavailable, "2"},
		"other fault": {cause, 500, portner.ServerError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := portner.ErrorReply(c.err)
			require.Equal(t, c.status, r.Status)
			h := http.Header(r.Header)
			require.Equal(t, c.retryAfter, h.Get("Retry-After"))
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "application/json", h.Get("Content-Type"))
			require.Equal(t, fmt.Sprint(len(r.Body)), h.Get("Content-Length"))
			for name := range h {
				require.Equal(t, http.CanonicalHeaderKey(name), name)
			}
			var body map[string]string
			require.NoError(t, json.Unmarshal(r.Body, &body))
			require.Equal(t, string(c.code), body["error"])
			require.NotContains(t, string(r.Body), "hunter2")
		})
	}
}

func TestErrorReplyHeader(t *testing.T) {
	t.Parallel()
	e := &portner.Error{Code: portner.InvalidClient, Header: map[string][]string{"Www-Authenticate": {`Basic realm="op"`}}}
	require.Equal(t, `Basic realm="op"`, http.Header(portner.ErrorReply(e).Header).Get("WWW-Authenticate"))
}

// What is joined with ErrUnavailable is the cause of a fault, also if it is or wraps a protocol error.
func TestIsFault(t *testing.T) {
	t.Parallel()
	protocol := &portner.Error{Code: portner.InvalidGrant, Description: "The code is not valid."}
	outage := &portner.Error{Code: portner.TemporarilyUnavailable, Err: portner.ErrUnavailable}
	for name, c := range map[string]struct {
		err   error
		fault bool
		code  portner.ErrorCode
	}{
		"protocol error":                    {protocol, false, portner.InvalidGrant},
		"wrapped":                           {fmt.Errorf("x: %w", protocol), false, portner.InvalidGrant},
		"joined with another error":         {errors.Join(errors.New("x"), protocol), false, portner.InvalidGrant},
		"protocol error of an outage":       {fmt.Errorf("x: %w", outage), false, portner.TemporarilyUnavailable},
		"other error":                       {errors.New("x"), true, portner.ServerError},
		"unavailable":                       {portner.ErrUnavailable, true, portner.TemporarilyUnavailable},
		"cause of an outage":                {fmt.Errorf("x: %w: %w", portner.ErrUnavailable, protocol), true, portner.TemporarilyUnavailable},
		"cause of an outage, wrapped":       {fmt.Errorf("y: %w", fmt.Errorf("%w: %w", portner.ErrUnavailable, protocol)), true, portner.TemporarilyUnavailable},
		"cause of an outage, wrapped twice": {fmt.Errorf("%w: %w", portner.ErrUnavailable, fmt.Errorf("x: %w", protocol)), true, portner.TemporarilyUnavailable},
		"joined outage":                     {errors.Join(protocol, portner.ErrUnavailable), true, portner.TemporarilyUnavailable},
	} {
		require.Equal(t, c.fault, portner.IsFault(c.err), name)
		require.Equal(t, c.code, portner.AsError(c.err).Code, name)
	}
	require.False(t, portner.IsFault(nil))
}
