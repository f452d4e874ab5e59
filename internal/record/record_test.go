package record_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
)

var update = flag.Bool("update", false, "write the golden encodings")

// kind is one kind of record, by reflection.
type kind struct {
	name   string
	zero   any
	encode func(reflect.Value) []byte
	decode func([]byte) (any, error)
}

func kindOf[T any](name string, encode func(*T) []byte, decode func([]byte) (T, error)) kind {
	return kind{
		name: name, zero: *new(T),
		encode: func(v reflect.Value) []byte { return encode(v.Addr().Interface().(*T)) },
		decode: func(b []byte) (any, error) { return decode(b) },
	}
}

var kinds = []kind{
	kindOf("session", record.EncodeSession, record.DecodeSession),
	kindOf("grant", record.EncodeGrant, record.DecodeGrant),
	kindOf("code", record.EncodeCode, record.DecodeCode),
	kindOf("access", record.EncodeAccess, record.DecodeAccess),
}

func (k kind) new() reflect.Value { return reflect.New(reflect.TypeOf(k.zero)).Elem() }

func (k kind) requireRoundTrip(t *testing.T, v reflect.Value) []byte {
	t.Helper()
	b := k.encode(v)
	got, err := k.decode(b)
	require.NoError(t, err)
	require.Equal(t, v.Interface(), got)
	require.Equal(t, b, k.encode(v), "one encoding for each record")
	return b
}

// leaves returns the path of each field that holds a value: of a list of structs, each field of an element.
func leaves(typ reflect.Type, path string) []string {
	switch {
	case typ == reflect.TypeFor[time.Time](), typ == reflect.TypeFor[storage.Hash]():
		return []string{path}
	case typ.Kind() == reflect.Struct:
		var all []string
		for i := range typ.NumField() {
			all = append(all, leaves(typ.Field(i).Type, path+"/"+typ.Field(i).Name)...)
		}
		return all
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		return leaves(typ.Elem(), path)
	}
	return []string{path}
}

// at returns the field with the path in v, and gives each list on the path one element.
func at(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if v.Kind() == reflect.Slice {
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			}
			v = v.Index(0)
		}
		v = v.FieldByName(name)
	}
	return v
}

// fill sets v to a value other than zero. It panics for a type that it does not know, so that a field of a new type is not forgotten.
func fill(v reflect.Value, r *rand.Rand) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(0, r.Int64()-math.MaxInt64/2).UTC()))
	case v.Type() == reflect.TypeFor[storage.Hash]():
		v.Set(reflect.ValueOf(storage.HashOf(text(r))))
	case v.Kind() == reflect.String:
		v.SetString(text(r))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Int64:
		v.SetInt(int64(r.Uint64() | 1))
	case v.Type() == reflect.TypeFor[[]byte]():
		v.SetBytes([]byte(text(r)))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 4))
		for i := range v.Len() {
			fillSome(v.Index(i), r)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fillSome(v.Field(i), r)
		}
	default:
		panic("record: no value for " + v.Type().String())
	}
}

func fillSome(v reflect.Value, r *rand.Rand) {
	if r.IntN(4) > 0 {
		fill(v, r)
	}
}

// text returns bytes that are not always a text: NUL, invalid UTF-8, and lengths that need more than one byte.
func text(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(3)*r.IntN(200))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// A field of a record that the codec forgets fails this test by its name.
func TestEachFieldIsEncoded(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for _, path := range leaves(reflect.TypeOf(k.zero), "") {
			t.Run(k.name+path, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(1, 2))
				for range 20 {
					v := k.new()
					fill(at(v, path), r)
					k.requireRoundTrip(t, v)
				}
			})
		}
	}
}

func TestAnyFieldsTogether(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			for range 300 {
				v := k.new()
				fill(v, r)
				k.requireRoundTrip(t, v)
			}
		})
	}
}

func TestUnsetFieldsTakeNoSpace(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		want := 2
		if k.name == "code" {
			want = 4 // begin and end of the grant
		}
		require.Len(t, k.requireRoundTrip(t, k.new()), want, k.name)
	}
}

// A part of a record, a byte more, and a record with an additional field are errors, wherever the field is.
func TestOtherEncodingsAreRejected(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, 6))
			v := k.new()
			for v.Field(0).IsZero() {
				fill(v, r)
			}
			b := k.encode(v)
			for n := range b {
				got, err := k.decode(b[:n])
				if err == nil { // a record without its last fields is one, too
					require.NotEqual(t, v.Interface(), got)
				} else {
					require.Equal(t, k.zero, got, "a record is not returned in part")
				}
			}
			for c := range 256 {
				_, err := k.decode(append(b[:len(b):len(b)], byte(c)))
				require.Error(t, err, "a byte more: %d", c)
			}
			for _, version := range []byte{0, 2, 255} {
				newer := append([]byte{version}, b[1:]...)
				_, err := k.decode(newer)
				require.ErrorContains(t, err, fmt.Sprintf("format %d is not known", version))
			}
			for _, other := range kinds {
				if other.name != k.name {
					_, err := other.decode(b)
					require.ErrorContains(t, err, "another kind")
				}
			}
		})
	}
}

