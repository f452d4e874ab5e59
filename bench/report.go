package main

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// results are the results of one run. A section that was not measured is nil.
type results struct {
	n, entries int
	date       string
	rows       []row
	sockets    []row
	heap       map[string]residue
	cores      []comparison
	sizes      []comparison
	lost       []string // what could not be measured, and why
}

func (r *results) row(op, alg string) *row {
	for i := range r.rows {
		if r.rows[i].op.name == op && r.rows[i].alg == alg {
			return &r.rows[i]
		}
	}
	return nil
}

// measured returns the names of the subjects that are providers.
func measured() (names []string) {
	for _, s := range subjects() {
		if !s.silent {
			names = append(names, s.name)
		}
	}
	return names
}

const ours = "portner"

func (r *results) markdown() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s, %s, %s/%s, %s. `make peers`, n = %d.\n\n", r.date, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(versions(), ", "), r.n)
	w.WriteString("### Aims\n\n")
	r.writeAims(&w)
	w.WriteString("\n### CPU time per operation, one core, without sockets\n\n" +
		"µs: the median of ten blocks, with the quartiles in parentheses; then allocations. The bold number is the ratio to the floor: the median of the ratios of the blocks.\n\n")
	writeRows(&w, r.rows)
	if r.sockets != nil {
		fmt.Fprintf(&w, "\n### CPU time of the server process per request, over loopback HTTP\n\nES256, one core, %d keep-alive connections.\n\n", connections)
		writeRows(&w, r.sockets)
	}
	if r.heap != nil {
		w.WriteString("\n### Heap kept per finished login, bytes\n\n")
		r.writeHeap(&w)
	}
	if r.cores != nil {
		w.WriteString("\n### Two cores over one\n\n")
		writeComparisons(&w, r.cores, append([]string{"floor"}, measured()...))
	}
	if r.sizes != nil {
		fmt.Fprintf(&w, "\n### %d logins in the store over %d\n\n", r.entries, smallStore)
		writeComparisons(&w, r.sizes, measured())
	}
	r.writeReasons(&w)
	return w.String()
}

// versions returns the modules that were measured, with their versions.
func versions() []string {
	names := []string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return names
	}
	for _, d := range info.Deps {
		if slices.Contains(peerModules, d.Path) {
			names = append(names, strings.TrimPrefix(d.Path, "github.com/")+" "+d.Version)
		}
	}
	return names
}

func writeRows(w *strings.Builder, rows []row) {
	w.WriteString("| operation | alg |")
	line := "|---|---|"
	for _, s := range subjects() {
		w.WriteString(" " + s.name + " |")
		line += "---|"
	}
	w.WriteString(" best peer / portner |\n" + line + "--:|\n")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "| %s | %s |", r.op.name, r.algorithm())
		for _, s := range subjects() {
			w.WriteString(" " + r.cell(s) + " |")
		}
		if best, name := r.bestPeer(); name != "" {
			fmt.Fprintf(w, " %.2f (%s) |\n", best, name)
		} else {
			w.WriteString(" – |\n")
		}
	}
}

func (r *row) algorithm() string {
	if r.op.signs() || r.op.prepare == nil {
		return r.alg
	}
	return ""
}

func (r *row) cell(s subject) string {
	c := r.costs[s.name]
	if c == nil {
		return "–"
	}
	text := fmt.Sprintf("%s (%s–%s) · %.0f", short(median(c.micros)), short(quantile(c.micros, 0.25)), short(quantile(c.micros, 0.75)), c.allocs)
	if over := r.ratio(s.name, "floor"); over > 0 && !s.silent && r.weighs() {
		text += fmt.Sprintf(" · **%.2f**", over)
	}
	return text
}

// weighs reports whether the floor has cryptography that is worth a ratio.
func (r *row) weighs() bool { return r.op.signs() || r.op.prepare == nil }

func short(micros float64) string {
	if micros >= 100 {
		return fmt.Sprintf("%.0f", micros)
	}
	return fmt.Sprintf("%.1f", micros)
}

// bestPeer returns the cost of the cheapest peer over that of portner.
func (r *row) bestPeer() (ratio float64, name string) {
	for _, s := range subjects() {
		if !s.peer() {
			continue
		}
		if over := r.ratio(s.name, ours); over > 0 && (name == "" || over < ratio) {
			ratio, name = over, s.name
		}
	}
	return ratio, name
}

func (r *results) writeHeap(w *strings.Builder) {
	w.WriteString("| | kept | after everything has expired |\n|---|--:|--:|\n")
	for _, name := range measured() {
		m, ok := r.heap[name]
		if !ok {
			continue
		}
		expired := "–"
		if m.expires {
			expired = fmt.Sprintf("%.0f", m.expired)
		}
		fmt.Fprintf(w, "| %s | %.0f | %s |\n", name, m.kept, expired)
	}
}

func writeComparisons(w *strings.Builder, all []comparison, names []string) {
	w.WriteString("| operation |")
	line := "|---|"
	for _, name := range names {
		w.WriteString(" " + name + " |")
		line += "---|"
	}
	w.WriteString("\n" + line + "\n")
	for _, c := range all {
		fmt.Fprintf(w, "| %s |", c.op.name)
		for _, name := range names {
			if r := c.ratios[name]; r != nil {
				fmt.Fprintf(w, " %.2f (%.2f–%.2f) |", median(r), quantile(r, 0.25), quantile(r, 0.75))
			} else {
				w.WriteString(" – |")
			}
		}
		w.WriteString("\n")
	}
}

// writeReasons lists why there are dashes.
func (r *results) writeReasons(w *strings.Builder) {
	w.WriteString("\n### Operations that a subject does not have\n\n")
	for _, s := range subjects() {
		byReason := map[string][]string{}
		for op, reason := range s.lacks {
			byReason[reason] = append(byReason[reason], op)
		}
		for _, reason := range slices.Sorted(maps.Keys(byReason)) {
			fmt.Fprintf(w, "- %s: %s: %s.\n", s.name, strings.Join(slices.Sorted(slices.Values(byReason[reason])), "; "), reason)
		}
	}
	for _, text := range r.lost {
		fmt.Fprintf(w, "- %s.\n", text)
	}
}
