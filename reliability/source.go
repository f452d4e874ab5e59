package main

import (
	"slices"
	"time"
)

// source is a small generator of numbers for decisions that a seed repeats (SplitMix64). No secret comes from it.
type source struct{ state uint64 }

func newSource(seed, stream uint64) *source {
	s := &source{seed*0x9E3779B97F4A7C15 + stream*0xD1B54A32D192ED03 + 1}
	s.next()
	return s
}

func (s *source) next() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// intn returns a number from 0 to n-1.
func (s *source) intn(n int) int { return int(s.next() % uint64(n)) }

// between returns a duration from a to b.
func (s *source) between(a, b time.Duration) time.Duration {
	return a + time.Duration(s.next()%uint64(max(b-a, 1)))
}

// percentile returns the value that the given part of the values does not exceed.
func percentile(values []time.Duration, part float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
