package main

import (
	"fmt"
	"strings"
)

// aim is one row of the table of aims.
type aim struct {
	text string
	// value returns what was measured, and false if the section was not.
	value func(*results) (float64, bool)
	limit float64
	least bool // the limit is a lower bound
	form  string
}

func (a aim) reached(v float64) bool {
	if a.least {
		return v >= a.limit
	}
	return v <= a.limit
}

// aims returns what the cost of the provider is compared with.
func aims() []aim {
	return []aim{
		overFloor("code exchange ES256, times the floor", opExchange, es256, 1.25),
		overFloor("code exchange EdDSA, times the floor", opExchange, eddsa, 1.30),
		overFloor("refresh ES256, times the floor", opRefresh, es256, 1.25),
		overFloor("refresh EdDSA, times the floor", opRefresh, eddsa, 1.25),
		overFloor("login ES256 from a new browser, times the floor", opLogin, es256, 1.55),
		overFloor("login ES256 with SSO, times the floor", opSSOLogin, es256, 1.40),
		overFloor("private_key_jwt, times the floor", opPrivateKey, es256, 1.15),
		overFloor("DPoP proof ES256, times one bare verification", opProof, es256, 1.25),
		overFloor("DPoP proof EdDSA, times one bare verification", opProof, eddsa, 1.25),
		absolute("authorize to the login page, µs", opLoginPage, 5),
		absolute("first login to the code, µs", opFirstCode, 20),
		{text: "discovery, times the null handler", limit: 1.5, form: "%.2f", value: func(r *results) (float64, bool) {
			row := r.row(opMetadata, es256)
			if row == nil {
				return 0, false
			}
			return row.ratio(ours, "null"), true
		}},
		{text: "heap kept per finished login, bytes", limit: 700, form: "%.0f", value: func(r *results) (float64, bool) {
			m, ok := r.heap[ours]
			return m.kept, ok
		}},
		{text: "… after everything has expired, bytes (0, rounded)", limit: 0.5, form: "%.1f", value: func(r *results) (float64, bool) {
			m, ok := r.heap[ours]
			return m.expired, ok
		}},
		{text: "two cores over one, the least of the operations that sign", limit: 1.8, least: true, form: "%.2f", value: leastGain(true)},
		{text: "two cores over one, the least of the others", limit: 1.7, least: true, form: "%.2f", value: leastGain(false)},
		{text: "a large store over one of a thousand logins, the most of all operations", limit: 1.2, form: "%.2f", value: func(r *results) (float64, bool) {
			most := 0.0
			for _, c := range r.sizes {
				if ratios := c.ratios[ours]; ratios != nil {
					most = max(most, median(ratios))
				}
			}
			return most, most > 0
		}},
	}
}

func overFloor(text, op, alg string, limit float64) aim {
	return aim{text: text, limit: limit, form: "%.2f", value: func(r *results) (float64, bool) {
		row := r.row(op, alg)
		if row == nil {
			return 0, false
		}
		return row.ratio(ours, "floor"), true
	}}
}

func absolute(text, op string, limit float64) aim {
	return aim{text: text, limit: limit, form: "%.1f", value: func(r *results) (float64, bool) {
		row := r.row(op, es256)
		if row == nil {
			return 0, false
		}
		return median(row.costs[ours].micros), true
	}}
}

func leastGain(signs bool) func(*results) (float64, bool) {
	return func(r *results) (float64, bool) {
		least := 0.0
		for _, c := range r.cores {
			ratios := c.ratios[ours]
			if ratios == nil || c.op.signs() != signs {
				continue
			}
			if gain := median(ratios); least == 0 || gain < least {
				least = gain
			}
		}
		return least, least > 0
	}
}

func (r *results) writeAims(w *strings.Builder) {
	w.WriteString("| aim | limit | measured | |\n|---|--:|--:|---|\n")
	for _, a := range aims() {
		v, ok := a.value(r)
		if !ok {
			continue
		}
		verdict, sign := "not reached", "≤"
		if a.reached(v) {
			verdict = "reached"
		}
		if a.least {
			sign = "≥"
		}
		fmt.Fprintf(w, "| %s | %s %g | "+a.form+" | %s |\n", a.text, sign, a.limit, v, verdict)
	}
	r.writeSpeed(w)
}

// aimedFloor is the floor of a code exchange with ES256, in µs, on the machine for which the aims in µs were set.
const aimedFloor = 62.3

// writeSpeed writes what the aims in µs are on this machine, by its floor.
func (r *results) writeSpeed(w *strings.Builder) {
	row := r.row(opExchange, es256)
	if row == nil || row.costs["floor"] == nil {
		return
	}
	floor := median(row.costs["floor"].micros)
	fmt.Fprintf(w, "\nThe aims in µs are for a machine on which the floor of a code exchange with ES256 is %.1f µs. Here it is %.1f µs, which makes 5 and 20 µs %.1f and %.1f µs.\n",
		aimedFloor, floor, 5*floor/aimedFloor, 20*floor/aimedFloor)
}
