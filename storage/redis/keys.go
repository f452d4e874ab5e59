package redis

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// key returns the name of a key. It begins with the prefix, which is a hash tag, so all keys are in one hash slot. What callers choose
// is hashed; identifiers that the provider makes (of sessions, grants and requests) are written as they are, for operators.
func (s *Store) key(kind, name string) string { return s.prefix + kind + ":" + name }

// unused is the key that a script gets in place of one that the call does not have. It is never written.
func (s *Store) unused() string { return s.prefix + "unused" }

// name returns a hash as a part of a key.
func name(h storage.Hash) string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// hashed returns texts as a part of a key.
func hashed(texts ...string) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(text(t))
	}
	return name(storage.HashOf(b.String()))
}

// parseName reverses name.
func parseName(s string) (h storage.Hash, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("a hash is not complete")
	}
	copy(h[:], b)
	return h, nil
}

// instant returns t as 20 digits that compare like the instants: "1" and the nanoseconds since 1970, or "0" and 2^63 more than the
// nanoseconds if they are negative. The zero time is the least instant.
func instant(t time.Time) string { return digits(record.Nanos(t)) }

func digits(n int64) string {
	sign := byte('1')
	u := uint64(n)
	if n < 0 {
		sign, u = '0', u^1<<63
	}
	var room [20]byte
	for i := len(room) - 1; i > 0; i-- {
		room[i] = '0' + byte(u%10)
		u /= 10
	}
	room[0] = sign
	return string(room[:])
}

// parseInstant reverses instant.
func parseInstant(s string) (time.Time, error) {
	if len(s) != 20 || s[0] != '0' && s[0] != '1' {
		return time.Time{}, errors.New("an instant is not complete")
	}
	u, err := strconv.ParseUint(s[1:], 10, 63)
	if err != nil {
		return time.Time{}, errors.New("an instant is not a number")
	}
	if s[0] == '0' {
		u ^= 1 << 63
	}
	return record.Time(int64(u)), nil
}

// text returns s as an element of a list of texts: its length, a colon and its bytes.
func text(s string) string { return strconv.Itoa(len(s)) + ":" + s }

// cutText returns the first element of a list of texts, and the rest.
func cutText(list string) (first, rest string, err error) {
	length, rest, found := strings.Cut(list, ":")
	n, err := strconv.Atoi(length)
	if !found || err != nil || n < 0 || n > len(rest) {
		return "", "", errors.New("a text is not complete")
	}
	return rest[:n], rest[n:], nil
}

// list is the values of a reply.
type list []any

// after returns the values from the nth on.
func (l list) after(n int) list {
	if len(l) < n {
		return nil
	}
	return l[n:]
}

// text returns the nth value, or "" if there is none.
func (l list) text(n int) string {
	if n >= len(l) {
		return ""
	}
	s, _ := l[n].(string)
	return s
}

// list returns the nth value, or nil if there is none.
func (l list) list(n int) list {
	if n >= len(l) {
		return nil
	}
	s, _ := l[n].([]any)
	return s
}

// number returns the nth value, or 0 if there is none.
func (l list) number(n int) int {
	if n >= len(l) {
		return 0
	}
	i, _ := l[n].(int64)
	return int(i)
}

// parser parses the values of a record and keeps the first error.
type parser struct{ err error }

func (p *parser) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) instant(s string) time.Time {
	t, err := parseInstant(s)
	p.keep(err)
	return t
}

func (p *parser) hash(s string) storage.Hash {
	h, err := parseName(s)
	p.keep(err)
	return h
}

func (p *parser) int64(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	p.keep(err)
	return n
}

// text cuts the first element off a list of texts.
func (p *parser) text(list *string) (first string) {
	first, rest, err := cutText(*list)
	p.keep(err)
	*list = rest
	return first
}
