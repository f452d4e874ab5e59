// Package record encodes the composite records of package storage for stores outside the process: sessions, grants, authorization codes
// and access tokens. A store keeps in columns what its statements compare, and clears those fields in the copy that it encodes.
//
// A record is the version of the format, its kind, and its fields. A field is its number and its value; a field that is unset is not
// written. Each record has one encoding, and the decoders accept no other: a newer version, an unknown field, a field in another order
// and a byte too many are errors. A record is never read in part, because a field that is ignored may be a restriction. A new field is
// therefore written by new nodes only where it is set, and old nodes reject only the records that have it.
//
// The number and the type of a field never change, and the number of a removed field is not used again.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/portner-go/portner/storage"
)

// version is the newest version of the format, and the only one so far.
const version = 1

// The kinds of records. A grant in the place of a session is an error.
const (
	kindSession = 'S'
	kindGrant   = 'G'
	kindCode    = 'C'
	kindAccess  = 'A'
)

// NoTime is Nanos of the zero time.Time.
const NoTime = math.MinInt64

// Nanos returns t as nanoseconds since 1970. Times outside the years 1678 to 2261 become the nearest in them, and the zero time is
// NoTime.
func Nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return NoTime
	case t.Unix() >= afterNanos:
		return math.MaxInt64
	case t.Unix() < firstNanos:
		return NoTime + 1
	}
	return t.UnixNano()
}

// The seconds since 1970 of the first instants of 1678 and 2262.
var (
	firstNanos = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	afterNanos = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// Time returns the time of which n is Nanos, in UTC.
func Time(n int64) time.Time {
	if n == NoTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// writer appends fields to a record.
type writer []byte

// newWriter begins a record with room for most.
func newWriter(kind byte) writer { return append(make(writer, 0, 512), version, kind) }

// end ends an element of a list, or a record within a record. No field has the number 0.
func (w *writer) end() { *w = append(*w, 0) }

func (w *writer) string(number byte, s string) {
	if s != "" {
		*w = append(*w, number)
		w.text(s)
	}
}

func (w *writer) text(s string) {
	*w = binary.AppendUvarint(*w, uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) bytes(number byte, b []byte) {
	if len(b) > 0 {
		*w = binary.AppendUvarint(append(*w, number), uint64(len(b)))
		*w = append(*w, b...)
	}
}

func (w *writer) strings(number byte, list []string) {
	w.count(number, len(list))
	for _, s := range list {
		w.text(s)
	}
}

// count begins a list.
func (w *writer) count(number byte, n int) {
	if n > 0 {
		*w = binary.AppendUvarint(append(*w, number), uint64(n))
	}
}

func (w *writer) hash(number byte, h *storage.Hash) {
	if *h != (storage.Hash{}) {
		*w = append(append(*w, number), h[:]...)
	}
}

func (w *writer) bool(number byte, v bool) {
	if v {
		*w = append(*w, number)
	}
}

func (w *writer) int(number byte, n int64) {
	if n != 0 {
		*w = binary.BigEndian.AppendUint64(append(*w, number), uint64(n))
	}
}

func (w *writer) time(number byte, t time.Time) {
	if n := Nanos(t); n != NoTime {
		*w = binary.BigEndian.AppendUint64(append(*w, number), uint64(n))
	}
}

// errTruncated reports a record that ends within a field.
var errTruncated = errors.New("a field is not complete")

// errZero reports a field that is written although it is unset, or a length in more bytes than necessary.
var errZero = errors.New("a field is not in the shortest form")

// errTime reports a number that Nanos returns for no time.
var errTime = errors.New("a time is outside the years 1678 to 2261")

// reader reads the fields of a record in the order of their numbers. After the first error it returns zero values.
type reader struct {
	rest string
	err  error
}

// newReader begins to read a record. The strings of the record share the memory of one copy of b.
func newReader(b []byte, kind byte) reader {
	switch {
	case len(b) < 2:
		return reader{err: errTruncated}
	case b[0] != version:
		return reader{err: fmt.Errorf("format %d is not known to this version", b[0])}
	case b[1] != kind:
		return reader{err: errors.New("it is a record of another kind")}
	}
	return reader{rest: string(b[2:])}
}

// close returns an error if a field remains: one that this version does not have, or one in another order.
func (r *reader) close() error {
	if r.err == nil && r.rest != "" {
		return fmt.Errorf("field %d is unknown or in another order", r.rest[0])
	}
	return r.err
}

// end reads the end of an element. What is there instead is an unknown field.
func (r *reader) end() {
	switch {
	case r.err != nil:
	case r.rest == "":
		r.fail(errTruncated)
	case r.rest[0] != 0:
		r.fail(r.close())
	default:
		r.rest = r.rest[1:]
	}
}

func (r *reader) fail(err error) { r.rest, r.err = "", err }

// has reports whether the field with the number follows.
func (r *reader) has(number byte) bool {
	if r.rest == "" || r.rest[0] != number {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) take(n int) string {
	if n > len(r.rest) {
		r.fail(errTruncated)
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// length reads a length, or a count of elements that have at least one byte each: it is at most the number of the remaining bytes.
func (r *reader) length() int {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		s := r.take(1)
		if s == "" {
			return 0
		}
		n |= uint64(s[0]&0x7f) << shift
		if s[0] >= 0x80 {
			continue
		}
		switch {
		case s[0] == 0 && shift > 0:
			r.fail(errZero)
			return 0
		case n > uint64(len(r.rest)):
			r.fail(errTruncated)
			return 0
		}
		return int(n)
	}
	r.fail(errTruncated)
	return 0
}

// count reads the count of a list, or 0 if the field does not follow.
func (r *reader) count(number byte) int {
	if !r.has(number) {
		return 0
	}
	n := r.length()
	if n == 0 && r.err == nil {
		r.fail(errZero)
	}
	return n
}

func (r *reader) string(number byte) string { return r.take(r.count(number)) }

func (r *reader) bytes(number byte) []byte {
	if s := r.string(number); s != "" {
		return []byte(s)
	}
	return nil
}

func (r *reader) strings(number byte) []string {
	n := r.count(number)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.take(r.length())
	}
	return list
}

func (r *reader) hash(number byte) (h storage.Hash) {
	if r.has(number) {
		copy(h[:], r.take(len(h)))
		if h == (storage.Hash{}) && r.err == nil {
			r.fail(errZero)
		}
	}
	return h
}

func (r *reader) bool(number byte) bool { return r.has(number) }

// fixed reads a number of eight bytes, or returns unset if the field does not follow.
func (r *reader) fixed(number byte, unset int64) int64 {
	if !r.has(number) {
		return unset
	}
	s := r.take(8)
	if s == "" {
		return unset
	}
	n := int64(uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7]))
	if n == unset {
		r.fail(errZero)
	}
	return n
}

func (r *reader) int(number byte) int64 { return r.fixed(number, 0) }

// time reads a time as Nanos writes it.
func (r *reader) time(number byte) time.Time {
	n := r.fixed(number, NoTime)
	t := Time(n)
	if Nanos(t) != n && r.err == nil {
		r.fail(errTime)
	}
	return t
}
