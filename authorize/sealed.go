package authorize

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// maxSealed bounds a sealed request: it travels in a URL (16 KiB at most, security section 0.6).
const maxSealed = 8 << 10

// travel is what a waiting request knows of itself, beside its parameters.
type travel struct {
	id         [16]byte  // of the request: one code for each
	receivedAt time.Time // an authentication since then was made for this request
	expires    time.Time
	browser    storage.Hash // of the cookie of the browser that brought the request
	step       Step
	sessionID  string // after the login step: the session that authenticated
	reason     string // why the person is asked, for the page

	representation representation // said before the consent step
}

// requestID is the identifier the code is stored with.
func (t travel) requestID() string { return base64.RawURLEncoding.EncodeToString(t.id[:]) }

// A waiting request in clear: version, step and flags, both times in microseconds, id, browser, the
// request_uri's hash, four short texts behind their lengths, and the parameters as a form.
const (
	sealedVersion = 2
	sealedFixed   = 2 + 8 + 8 + 16 + 32 + 32

	flagConsent        = 1 << 0
	flagSigned         = 1 << 1
	flagRepresentation = 1 << 2
	flagRepresented    = 1 << 3
)

// chosenSeparator stands between the IDs of choices.
const chosenSeparator = "\x00"

// flags of a waiting request.
func flags(t travel, q *request) (b byte) {
	switch t.step {
	case StepConsent:
		b |= flagConsent
	case StepRepresentation:
		b |= flagRepresentation
	}
	if q.signed {
		b |= flagSigned
	}
	if t.representation.answered {
		b |= flagRepresented
	}
	return b
}

// pack writes a waiting request in clear.
func pack(t travel, q *request) []byte {
	params := q.raw
	switch {
	case q.hintSub != "": // the hint is long and verified, and hintSub says all of it
		params = q.form.Without("id_token_hint").Encode()
	case params == "":
		params = q.form.Encode()
	}
	chosen := strings.Join(t.representation.chosen, chosenSeparator)
	b := make([]byte, 0, sealedFixed+4*binary.MaxVarintLen16+len(t.sessionID)+len(q.hintSub)+len(t.reason)+len(chosen)+len(params))
	b = append(b, sealedVersion, flags(t, q))
	b = binary.BigEndian.AppendUint64(b, uint64(t.receivedAt.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.expires.UnixMicro()))
	b = append(b, t.id[:]...)
	b = append(b, t.browser[:]...)
	b = append(b, q.pushed[:]...)
	for _, text := range [...]string{t.sessionID, q.hintSub, t.reason, chosen} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return append(b, params...)
}

var errSealed = errors.New("authorize: malformed waiting request")

// unpackSealed reverses pack. hintSub is returned beside, because it belongs to the request that
// validate makes anew of the parameters.
func unpackSealed(b []byte) (t travel, s source, hintSub string, err error) {
	if len(b) < sealedFixed || b[0] != sealedVersion {
		return t, s, "", errSealed
	}
	t.step = StepLogin
	switch {
	case b[1]&flagConsent != 0:
		t.step = StepConsent
	case b[1]&flagRepresentation != 0:
		t.step = StepRepresentation
	}
	t.representation.answered = b[1]&flagRepresented != 0
	s.signed, s.sealed = b[1]&flagSigned != 0, true
	t.receivedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(b[2:])))
	t.expires = time.UnixMicro(int64(binary.BigEndian.Uint64(b[10:])))
	copy(t.id[:], b[18:])
	copy(t.browser[:], b[34:])
	copy(s.pushed[:], b[66:])
	rest := b[sealedFixed:]
	var chosen string
	for _, text := range [...]*string{&t.sessionID, &hintSub, &t.reason, &chosen} {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return t, s, "", errSealed
		}
		*text, rest = string(rest[size:size+int(n)]), rest[size+int(n):]
	}
	if chosen != "" {
		t.representation.chosen = strings.Split(chosen, chosenSeparator)
	}
	s.form, err = httpx.Parse(string(rest))
	return t, s, hintSub, err
}
