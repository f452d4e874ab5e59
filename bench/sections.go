package main

import (
	"crypto"
	"errors"
	"fmt"
	"time"
)

// residue is the heap that a subject keeps.
type residue struct {
	kept    float64 // bytes for each finished login
	expired float64 // bytes for each login after everything has expired
	expires bool
}

// heapTable measures what finished logins keep: session, used code and tokens.
func (b *bench) heapTable() (map[string]residue, error) {
	all := map[string]residue{}
	op, err := operationNamed(opLogin)
	if err != nil {
		return nil, err
	}
	g, err := b.open("heap", op, es256)
	if err != nil {
		return nil, err
	}
	for _, p := range g.processes {
		if p.subject.silent {
			continue
		}
		m, err := p.memory(op, b.n, g)
		if err != nil {
			if err = b.survive("heap", err); err != nil {
				return all, errors.Join(err, g.close())
			}
			continue
		}
		all[p.subject.name] = m
		fmt.Fprintf(b.log, "heap %s: %+v\n", p.subject.name, m)
	}
	return all, g.close()
}

func (p *process) memory(op *operation, n int, g *group) (m residue, err error) {
	logins := func(n int) error { // in parts, whose answers are verified
		for ; n > 0; n -= 500 {
			if _, err := p.run(op, min(n, 500), 1, g.public); err != nil {
				return err
			}
		}
		return nil
	}
	if err := logins(1000); err != nil { // pools and tables that do not depend on the number
		return m, err
	}
	before, err := p.call(command{Do: "heap"})
	if err != nil {
		return m, err
	}
	if err := logins(n); err != nil {
		return m, err
	}
	after, err := p.call(command{Do: "heap"})
	if err != nil {
		return m, err
	}
	m.kept = (float64(after.Heap) - float64(before.Heap)) / float64(n)
	if m.expires = p.opened.Expires; !m.expires {
		return m, nil
	}
	if _, err := p.call(command{Do: "expire"}); err != nil {
		return m, err
	}
	empty, err := p.call(command{Do: "heap"})
	m.expired = max(float64(empty.Heap)-float64(before.Heap), 0) / float64(n)
	return m, err
}

// comparison holds ratios of one operation, by subject: one for each block.
type comparison struct {
	op     *operation
	alg    string
	ratios map[string][]float64
}

// scalingTable measures what a second core gains. Wall time depends on the load of the machine, so that the gain is computed: two cores do
// the same work in half of the CPU time and of the time that goroutines waited for mutexes. The gain of the floor is that of the
// signatures: cores that share caches and execution units gain less than two.
func (b *bench) scalingTable() ([]comparison, error) {
	var all []comparison
	for _, op := range operations() {
		if op.prepare == nil {
			continue
		}
		c, err := b.scaling(&op)
		if err != nil {
			return all, err
		}
		all = append(all, c)
		fmt.Fprintf(b.log, "two cores, %-32s %s\n", op.name, c)
	}
	return all, nil
}

func (b *bench) scaling(op *operation) (c comparison, err error) {
	c = comparison{op: op, alg: es256, ratios: map[string][]float64{}}
	where := "two cores, " + op.name
	g, err := b.open(where, op, es256)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	counts := map[*process]int{}
	for range b.blocks {
		for _, p := range g.processes {
			if p.subject.name == "null" || p.ended != nil {
				continue
			}
			gain, err := b.gain(op, p, counts, g)
			if err != nil {
				if err = b.survive(where, err); err != nil {
					return c, err
				}
				delete(c.ratios, p.subject.name)
				continue
			}
			c.ratios[p.subject.name] = append(c.ratios[p.subject.name], gain)
		}
	}
	return c, nil
}

