package token

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
)

// exchange is the state of one request.
type exchange struct {
	*Endpoint
	request     client.Request
	minter      Minter
	now         time.Time
	log         audit.Log
	correlation string         // "" until it is needed
	client      *client.Client // of the request; nil until it is known
	nonce       string         // of the response, if the request had a valid proof; "" if none is required
	scheme      httpx.Scheme   // of the access token at userinfo; "" if there is none, or several
	reported    bool           // the authenticator has logged why it rejected the request
	active      bool           // the introspected token is active
	signed      bool           // the introspection response is signed
}

// begin reads the clock. It requires the whole request: a peer that holds back the body decides when reading it ends, and could use
// the time from before to redeem a code that has expired meanwhile.
func (e *Endpoint) begin(endpoint string, r client.Request) *exchange {
	now := e.cfg.Now()
	x := &exchange{
		Endpoint: e, request: r, correlation: r.CorrelationID, minter: Minter{cfg: &e.cfg, now: now}, now: now,
		log: audit.Log{Endpoint: endpoint, Logger: e.cfg.Logger, OnEvent: e.cfg.OnEvent},
	}
	if x.log.Active() { // a request that is logged has a correlation identifier
		x.request.CorrelationID = x.correlate()
	}
	return x
}

// requireMethod rejects a request whose method is not in the list, such as "GET, POST".
func (x *exchange) requireMethod(allowed string) error {
	for method := range strings.SplitSeq(allowed, ", ") {
		if method == x.request.Method {
			return nil
		}
	}
	e := httpx.MethodError(allowed)
	e.Err = &cause{Event: portner.EventRefused, Reason: "method_not_allowed"}
	return e
}

// authenticate authenticates the client.
func (x *exchange) authenticate(ctx context.Context) (client.Authenticated, error) {
	c, err := x.cfg.Authenticator.Authenticate(ctx, x.request, x.log.Endpoint, x.now)
	if err != nil {
		x.reported = errors.Is(err, portner.InvalidClient) || errors.Is(err, portner.TemporarilyUnavailable)
		return client.Authenticated{}, err
	}
	x.client = c.Client
	return c, nil
}

// correlationHeader names a failed request, so that the peer can report it to the operator.
const correlationHeader = "X-Correlation-Id"

// reject logs why a request failed and returns the error of its response. Errors that are not a *portner.Error are faults.
func (x *exchange) reject(ctx context.Context, err error) *portner.Error {
	e := portner.AsError(err)
	switch {
	case portner.IsFault(err):
		x.fault(ctx, err)
	case !x.reported:
		x.refused(ctx, e)
	}
	answer := *e // the error can be shared by requests
	if answer.Header = maps.Clone(e.Header); answer.Header == nil {
		answer.Header = map[string][]string{}
	}
	answer.Header[correlationHeader] = []string{x.correlate()}
	if x.log.Endpoint == nameUserInfo {
		x.challenge(&answer)
	}
	return &answer
}

// rescue turns a panic of a store or of a function of the host into a fault. The value of the panic is not logged: it can
// hold anything.
func (x *exchange) rescue(err *error) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	*err = fmt.Errorf("token: panic with a %T: %s", v, debug.Stack())
}

// correlate returns the correlation identifier of the request. It is made when it is first needed.
func (x *exchange) correlate() string {
	if x.correlation == "" {
		x.correlation = httpx.NewCorrelationID()
	}
	return x.correlation
}
