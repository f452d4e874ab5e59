package main

import (
	"fmt"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotWidth  = 860
	plotLabels = 260 // left of the bars
	barHeight  = 11
	rowGap     = 10
	plotTop    = 54
)

// colours of the bars, in the order of the providers.
var colours = []string{"#1f6f8b", "#c77b30", "#8a8a8a", "#6a5a9a"}

// svg draws the operations with signatures: the cost of each provider as a multiple of the floor.
func (r *results) svg() string {
	var body strings.Builder
	names, y, most := measured(), plotTop, 1.0
	var drawn []*row
	for i := range r.rows {
		row := &r.rows[i]
		if !row.weighs() {
			continue
		}
		drawn = append(drawn, row)
		for _, name := range names {
			most = max(most, row.ratio(name, "floor"))
		}
	}
	scale := float64(plotWidth-plotLabels-50) / most
	for _, row := range drawn {
		fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s %s</text>`+"\n", plotLabels-8, y+barHeight-1, row.op.name, row.algorithm())
		for k, name := range names {
			over := row.ratio(name, "floor")
			if over == 0 {
				continue
			}
			fmt.Fprintf(&body, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" class="n">%.2f</text>`+"\n",
				plotLabels, y, over*scale, barHeight-1, colours[k%len(colours)], plotLabels+over*scale+4, y+barHeight-2, over)
			y += barHeight
		}
		y += rowGap
	}
	fmt.Fprintf(&body, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#444" stroke-dasharray="3 3"/>`+"\n",
		plotLabels+scale, plotTop-6, plotLabels+scale, y-rowGap+4)
	var w strings.Builder
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#222">`+"\n",
		plotWidth, y+8, plotWidth, y+8)
	fmt.Fprintf(&w, "<style>.n{font-size:9px}</style><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n")
	fmt.Fprintf(&w, `<text x="8" y="18" font-size="13">CPU time over the floor (dashed line: bare signatures, hashes and a null handler)</text>`+"\n")
	for k, name := range names {
		x := plotLabels + 110*k
		fmt.Fprintf(&w, `<rect x="%d" y="27" width="10" height="10" fill="%s"/><text x="%d" y="36">%s</text>`+"\n", x, colours[k%len(colours)], x+14, name)
	}
	w.WriteString(body.String() + "</svg>\n")
	return w.String()
}
