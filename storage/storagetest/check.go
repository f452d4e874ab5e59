package storagetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
)

var (
	epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)
	bg    = context.Background()
)

// must ends the case unless err is nil.
func must(t testing.TB, err error, doing string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// verdict checks the error of a method, which may be nil.
func verdict(t testing.TB, err, want error, doing string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", doing, err, want)
	}
}

// same checks that two records are equal. Times are compared by their instant, and nil and empty slices are equal.
func same(t testing.TB, got, want any, what string) {
	t.Helper()
	g, w := canonical(reflect.ValueOf(got)).Interface(), canonical(reflect.ValueOf(want)).Interface()
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, g, w)
	}
}

var timeType = reflect.TypeFor[time.Time]()

// canonical returns a deep copy of v with all times in UTC and without empty slices.
func canonical(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Type() == timeType:
		out.Set(reflect.ValueOf(v.Interface().(time.Time).UTC()))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(canonical(v.Field(i)))
		}
	case v.Kind() == reflect.Slice && v.Len() > 0:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(canonical(v.Index(i)))
		}
	case v.Kind() == reflect.Slice:
	default:
		out.Set(v)
	}
	return out
}

// scribble overwrites everything that a record shares with other holders of its slices.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		scribble(v.Elem())
	case reflect.Struct:
		if v.Type() != timeType {
			for i := range v.NumField() {
				scribble(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.String:
		v.SetString("scribbled")
	case reflect.Uint8:
		v.SetUint(^v.Uint() & 0xff)
	}
}

func overwrite(record any) { scribble(reflect.ValueOf(record)) }

// around returns the instants at the end of a record, in several time zones, and whether the record is live then.
func around(end time.Time) (all []moment) {
	for _, zone := range []*time.Location{time.UTC, oslo, time.FixedZone("New York", -5*3600)} {
		all = append(all,
			moment{end.Add(-1).In(zone), true, "1 ns before the end, " + zone.String()},
			moment{end.In(zone), false, "at the end, " + zone.String()},
			moment{end.Add(1).In(zone), false, "1 ns after the end, " + zone.String()})
	}
	return all
}

type moment struct {
	now   time.Time
	valid bool
	name  string
}
