// Package history records concurrent calls of the methods of stores and decides whether some order of them explains the results: whether
// the store is linearizable. Each call takes effect at one instant between its start and its end, and its result is the one that
// provider.Store states for that order. A call whose error is no verdict of package storage may have taken effect at any time later, or
// never.
//
// Several processes can record at the same time, because an [Op] is made of texts and of instants of the clock of the machine: see [Batch].
package history

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner/storage"
)

// Op is one call of a method and its result.
type Op struct {
	Key    string   `json:"k"` // what the call is about: a kind of records, a space and a name. Calls with different keys do not concern each other
	Client string   `json:"c"` // the caller, which makes one call at a time
	Method string   `json:"m"`
	Args   []string `json:"a,omitempty"`
	Result string   `json:"r"` // a verdict and what the method returned; Unknown if the error is no verdict
	Start  int64    `json:"s"` // in nanoseconds since 1970
	End    int64    `json:"e"` // ditto
}

// Unknown is the result of a call that returned an error that is no verdict.
const Unknown = "unknown"

// Results that verdicts are recorded as.
const (
	ok       = "ok"
	notFound = "not found"
	consumed = "consumed"
	revoked  = "revoked"
	conflict = "conflict"
)

// resultOf returns the result of a call that returned nothing but an error.
func resultOf(err error) string {
	switch {
	case err == nil:
		return ok
	case errors.Is(err, storage.ErrNotFound):
		return notFound
	case errors.Is(err, storage.ErrConsumed):
		return consumed
	case errors.Is(err, storage.ErrRevoked):
		return revoked
	case errors.Is(err, storage.ErrConflict):
		return conflict
	}
	return Unknown
}

// kind is what Key begins with.
func (o *Op) kind() string {
	kind, _, _ := strings.Cut(o.Key, " ")
	return kind
}

func (o *Op) arg(i int) string { return o.Args[i] }

// reads reports whether the call changes nothing whatever its result.
func (o *Op) reads() bool {
	switch o.Method {
	case "Code", "AccessToken", "RefreshToken", "Grants", "Session", "PushedRequest":
		return true
	}
	return false
}

// line describes the call for a reader, with its times relative to zero.
func (o *Op) line(zero int64) string {
	since := func(at int64) string { return time.Duration(at - zero).Round(time.Microsecond / 10).String() }
	return fmt.Sprintf("%10s to %-10s %-6s %s(%s) = %s", since(o.Start), since(o.End), o.Client, o.Method, strings.Join(o.Args, ", "), o.Result)
}

// clock returns the time of the clock of the machine, which instants of other processes can be compared with unless it is set meanwhile. It
// does not add a monotonic duration to one reading of the clock: a process that is preempted while it reads both is off for ever.
func clock() int64 { return time.Now().UnixNano() }
