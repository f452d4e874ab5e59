package dpop

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// maxJTI bounds jti in bytes. A UUID has 36.
const maxJTI = 256

// Check checks everything but replay, and performs no I/O. Every refusal is an *Error. An error that is no *Error is a fault: the policy is
// nil or has no replay store.
func (p *Policy) Check(r Request, now time.Time) (Proof, error) {
	if err := p.usable(); err != nil {
		return Proof{}, err
	}
	if len(r.Proofs) == 0 {
		return Proof{}, missing.because(nil)
	}
	if len(r.Proofs) > 1 || strings.IndexByte(r.Proofs[0], ',') >= 0 { // RFC 9110 §5.3: fields of one name may be joined with commas
		return Proof{}, repeated.because(nil)
	}
	signed, err := jose.VerifyEmbedded(r.Proofs[0], p.algorithms(), jose.DPoPProof)
	if err != nil {
		return Proof{}, refusal(err)
	}
	c, err := readClaims(signed.Claims)
	if err != nil {
		return Proof{}, err
	}
	url, err := r.check(c)
	if err != nil {
		return Proof{}, err
	}
	expires, err := p.checkTime(c, now)
	if err != nil {
		return Proof{}, err
	}
	if err := r.checkBinding(signed, c); err != nil {
		return Proof{}, err
	}
	return Proof{Key: signed.Thumbprint, id: identify(signed.Thumbprint, url, c.jti), expires: expires}, nil
}

// identify returns the key of a proof in the replay store. RFC 9449 §11.1: jti is unique in the context of the URL. A thumbprint has one
// length and a URL no NUL, so that the parts cannot run into each other.
func identify(thumbprint, url, jti string) storage.Hash {
	var room [256]byte
	return sha256.Sum256(append(append(append(append(room[:0], thumbprint...), url...), 0), jti...))
}

// refusal returns the refusal for an error of jose.VerifyEmbedded.
func refusal(err error) *Error {
	switch {
	case errors.Is(err, jose.ErrHeader):
		return extended.because(err)
	case errors.Is(err, jose.ErrPurpose):
		return otherTyp.because(err)
	case errors.Is(err, jose.ErrKey):
		return badKey.because(err)
	case errors.Is(err, jose.ErrAlgorithm):
		return otherAlg.because(err)
	case errors.Is(err, jose.ErrSignature):
		return badSig.because(err)
	}
	return malformed.because(err)
}

// claims are the members of a proof.
type claims struct {
	jti, htm, htu string
	iat, exp      int64
	hasExp        bool
	all           jose.Object
}

// readClaims reads the members that every proof has (RFC 9449 §4.2), and exp.
func readClaims(o jose.Object) (c claims, err error) {
	c.all = o
	if c.jti, err = o.String("jti"); err != nil || c.jti == "" || len(c.jti) > maxJTI {
		return c, badJTI.because(err)
	}
	if c.htm, err = o.String("htm"); err != nil {
		return c, otherHTM.because(err)
	}
	if c.htu, err = o.String("htu"); err != nil {
		return c, otherHTU.because(err)
	}
	if c.iat, err = o.NumericDate("iat"); err != nil {
		return c, badTimes.because(err)
	}
	if c.hasExp = o.Has("exp"); c.hasExp {
		if c.exp, err = o.NumericDate("exp"); err != nil {
			return c, badTimes.because(err)
		}
	}
	return c, nil
}

// check compares htm and htu with the request. It returns the normal form of the URL.
func (r *Request) check(c claims) (url string, err error) {
	if r.Method == "" || c.htm != r.Method {
		return "", otherHTM.because(nil)
	}
	claimed, ok := normalise(c.htu)
	if !ok {
		return "", otherHTU.because(nil)
	}
	for _, own := range [...]string{r.URL, r.AliasURL} {
		if own, ok := normalise(own); ok && own == claimed {
			return claimed, nil
		}
	}
	return "", otherHTU.because(nil)
}

// checkTime checks the nonce, iat and exp. It returns until when the replay store must keep the proof.
func (p *Policy) checkTime(c claims, now time.Time) (expires time.Time, err error) {
	if p.Nonces != nil { // RFC 9449 §4.3, item 11: the nonce is the time of the server, and replaces iat
		if expires, err = p.Nonces.ofProof(c, now); err != nil {
			return expires, err
		}
	} else {
		maxAge, maxAhead := cmp.Or(p.MaxAge, defaultMaxAge), cmp.Or(p.MaxAhead, defaultMaxAhead)
		iat := time.Unix(c.iat, 0)
		switch age := now.Sub(iat); {
		case age > maxAge:
			return expires, tooOld.because(nil)
		case -age > maxAhead:
			return expires, inFuture.because(nil)
		}
		expires = iat.Add(maxAge + maxAhead) // longer than it is valid, because the clock of another node may be behind
	}
	if c.hasExp && !now.Before(time.Unix(c.exp, 0)) {
		return expires, expired.because(nil)
	}
	return expires, nil
}

// ofProof checks the nonce of a proof.
func (n *Nonces) ofProof(c claims, now time.Time) (expires time.Time, err error) {
	nonce, err := c.all.String("nonce")
	if err != nil {
		return expires, noNonce.because(err)
	}
	end, ok := n.check(nonce, now)
	if !ok {
		return expires, oldNonce.because(nil)
	}
	return end.Add(nonceAhead), nil // the clock of another node may be behind
}

// checkBinding compares ath with the access token, and the key with the expected one.
func (r *Request) checkBinding(signed jose.Embedded, c claims) error {
	if r.AccessToken != "" {
		sum := sha256.Sum256([]byte(r.AccessToken))
		var want [43]byte
		base64.RawURLEncoding.Encode(want[:], sum[:])
		if ath, err := c.all.String("ath"); err != nil || ath != string(want[:]) {
			return otherATH.because(err)
		}
	}
	if (r.Key != "" || r.AccessToken != "") && r.Key != signed.Thumbprint {
		return otherKey.because(nil)
	}
	return nil
}
