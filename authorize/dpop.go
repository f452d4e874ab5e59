package authorize

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/bound"
)

// jktField is the parameter with the thumbprint of the key that the code is bound to (RFC 9449 §10).
const jktField = "dpop_jkt"

// checkPushProof checks the DPoP proof of a pushed request (RFC 9449 §10.1). Without a header field DPoP, and for a provider without
// DPoP, the proof is zero.
func (e *Endpoint) checkPushProof(r client.Request, now time.Time) (dpop.Proof, error) {
	if e.cfg.DPoP == nil || len(r.Header.Values("DPoP")) == 0 {
		return dpop.Proof{}, nil
	}
	return e.cfg.DPoP.Check(dpop.Request{
		Proofs: r.Header.Values("DPoP"), Method: http.MethodPost, URL: e.cfg.PushURL, AliasURL: e.cfg.PushAliasURL,
	}, now)
}

// proofError returns the protocol error for a refused proof, and a fault for every other error.
func (e *Endpoint) proofError(err error, now time.Time) error {
	refused, ok := errors.AsType[*bound.Error](bound.Refusal(err))
	if !ok {
		return fmt.Errorf("%w: checking a DPoP proof: %w", portner.ErrUnavailable, err)
	}
	wire := &portner.Error{
		Code: refused.Code, Description: refused.Description,
		Err: &audit.Cause{Event: portner.EventRefused, Reason: refused.Reason},
	}
	if refused.Code == portner.UseDPoPNonce {
		wire.Header = map[string][]string{"Dpop-Nonce": {e.cfg.DPoP.Nonces.Current(now)}}
	}
	return wire
}

// bind binds a pushed request to the key of its DPoP proof, which acts as dpop_jkt (RFC 9449 §10.1).
func (s *source) bind(key string) *refusal {
	if key == "" {
		return nil
	}
	switch s.form.Get(jktField) {
	case "":
		s.form = s.form.With(jktField, key)
	case key:
	default:
		return page(portner.InvalidDPoPProof, "dpop_jkt_mismatch", "The dpop_jkt must be the thumbprint of the key of the DPoP proof.")
	}
	return nil
}
