package memory

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
)

// symbols numbers the texts that many records share and that are registered or configured: client IDs, customers, scopes, levels,
// methods, languages, redirect URIs. A record has the number instead of the text. All stores of a process share the table. It never
// shrinks, and it is bounded: a text that does not fit in is part of the record. Texts that callers choose (user agents, resources and
// audiences, ports of loopback addresses) and organisation numbers are always part of the record, so that requests cannot fill the
// table.
var symbols symbolTable

const (
	maxSymbols    = 4096
	maxSymbolText = 128
)

type symbolTable struct {
	numbers sync.Map // string to int
	mu      sync.Mutex
	used    int
	texts   [maxSymbols]atomic.Pointer[string]
}

func (t *symbolTable) number(text string) (int, bool) {
	if n, ok := t.numbers.Load(text); ok {
		return n.(int), true
	}
	if len(text) > maxSymbolText {
		return 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.numbers.Load(text); ok {
		return n.(int), true
	}
	if t.used == maxSymbols {
		return 0, false
	}
	n, own := t.used, strings.Clone(text)
	t.texts[n].Store(&own)
	t.numbers.Store(own, n)
	t.used++
	return n, true
}

// putSymbol writes the number plus one, or 0 and the text.
func putSymbol(b []byte, text string) []byte {
	if n, ok := symbols.number(text); ok {
		return binary.AppendUvarint(b, uint64(n)+1)
	}
	return putText(b, text)
}

// putText writes a text that symbol reads, but that is not in the table.
func putText(b []byte, text string) []byte { return putString(append(b, 0), text) }

func putSymbols(b []byte, texts []string) []byte {
	if texts == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(texts))+1)
	for _, s := range texts {
		b = putSymbol(b, s)
	}
	return b
}

func (r *reader) symbol() string {
	n := r.size()
	if n == 0 {
		return r.string()
	}
	return *symbols.texts[n-1].Load()
}

func (r *reader) symbols() []string {
	n := r.size()
	if n == 0 {
		return nil
	}
	v := make([]string, n-1)
	for i := range v {
		v[i] = r.symbol()
	}
	return v
}
