package authorize

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// maxSealed bounds a sealed request, in bytes. It is part of a URL.
const maxSealed = 8 << 10

// progress is how far a request has come. It is sealed together with the parameters while the request is pending.
type progress struct {
	id         [16]byte  // of the request; there is one code for each
	receivedAt time.Time // a login since then was made for this request
	expires    time.Time
	browser    storage.Hash // of the browserCookie
	step       Step
	sessionID  string    // the session of the login, after the login step
	loginAt    time.Time // AuthTime of the login that the user made in this request, in that session; zero if there is none
	reason     string    // why the page is shown

	representation representation // the answer of the representation page
}

// requestID returns the identifier that the code is stored with.
func (p progress) requestID() string { return seal.IDText(p.id) }

// Layout of a pending request before it is sealed: version, flags, the three times in microseconds, id, browser, the hash of the
// request_uri, six texts with their lengths, and the parameters as a form.
const (
	sealedVersion = 4
	sealedFixed   = 2 + 8 + 8 + 8 + 16 + 32 + 32

	flagConsent        = 1 << 0
	flagSigned         = 1 << 1
	flagRepresentation = 1 << 2
	flagRepresented    = 1 << 3
	flagStepUp         = 1 << 4
)

// chosenSeparator separates the identifiers of choices.
const chosenSeparator = "\x00"

func flags(p progress, q *request) (b byte) {
	switch p.step {
	case StepUpStep:
		b |= flagStepUp
	case ConsentStep:
		b |= flagConsent
	case RepresentationStep:
		b |= flagRepresentation
	}
	if q.signed {
		b |= flagSigned
	}
	if p.representation.answered {
		b |= flagRepresented
	}
	return b
}

// pack appends a pending request to b.
func pack(b []byte, p progress, q *request) []byte {
	params := q.raw
	switch {
	case q.hintSub != "": // the hint is long, and hintSub is all that is needed of it
		params = q.form.Without("id_token_hint").Encode()
	case params == "":
		params = q.form.Encode()
	}
	chosen := strings.Join(p.representation.chosen, chosenSeparator)
	b = slices.Grow(b, sealedFixed+len(params))
	b = append(b, sealedVersion, flags(p, q))
	b = binary.BigEndian.AppendUint64(b, uint64(p.receivedAt.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(p.expires.UnixMicro()))
	var loginAt int64
	if !p.loginAt.IsZero() {
		loginAt = p.loginAt.UnixMicro()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(loginAt))
	b = append(b, p.id[:]...)
	b = append(b, p.browser[:]...)
	b = append(b, q.pushed[:]...)
	for _, text := range [...]string{p.sessionID, q.hintSub, p.reason, chosen, p.representation.locale, p.representation.shown} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return append(b, params...)
}

var errSealed = errors.New("authorize: malformed pending request")

// unpack reverses pack. hintSub belongs to the request that validate makes from the source.
func unpack(b []byte) (p progress, s source, hintSub string, err error) {
	if len(b) < sealedFixed || b[0] != sealedVersion {
		return p, s, "", errSealed
	}
	p.step = LoginStep
	switch {
	case b[1]&flagConsent != 0:
		p.step = ConsentStep
	case b[1]&flagStepUp != 0:
		p.step = StepUpStep
	case b[1]&flagRepresentation != 0:
		p.step = RepresentationStep
	}
	p.representation.answered = b[1]&flagRepresented != 0
	s.signed, s.sealed = b[1]&flagSigned != 0, true
	p.receivedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(b[2:])))
	p.expires = time.UnixMicro(int64(binary.BigEndian.Uint64(b[10:])))
	if loginAt := int64(binary.BigEndian.Uint64(b[18:])); loginAt != 0 {
		p.loginAt = time.UnixMicro(loginAt)
	}
	copy(p.id[:], b[26:])
	copy(p.browser[:], b[42:])
	copy(s.pushed[:], b[74:])
	b = b[sealedFixed:]
	rest := string(b) // one copy, and the texts are parts of it
	var chosen string
	for _, text := range [...]*string{&p.sessionID, &hintSub, &p.reason, &chosen, &p.representation.locale, &p.representation.shown} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return p, s, "", errSealed
		}
		*text, rest, b = rest[size:size+int(n)], rest[size+int(n):], b[size+int(n):]
	}
	if chosen != "" {
		p.representation.chosen = strings.Split(chosen, chosenSeparator)
	}
	s.form, err = httpx.Parse(rest)
	return p, s, hintSub, err
}
