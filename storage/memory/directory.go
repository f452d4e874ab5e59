package memory

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// directory numbers the records of one kind. Maps have the numbers of records instead of pointers to them: the garbage collector does
// not read a map without pointers. It reads the directory. Records that are inserted together mostly have neighbouring numbers and are
// neighbours in memory, while each pointer in a map of a million records costs a cache miss.
type directory[T placed] struct {
	mu     sync.Mutex
	leaves atomic.Pointer[[]leaf[T]] // by number / leafSize; the first one is not used. Methods that hold mu replace the slice
	last   int                       // the leaf that is filled now; 0 if there is none
	open   []int                     // other leaves that are half empty
	free   []int                     // indexes of leaves that are empty, and have no items
}

// leafSize is the number of records of a leaf.
const leafSize = 64

// leaf is a part of a directory. The lock of the directory guards it, except that an item can be read by its number.
type leaf[T placed] struct {
	items *[leafSize]T
	empty uint64 // a bit for each item
	open  int    // index in directory.open, plus one
}

// placed is a record with a place in a directory, in a queue, or in both.
type placed interface {
	comparable
	slot() *slot
}

// numbered reports whether a directory has the record.
func (sl *slot) numbered() bool { return sl.number != 0 }

// insert numbers item.
func (d *directory[T]) insert(item T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == 0 || (*d.leaves.Load())[d.last].empty == 0 {
		d.last = d.nextLeaf()
	}
	p := &(*d.leaves.Load())[d.last]
	i := bits.TrailingZeros64(p.empty)
	p.items[i], p.empty = item, p.empty&^(1<<i)
	item.slot().number = uint32(d.last*leafSize + i)
}

// nextLeaf returns a leaf that has room.
func (d *directory[T]) nextLeaf() int {
	if n := len(d.open); n > 0 {
		i := d.open[n-1]
		d.shut(i)
		return i
	}
	var all []leaf[T]
	if p := d.leaves.Load(); p != nil {
		all = *p
	}
	fresh := leaf[T]{items: new([leafSize]T), empty: 1<<leafSize - 1}
	if n := len(d.free); n > 0 {
		i := d.free[n-1]
		d.free = d.free[:n-1]
		all[i] = fresh
		return i
	}
	all = append(all, make([]leaf[T], max(2-len(all), 1))...) // the first number is not 0
	all[len(all)-1] = fresh
	d.leaves.Store(&all)
	return len(all) - 1
}

// shut takes a leaf out of the list of open ones.
func (d *directory[T]) shut(i int) {
	all, n := *d.leaves.Load(), len(d.open)-1
	at := all[i].open - 1
	moved := d.open[n]
	d.open[at], all[moved].open, all[i].open = moved, at+1, 0
	d.open = d.open[:n]
}

// remove frees the number of item. The caller has removed it from every map.
func (d *directory[T]) remove(item T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sl := item.slot()
	i, at := int(sl.number/leafSize), sl.number%leafSize
	sl.number = 0
	all := *d.leaves.Load()
	p := &all[i]
	var none T
	p.items[at], p.empty = none, p.empty|1<<at
	switch n := bits.OnesCount64(p.empty); {
	case n == leafSize:
		d.release(i)
	case n >= leafSize/2 && i != d.last && p.open == 0:
		d.open = append(d.open, i)
		p.open = len(d.open)
	}
}

// release frees the memory of a leaf without items, and that of all if there are no others.
func (d *directory[T]) release(i int) {
	all := *d.leaves.Load()
	if all[i].open > 0 {
		d.shut(i)
	}
	if i == d.last {
		d.last = 0
	}
	all[i] = leaf[T]{}
	if d.free = append(d.free, i); len(d.free) == len(all)-1 {
		d.open, d.free = nil, nil
		d.leaves.Store(nil)
	}
}

// at returns the record with a number. The caller holds the lock of the map in which it found the number.
func (d *directory[T]) at(number uint32) T {
	return (*d.leaves.Load())[number/leafSize].items[number%leafSize]
}
