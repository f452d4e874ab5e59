package provider_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/portner-go/portner/keyset"
	"github.com/stretchr/testify/require"
)

// maxRatio is the most a code exchange may cost in bare ES256 signatures of the same run. The goal is
// 1.3; the rest is for machines that do something else at the same time.
const maxRatio = 1.6

// How much is measured: a machine is noisy for milliseconds and for minutes, so every pass goes through
// all operations and takes its ratios within the pass, and the medians of the passes count.
const (
	passes    = 9
	batchTime = 30 * time.Millisecond
)

// BenchmarkCosts prints what every operation costs beside two bare signatures, and fails if a code
// exchange costs too much. Run it with -benchtime 1x: it repeats by itself.
func BenchmarkCosts(b *testing.B) {
	var rows []*row
	for _, alg := range []string{"RS256", keyset.ES256, keyset.EdDSA} {
		bed := newBed(b, alg)
		for i := range operations {
			if o := &operations[i]; o.perAlg || alg == keyset.ES256 {
				rows = append(rows, &row{operation: o, alg: alg, bed: bed})
			}
		}
	}
	slices.SortStableFunc(rows, func(x, y *row) int { return cmp.Compare(x.place(), y.place()) })
	for range passes {
		for _, r := range rows {
			r.measure(b)
		}
	}
	t := table{rows}
	t.print(os.Stdout)
	printScaling(b, os.Stdout)
	b.ReportMetric(0, "ns/op") // of the whole run: it says nothing
	if ratio := t.ratio(t.find("code exchange", keyset.ES256)); ratio > maxRatio {
		b.Errorf("a code exchange costs %.2f times its two ES256 signatures, at most %.2f is allowed", ratio, maxRatio)
	}
}

// BenchmarkOperation is each operation by itself, for profiles:
//
//	go test -run '^$' -bench 'Operation/code_exchange/ES256' -benchtime 20000x -cpuprofile cpu.out ./provider/
func BenchmarkOperation(b *testing.B) {
	for _, o := range operations {
		b.Run(o.name, func(b *testing.B) {
			for _, alg := range []string{"RS256", keyset.ES256, keyset.EdDSA} {
				if !o.perAlg && alg != keyset.ES256 {
					continue
				}
				b.Run(alg, func(b *testing.B) {
					do, w := o.prepare(b, newBed(b, alg), b.N), newSink()
					b.ReportAllocs()
					b.ResetTimer()
					for i := range b.N {
						if !do(w, i) {
							b.Fatal(w.status)
						}
					}
				})
			}
		})
	}
}

// row is one operation with one algorithm.
type row struct {
	*operation
	alg    string
	bed    *bed
	size   int             // of a batch
	times  []time.Duration // of one operation, by pass
	allocs []float64
}

func (r *row) place() int {
	return slices.IndexFunc(operations, func(o operation) bool { return o.name == r.name })
}

// measure does one batch. The first, which finds the size of the others, does not count.
func (r *row) measure(b *testing.B) {
	b.Helper()
	if r.size == 0 {
		const few = 20
		took, _ := r.batch(b, few)
		r.size = min(max(int(batchTime*few/max(took, 1)), few), 200_000)
	}
	took, allocs := r.batch(b, r.size)
	r.times = append(r.times, took/time.Duration(r.size))
	r.allocs = append(r.allocs, float64(allocs/uint64(r.size)))
}

func (r *row) batch(b *testing.B, n int) (time.Duration, uint64) {
	b.Helper()
	do, w, ok := r.prepare(b, r.bed, n), newSink(), true
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for i := range n {
		ok = do(w, i) && ok
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	require.True(b, ok, "%s: status %d", r.name, w.status)
	return took, after.Mallocs - before.Mallocs
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// table is all rows of one run.
type table struct{ rows []*row }

func (t table) find(name, alg string) *row {
	for _, r := range t.rows {
		if r.name == name && (r.alg == alg || !r.perAlg) {
			return r
		}
	}
	return nil
}

// ratio is what the row costs in pairs of bare signatures of its algorithm.
func (t table) ratio(r *row) float64 {
	bare := t.find("two bare signatures", r.alg)
	ratios := make([]float64, len(r.times))
	for i := range ratios {
		ratios[i] = float64(r.times[i]) / float64(bare.times[i])
	}
	return median(ratios)
}

// rest is what the row costs beside its signatures and the harness.
func (t table) rest(r *row) time.Duration {
	bare, idle := t.find("two bare signatures", r.alg), t.find(harness, "")
	rests := make([]time.Duration, len(r.times))
	for i := range rests {
		rests[i] = r.times[i] - idle.times[i] - bare.times[i]*time.Duration(r.signatures)/2
	}
	return median(rests)
}

const nameWidth = 30 // of the first column, which alone is written from the left

func (t table) print(out io.Writer) {
	fmt.Fprintf(out, "\nMedians of %d passes, %d cores, %s %s/%s. The last two columns are within the run: the operation over two bare\n"+
		"signatures, and what is left of it beside its own signatures and the harness.\n\n",
		passes, runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-*s\talg\tsignatures\tns/op\tallocs/op\tratio\trest µs\t\n", nameWidth, "operation")
	for _, r := range t.rows {
		alg, ratio, rest := r.alg, fmt.Sprintf("%.2f", t.ratio(r)), fmt.Sprintf("%.1f", float64(t.rest(r))/1e3)
		if !r.perAlg {
			alg = "-"
		}
		if r.place() == 0 || r.name == harness || median(r.times) < time.Microsecond {
			rest = "-"
		}
		fmt.Fprintf(w, "%-*s\t%s\t%d\t%d\t%.0f\t%s\t%s\t\n", nameWidth, r.name, alg, r.signatures, median(r.times), median(r.allocs), ratio, rest)
	}
	w.Flush()
}

// printScaling prints how much more two cores do than one.
func printScaling(b *testing.B, out io.Writer) {
	b.Helper()
	if runtime.NumCPU() < 2 {
		fmt.Fprintln(out, "\nOne core: nothing to say about two.")
		return
	}
	bed := newBed(b, keyset.ES256)
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-*s\tratio\t\n", nameWidth, "two cores over one")
	for _, o := range operations {
		if o.name == "code exchange" || o.name == "introspection, opaque token" || o.name == "two bare signatures" {
			fmt.Fprintf(w, "%-*s\t%.2f\t\n", nameWidth, o.name, scaling(b, o, bed))
		}
	}
	w.Flush()
}

func scaling(b *testing.B, o operation, bed *bed) float64 {
	b.Helper()
	const n = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ratios []float64
	for range passes {
		runtime.GOMAXPROCS(1)
		one := parallel(b, o.prepare(b, bed, n), 1, n)
		runtime.GOMAXPROCS(2)
		two := parallel(b, o.prepare(b, bed, n), 2, n)
		ratios = append(ratios, float64(one)/float64(two))
	}
	return median(ratios)
}

// parallel does n operations in several goroutines.
func parallel(b *testing.B, do work, workers, n int) time.Duration {
	b.Helper()
	runtime.GC()
	var wg sync.WaitGroup
	begin := time.Now()
	for k := range workers {
		wg.Go(func() {
			w := newSink()
			for i := k; i < n; i += workers {
				if !do(w, i) {
					b.Error(w.status)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}
