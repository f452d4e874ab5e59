package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// bench is one run of the command.
type bench struct {
	n       int // code exchanges with ES256
	blocks  int
	entries int           // of the large store
	least   time.Duration // of a slice of the section on two cores
	keys    map[string][]byte
	lost    []string // what could not be measured, and why
	log     io.Writer
}

// Every operation is measured in slices, in turns with those of the other subjects. A block is some consecutive slices: it is long enough
// for a collection of garbage, whose cost would otherwise be in some samples only.
const (
	defaultBlocks  = 10
	slicesPerBlock = 8
)

// slice returns the number of operations of a slice.
func (b *bench) slice(op *operation, alg string) int {
	return max(op.count(b.n, alg)/(b.blocks*slicesPerBlock), 1)
}

// cost is what an operation costs a subject.
type cost struct {
	micros []float64 // CPU time of one operation, for each block
	allocs float64
	bytes  float64
}

// row is one operation with one algorithm.
type row struct {
	op    *operation
	alg   string
	costs map[string]*cost // by subject; a subject that does not have the operation is not in it
}

// costTable measures every operation on one core without sockets.
func (b *bench) costTable() ([]row, error) {
	var rows []row
	for _, op := range operations() {
		for _, alg := range op.algs {
			begin := time.Now()
			r, err := b.row(&op, alg)
			if err != nil {
				return rows, err
			}
			rows = append(rows, r)
			fmt.Fprintf(b.log, "%-32s %-6s %s (%.0f s)\n", op.name, alg, r, time.Since(begin).Seconds())
		}
	}
	return rows, nil
}

// String returns the median of each subject, in microseconds, on one line.
func (r row) String() string {
	text := ""
	for _, s := range subjects() {
		if c := r.costs[s.name]; c != nil {
			text += fmt.Sprintf("  %s %.1f", s.name, median(c.micros))
		}
	}
	return text
}

func (b *bench) row(op *operation, alg string) (r row, err error) {
	where := op.name + " " + alg
	g, err := b.open(where, op, alg)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	r = row{op: op, alg: alg, costs: map[string]*cost{}}
	n := b.slice(op, alg)
	for range b.blocks {
		took := map[string]time.Duration{}
		for slice := range slicesPerBlock {
			for i := range g.processes { // each is the first one in some slices
				p := g.processes[(i+slice)%len(g.processes)]
				if p.ended != nil {
					continue
				}
				result, err := p.run(op, n, 1, g.public)
				if err != nil {
					if err = b.survive(where, err); err != nil {
						return r, err
					}
					delete(r.costs, p.subject.name)
					delete(took, p.subject.name)
					continue
				}
				took[p.subject.name] += result.CPU
				r.add(p.subject.name, result)
			}
		}
		for name, d := range took {
			c := r.costs[name]
			c.micros = append(c.micros, d.Seconds()*1e6/float64(n*slicesPerBlock))
		}
	}
	for _, c := range r.costs {
		c.allocs /= float64(n * b.blocks * slicesPerBlock)
		c.bytes /= float64(n * b.blocks * slicesPerBlock)
	}
	return r, nil
}

func (r *row) add(name string, result reply) {
	if r.costs[name] == nil {
		r.costs[name] = &cost{}
	}
	r.costs[name].allocs += float64(result.Allocs)
	r.costs[name].bytes += float64(result.Bytes)
}

// ratio returns the cost of a subject over that of another one: the median of the ratios of the blocks, which were measured at the same
// time. It returns 0 if one of them does not have the operation.
func (r *row) ratio(name, over string) float64 {
	a, b := r.costs[name], r.costs[over]
	if a == nil || b == nil {
		return 0
	}
	ratios := make([]float64, len(a.micros))
	for i := range ratios {
		ratios[i] = a.micros[i] / b.micros[i]
	}
	return median(ratios)
}

// quantile returns the value that a share of the samples does not exceed.
func quantile(samples []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	at := share * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

func median(samples []float64) float64 { return quantile(samples, 0.5) }