func TestUnknownFieldsAreRejected(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind int
		in   string
	}{
		"of a session":                    {0, "\x01S\x63"},
		"of a circle":                     {0, "\x01S\x08\x01\x01\x01a\x63\x00"},
		"of a client":                     {0, "\x01S\x09\x01\x01\x01a\x63\x00"},
		"of a grant":                      {1, "\x01G\x01\x01a\x63"},
		"of a code":                       {2, "\x01C\x02\x00\x63"},
		"of the grant of a code":          {2, "\x01C\x02\x63\x00"},
		"of an access token":              {3, "\x01A\x63"},
		"twice":                           {1, "\x01G\x01\x01a\x01\x01a"},
		"in another order":                {1, "\x01G\x02\x01a\x01\x01a"},
		"an empty text":                   {1, "\x01G\x01\x00"},
		"a length in two bytes":           {1, "\x01G\x01\x81\x00a"},
		"a length beyond the record":      {1, "\x01G\x01\x05a"},
		"a length that never ends":        {1, "\x01G\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		"a count beyond the record":       {1, "\x01G\x0a\xff\x7f"},
		"no circles":                      {0, "\x01S\x08\x00"},
		"a hash of zeros":                 {1, "\x01G\x03" + strings.Repeat("\x00", 32)},
		"a version of zero":               {0, "\x01S\x03" + strings.Repeat("\x00", 8)},
		"a time that is none":             {1, "\x01G\x0f\x80" + strings.Repeat("\x00", 7)},
		"a code without a grant":          {2, "\x01C"},
		"a grant of a code without end":   {2, "\x01C\x02"},
		"a circle without end":            {0, "\x01S\x08\x01\x01\x01a"},
		"fewer circles than are promised": {0, "\x01S\x08\x02\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := kinds[tt.kind].decode([]byte(tt.in))
			require.Error(t, err)
			require.Equal(t, kinds[tt.kind].zero, got)
		})
	}
}

func TestNilAndEmptyAreEqual(t *testing.T) {
	t.Parallel()
	empty := storage.Grant{Identity: []byte{}, Scopes: []string{}, Claims: []byte{}}
	require.Equal(t, record.EncodeGrant(&storage.Grant{}), record.EncodeGrant(&empty))
	none := storage.Session{Circles: []storage.Circle{}, Clients: []storage.SessionClient{}}
	require.Equal(t, record.EncodeSession(&storage.Session{}), record.EncodeSession(&none))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	oslo := time.FixedZone("", 3600)
	for name, tt := range map[string]struct{ in, want time.Time }{
		"zero":              {time.Time{}, time.Time{}},
		"zero in a zone":    {time.Time{}.In(oslo), time.Time{}},
		"1970":              {time.Unix(0, 0), time.Unix(0, 0)},
		"nanoseconds":       {time.Unix(1900000000, 123456789).In(oslo), time.Unix(1900000000, 123456789)},
		"the year 1677":     {time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MinInt64+1)},
		"the year 2262":     {time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MaxInt64)},
		"beyond any number": {time.Unix(1<<60, 0), time.Unix(0, math.MaxInt64)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.True(t, record.Time(record.Nanos(tt.in)).Equal(tt.want))
		})
	}
	require.Equal(t, int64(math.MinInt64), record.Nanos(time.Time{}))
}

// The encodings of earlier versions stay readable, and this version writes them.
func TestFormatStays(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			v := k.new()
			for i, path := range leaves(v.Type(), "") {
				fill(at(v, path), rand.New(rand.NewPCG(7, uint64(i))))
			}
			b := k.requireRoundTrip(t, v)
			file := filepath.Join("testdata", k.name+".hex")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(hex.EncodeToString(b)+"\n"), 0o644))
			}
			golden, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(string(golden)), hex.EncodeToString(b))
		})
	}
}

// FuzzDecode checks that a decoder never panics, and that a text that it accepts is the encoding of what it returns.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, k := range kinds {
		for range 3 {
			v := k.new()
			f.Add(k.encode(v))
			fill(v, r)
			f.Add(k.encode(v))
		}
	}
	f.Add([]byte("\x01G\x01\x81\x00a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range kinds {
			got, err := k.decode(b)
			if err != nil {
				require.Equal(t, k.zero, got)
				continue
			}
			v := k.new()
			v.Set(reflect.ValueOf(got))
			require.Equal(t, b, k.encode(v))
		}
	})
}

// TestRecordAllocations bounds the allocations: one for an encoding, and for a decoded record one for its texts and one for each list.
func TestRecordAllocations(t *testing.T) {
	g := storage.Grant{
		ID: "g", ClientID: "client", UserKey: storage.HashOf("user"), Identity: make([]byte, 80), SessionID: "s", Scopes: []string{"openid", "profile"},
		ACR: "substantial", AMR: []string{"BankID"}, CreatedAt: time.Unix(1, 0), ExpiresAt: time.Unix(2, 0),
	}
	b := record.EncodeGrant(&g)
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { record.EncodeGrant(&g) }), 1.0)
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { _, _ = record.DecodeGrant(b) }), 4.0)
}

func BenchmarkGrant(b *testing.B) {
	g := storage.Grant{
		ID: "g", ClientID: "client", UserKey: storage.HashOf("user"), Identity: make([]byte, 80), SessionID: "s", Scopes: []string{"openid", "profile"},
		ACR: "substantial", AMR: []string{"BankID"}, CreatedAt: time.Unix(1, 0), ExpiresAt: time.Unix(2, 0),
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			record.EncodeGrant(&g)
		}
	})
	text := record.EncodeGrant(&g)
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, _ = record.DecodeGrant(text)
		}
	})
}
