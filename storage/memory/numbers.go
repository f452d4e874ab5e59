package memory

import (
	"math/bits"
	"slices"
)

// numbers is a map from seeded hashes to the numbers of records. A map of Go takes 13 bytes for each slot, of which half are free after it
// doubled: 15 to 30 bytes for an entry. This one takes 13 to 20, because it grows by a quarter.
//
// The entries are in ascending order of their hashes. Each is at its home, or right after the entries that are in its way. The home of a
// hash is at the same share of the table as the hash among all hashes.
type numbers struct {
	places []entry // the homes, and what follows the last one
	homes  uint32
	n      uint32
}

// leastHomes is the number of homes of the smallest table.
const leastHomes = 8

// entry is a place. It is free if number is 0. The hash is in halves so that a place takes 12 bytes.
type entry struct{ high, low, number uint32 }

func (p *entry) hash() uint64 { return uint64(p.high)<<32 | uint64(p.low) }

// home returns the first place at which h can be.
func (t *numbers) home(h uint64) int {
	at, _ := bits.Mul64(h, uint64(t.homes))
	return int(at)
}

// find returns the place of h, or that at which it has to be inserted.
func (t *numbers) find(h uint64) (at int, known bool) {
	for at = t.home(h); at < len(t.places); at++ {
		if p := &t.places[at]; p.number == 0 || p.hash() >= h {
			return at, p.number != 0 && p.hash() == h
		}
	}
	return at, false
}

// get returns the number of h, or 0.
func (t *numbers) get(h uint64) uint32 {
	if at, known := t.find(h); known {
		return t.places[at].number
	}
	return 0
}

// set sets the number of h.
func (t *numbers) set(h uint64, number uint32) {
	at, known := t.find(h)
	if known {
		t.places[at].number = number
		return
	}
	if t.n >= t.homes-t.homes/8 {
		t.resize(t.homes + t.homes/4)
		at, _ = t.find(h)
	}
	free := at
	for free < len(t.places) && t.places[free].number != 0 {
		free++
	}
	t.room(free)
	copy(t.places[at+1:free+1], t.places[at:free])
	t.places[at] = entry{uint32(h >> 32), uint32(h), number}
	t.n++
}

// drop removes h.
func (t *numbers) drop(h uint64) {
	at, known := t.find(h)
	if !known {
		return
	}
	next := at + 1 // those that are not at their homes move by one
	for next < len(t.places) && t.places[next].number != 0 && t.home(t.places[next].hash()) < next {
		next++
	}
	copy(t.places[at:], t.places[at+1:next])
	t.places[next-1] = entry{}
	switch t.n--; {
	case t.n == 0:
		*t = numbers{}
	case t.n < t.homes/4 && t.homes > leastHomes:
		t.resize(t.homes / 2)
	}
}

// resize gives the table at least a number of homes, and uses the memory that the allocator adds to it. It takes 0.2 ms for 100,000 entries.
func (t *numbers) resize(homes uint32) {
	const after = 4
	old := t.places
	t.places = slices.Grow([]entry(nil), int(max(homes, leastHomes)+after))
	t.homes = uint32(cap(t.places) - after)
	t.places = t.places[:t.homes]
	clear(t.places)
	at := 0
	for _, p := range old {
		if p.number != 0 {
			at = t.room(max(at, t.home(p.hash())))
			t.places[at] = p
			at++
		}
	}
}

// room returns a place after it made sure that the table has it: the entries at the end may need some more.
func (t *numbers) room(at int) int {
	if at == len(t.places) {
		if at == cap(t.places) { // append alone would add a quarter
			t.places = append(slices.Grow([]entry(nil), at+8), t.places...)
		}
		t.places = append(t.places, entry{})
	}
	return at
}