// gain measures one block on one and on two cores. The first block of a process finds how many operations a slice has: the second core
// takes some time to start, which a short slice would consist of.
func (b *bench) gain(op *operation, p *process, counts map[*process]int, g *group) (float64, error) {
	n := counts[p]
	if n == 0 {
		n = max(b.slice(op, es256), 2)
		r, err := p.run(op, n, 1, g.public)
		if err != nil {
			return 0, err
		}
		n *= 1 + int(b.least/max(r.CPU, time.Microsecond))
		counts[p] = n
	}
	var one, two time.Duration
	for range slicesPerBlock / 2 {
		alone, err := p.run(op, n, 1, g.public)
		if err != nil {
			return 0, err
		}
		both, err := p.run(op, n, 2, g.public)
		if err != nil {
			return 0, err
		}
		one += alone.CPU
		two += both.CPU + both.Wait
	}
	return 2 * float64(one) / float64(two), nil
}

// String returns the median and the quartiles of each subject on one line.
func (c comparison) String() string {
	text := ""
	for _, s := range subjects() {
		if r := c.ratios[s.name]; r != nil {
			text += fmt.Sprintf("  %s %.2f (%.2f–%.2f)", s.name, median(r), quantile(r, 0.25), quantile(r, 0.75))
		}
	}
	return text
}

// smallStore is the number of logins in the store that the large one is compared with.
const smallStore = 1000

// sizeTable measures what operations cost with many logins in the store, over their cost with a thousand. One subject is measured after the
// other, because a large store takes gigabytes.
func (b *bench) sizeTable() ([]comparison, error) {
	var all []comparison
	for _, op := range operations() {
		if op.prepare == nil || op.name == opMetadata || op.name == opJWKS || op.name == opPrivateKey {
			continue
		}
		all = append(all, comparison{op: &op, alg: es256, ratios: map[string][]float64{}})
	}
	for _, s := range subjects() {
		if s.silent {
			continue
		}
		if err := b.sizes(s, all); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (b *bench) sizes(s subject, all []comparison) (err error) {
	set := settings{Op: opLogin, Alg: es256, Key: b.keys[es256], ClientKey: b.keys["client"], Opaque: s.oneKind}
	key, err := set.signer()
	if err != nil {
		return err
	}
	large, err := filled(s, set, b.entries)
	if err != nil {
		return b.survive("large store", err)
	}
	defer func() { err = errors.Join(err, large.close()) }()
	for _, c := range all {
		if s.lacking(c.op.name, es256) != "" || c.op.opaque != s.oneKind && s.oneKind {
			continue
		}
		ratios, err := b.size(s, set, c.op, large, key.Public())
		if err != nil { // without the large store, the operations below it have dashes too
			return b.survive("large store, "+c.op.name+" and what is below it", err)
		}
		c.ratios[s.name] = ratios
		fmt.Fprintf(b.log, "%d logins, %-32s %s\n", b.entries, c.op.name, c)
	}
	return nil
}

// size compares an operation in the large store with the same in a small one, which is new because each operation adds records. A collection
// of a large store takes longer than a block, so that most blocks would have none and one of them a whole one. None runs while operations
// are measured; each block pays for the bytes that it allocates.
func (b *bench) size(s subject, set settings, op *operation, large *process, public crypto.PublicKey) (ratios []float64, err error) {
	small, err := filled(s, set, smallStore)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, small.close()) }()
	var perByte [2]float64
	for i, p := range [2]*process{small, large} {
		r, err := p.call(command{Do: "collect"})
		if err != nil {
			return nil, err
		}
		perByte[i] = float64(r.CPU) / float64(r.Bytes)
	}
	n := max(b.slice(op, es256)/5, 1)
	for range b.blocks {
		var took [2]float64
		for range slicesPerBlock {
			for i, p := range [2]*process{small, large} {
				if _, err := p.call(command{Do: "use", Set: settings{Op: op.name}}); err != nil {
					return nil, err
				}
				r, err := p.run(op, n, 1, public)
				if err != nil {
					return nil, err
				}
				took[i] += float64(r.CPU) + perByte[i]*float64(r.Bytes)
			}
		}
		ratios = append(ratios, took[1]/took[0])
	}
	return ratios, nil
}

// filled starts a child with n logins in its store.
func filled(s subject, set settings, n int) (*process, error) {
	p, err := start(s, set)
	if err != nil {
		return nil, err
	}
	if _, err := p.call(command{Do: "fill", N: n}); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}
