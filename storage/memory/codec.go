package memory

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// A record is encoded as fixed parts, which are read by their offset, and length-prefixed texts. The strings of a decoded
// record are parts of its text; slices are copied.

func putTime(b []byte, t time.Time) []byte { return putInt(b, record.Nanos(t)) }

func putInt(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

// putTimeFrom writes the distance of t from another time of the record: a byte for the same time, and 7 for an hour. It wraps around.
func putTimeFrom(b []byte, from int64, t time.Time) []byte {
	return binary.AppendVarint(b, record.Nanos(t)-from)
}

func putString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// putBytes, like putSymbols, stores the length plus one, so that nil and empty are different.
func putBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(v))+1), v...)
}

// putHash writes a hash that most records do not have.
func putHash(b []byte, h *storage.Hash) []byte {
	if *h == (storage.Hash{}) {
		return append(b, 0)
	}
	return append(append(b, 1), h[:]...)
}

// putStrings writes texts that are not in the table of symbols.
func putStrings(b []byte, texts []string) []byte {
	if texts == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(texts))+1)
	for _, s := range texts {
		b = putString(b, s)
	}
	return b
}

func (r *reader) strings() []string {
	n := r.size()
	if n == 0 {
		return nil
	}
	v := make([]string, n-1)
	for i := range v {
		v[i] = r.string()
	}
	return v
}

// strict accepts one spelling of each value.
var strict = base64.RawURLEncoding.Strict()

// putRandom writes a text that usually is base64url. If decoding and encoding it again gives the same text, putRandom writes the
// decoded bytes, which are a quarter shorter. Otherwise it writes a 0 and the text.
func putRandom(b []byte, s string) []byte {
	var room [96]byte
	if len(s) <= 128 {
		n, err := strict.Decode(room[:], []byte(s))
		// The decoder ignores line breaks. The length detects them.
		if err == nil && strict.EncodedLen(n) == len(s) {
			return append(binary.AppendUvarint(b, uint64(n)+1), room[:n]...)
		}
	}
	return putString(append(b, 0), s)
}

func (r *reader) random() string {
	n := r.size()
	if n == 0 {
		return r.string()
	}
	var raw [96]byte
	var text [128]byte
	return string(strict.AppendEncode(text[:0], append(raw[:0], r.take(n-1)...)))
}

func (r *reader) skipRandom() {
	if n := r.size(); n == 0 {
		r.string()
	} else {
		r.take(n - 1)
	}
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader reads a text that the put functions made. It panics for other texts.
type reader struct{ rest string }

func (r *reader) take(n int) string {
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// uvarint reads a number that binary.AppendUvarint wrote.
func (r *reader) uvarint() (n uint64) {
	for shift := 0; ; shift += 7 {
		c := r.take(1)[0]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
}

// size reads a length or a number of entries.
func (r *reader) size() int { return int(r.uvarint()) }

// varint reads a number that binary.AppendVarint wrote.
func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) int() int64 { return intAt(r.take(8), 0) }

func (r *reader) time() time.Time { return record.Time(r.int()) }

// timeFrom reads a time that putTimeFrom wrote.
func (r *reader) timeFrom(from int64) time.Time { return record.Time(from + r.varint()) }

func (r *reader) bool() bool { return r.take(1)[0] == 1 }

func (r *reader) hash() (h storage.Hash) {
	copy(h[:], r.take(len(h)))
	return h
}

func (r *reader) optionalHash() (h storage.Hash) {
	if r.take(1)[0] == 0 {
		return h
	}
	return r.hash()
}

func (r *reader) string() string { return r.take(r.size()) }

func (r *reader) bytes() []byte {
	n := r.size()
	if n == 0 {
		return nil
	}
	return []byte(r.take(n - 1))
}

// intAt reads the number that putInt wrote at offset i.
func intAt(s string, i int) int64 {
	_ = s[i+7]
	return int64(uint64(s[i])<<56 | uint64(s[i+1])<<48 | uint64(s[i+2])<<40 | uint64(s[i+3])<<32 |
		uint64(s[i+4])<<24 | uint64(s[i+5])<<16 | uint64(s[i+6])<<8 | uint64(s[i+7]))
}

// scratch is space on the stack for one record. Longer records are encoded on the heap.
type scratch [768]byte
