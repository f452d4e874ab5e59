package portnertest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a defect of a token, for [Provider.MintToken], or of a response, for [Provider.Fail]. The zero value is NoFault.
type Fault int

// Defects of tokens.
const (
	NoFault         Fault = iota // no defect
	ExpiredToken                 // exp has passed
	FutureToken                  // nbf and iat are in the future
	ForeignAudience              // aud is another API
	ForeignIssuer                // iss is another issuer
	ForeignKey                   // another key signed, with the kid of the provider's
	Unsigned                     // alg is none
	RevokedToken                 // the grant is revoked
	IDTokenInstead               // an id_token in place of an access token
)

// Defects of responses.
const (
	Unavailable  Fault = iota + 100 // status 503
	Slow                            // no response until the client gives up, or for ten seconds; then the request is processed
	CutResponse                     // the request is processed, and half of the response is sent
	LostResponse                    // the request is processed, and the connection ends without a response
)

// String returns the name of the fault.
func (f Fault) String() string {
	names := map[Fault]string{
		NoFault: "none", ExpiredToken: "expired token", FutureToken: "future token", ForeignAudience: "foreign audience", ForeignIssuer: "foreign issuer",
		ForeignKey: "foreign key", Unsigned: "unsigned", RevokedToken: "revoked token", IDTokenInstead: "id_token instead",
		Unavailable: "unavailable", Slow: "slow", CutResponse: "cut response", LostResponse: "lost response",
	}
	if name, ok := names[f]; ok {
		return name
	}
	return "fault " + strconv.Itoa(int(f))
}

// slowFor is how long a slow response takes at most.
const slowFor = 10 * time.Second

// fault is the effect of a call of Fail on the requests that follow. A nil fault is none.
type fault struct {
	endpoint string
	left     int
	fault    Fault
}

// Fail makes the next n requests of the tested app to an endpoint fail. The endpoints are those of Request. While requests are to fail,
// browsers do not probe.
func (p *Provider) Fail(endpoint string, n int, f Fault) {
	p.t.Helper()
	if problem := p.checkFail(endpoint, n, f); problem != "" {
		p.t.Fatalf("portnertest: Fail(%q, %d, %v): %s", endpoint, n, f, problem)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &fault{endpoint, n, f})
}

// checkFail returns the problem of the arguments of Fail, or "".
func (p *Provider) checkFail(endpoint string, n int, f Fault) string {
	var known []string
	for _, name := range []string{"authorize", "par", "token", "userinfo", "introspect", "revoke", "logout", "jwks", "metadata", "exchange"} {
		if p.endpointURL(name) != "" || name == "metadata" || name == "exchange" && p.system.exchanges {
			known = append(known, name)
		}
	}
	switch {
	case !slices.Contains(known, endpoint):
		return "the endpoints of this service are " + strings.Join(known, ", ")
	case n < 1:
		return "n must be positive"
	case f < Unavailable || f > LostResponse:
		return "the fault is none of a response: Unavailable, Slow, CutResponse or LostResponse"
	}
	return ""
}

// takeFault returns the fault of a request of the tested app, or nil.
func (p *Provider) takeFault(c *call) *fault {
	if c.own || c.probing() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if f.endpoint != c.Endpoint {
			continue
		}
		taken := *f
		if f.left--; f.left == 0 {
			p.faults = slices.Delete(p.faults, i, i+1)
		}
		return &taken
	}
	return nil
}

func (f *fault) kind() Fault {
	if f == nil {
		return NoFault
	}
	return f.fault
}

// before carries out what precedes the request. It reports whether it has responded.
func (f *fault) before(p *Provider, w http.ResponseWriter, r *http.Request) bool {
	switch f.kind() {
	case Unavailable:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "portnertest: unavailable", http.StatusServiceUnavailable)
		return true
	case Slow:
		timer := time.NewTimer(slowFor)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		case <-p.closed:
		}
	}
	return false
}

// write sends the response, or the part of it that the fault leaves.
func (f *fault) write(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	if f.kind() == LostResponse {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header())
	body := answer.Body.Bytes()
	if f.kind() == CutResponse {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}
