package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A frame is where the values of a panel are drawn: from 0 to top.
type frame struct {
	x, y, w, h, top float64
	unit            string
}

// point is where the value of a look goes.
func (f frame) point(look int, v float64) string {
	return fmt.Sprintf("%.0f %.1f", f.x+f.w*float64(look)/(looks-1), f.y+f.h*(1-v/f.top))
}

// holding is the frame in which the highest of lines has room.
func (f frame) holding(lines []line) frame {
	for _, l := range lines {
		for _, v := range l.values {
			if v > f.top && !math.IsInf(v, 0) {
				f.top = v
			}
		}
	}
	f.top = cmp.Or(f.top, 1)
	return f
}

// axis draws what the heights mean.
func (d *drawing) axis(f frame) {
	for _, part := range []float64{0, 0.5, 1} {
		y := f.y + f.h*(1-part)
		d.add(`<path d="M%.1f %.1fh%.1f" stroke="#2c3235"/>`, f.x, y, f.w)
		d.text(f.x-4, y+3, `fill="#8e8e9e" font-size="9" text-anchor="end"`, told(f.top*part, f.unit))
	}
}

// chart draws lines.
func (d *drawing) chart(f frame, lines []line) {
	f = f.holding(lines)
	d.axis(f)
	for i, l := range lines {
		d.trace(f, l, colour(i))
	}
	d.legend(f, lines)
}

// trace draws one line.
func (d *drawing) trace(f frame, l line, in string) {
	d.add(`<path d="%s" fill="none" stroke="%s"><title>%s</title></path>`, f.path(l.values), in, html.EscapeString(l.name))
}

// stack draws lines on top of each other.
func (d *drawing) stack(f frame, lines []line) {
	piled := piled(lines)
	f = f.holding(piled)
	d.axis(f)
	for i, l := range lines {
		area := f.path(piled[i+1].values)
		for look, v := range slices.Backward(piled[i].values) {
			area += "L" + f.point(look, v)
		}
		d.add(`<path d="%sZ" fill="%s" fill-opacity=".3"/>`, area, colour(i))
		d.trace(f, line{l.name, piled[i+1].values}, colour(i))
	}
	d.legend(f, lines)
}

// piled is what lines come to on top of each other, from nothing on.
func piled(lines []line) []line {
	sums := make([]float64, looks)
	all := []line{{values: slices.Clone(sums)}}
	for _, l := range lines {
		for look, v := range l.values {
			if !math.IsNaN(v) {
				sums[look] += v
			}
		}
		all = append(all, line{l.name, slices.Clone(sums)})
	}
	return all
}

// path is a line through values; it stops where there is none.
func (f frame) path(values []float64) string {
	var b strings.Builder
	for look, v := range values {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			continue
		case look == 0 || math.IsNaN(values[look-1]):
			b.WriteString("M" + f.point(look, v))
		default:
			b.WriteString("L" + f.point(look, v))
		}
	}
	return b.String()
}

// legend names as many of the lines as there is room for in two rows.
func (d *drawing) legend(f frame, lines []line) {
	const letter = 5.5
	x, y := f.x-3*edge, f.y+f.h+17
	for i, l := range lines {
		long := letter*float64(len(l.name)) + 20
		if x+long > f.x+f.w && x > f.x {
			x, y = f.x-3*edge, y+13
		}
		if y > f.y+f.h+below {
			return
		}
		d.add(`<rect x="%.1f" y="%.1f" width="8" height="3" fill="%s"/>`, x, y-5, colour(i))
		d.text(x+11, y, `fill="#ccccdc" font-size="10"`, l.name)
		x += long
	}
}

// together is how many looks one cell of a heatmap has.
const together = 2

// heat draws buckets as cells, the brighter the more is in them.
func (d *drawing) heat(f frame, lines []line) {
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(bound(a), bound(b)) })
	cells, most := cellsOf(lines)
	wide, high := f.w*together/looks, f.h/float64(len(lines))
	for i, cell := range cells {
		y := f.y + f.h - high*float64(i+1)
		if i%3 == 1 {
			d.text(f.x-4, y+high/2+3, `fill="#8e8e9e" font-size="9" text-anchor="end"`, told(bound(lines[i]), f.unit))
		}
		for j, v := range cell {
			if v > 0 {
				d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#ff9830" fill-opacity="%.2f"/>`, f.x+wide*float64(j), y, wide-.5, high-.5, max(.08, math.Sqrt(v/most)))
			}
		}
	}
}

// cellsOf are what is in each bucket alone, and the most that is in one: a bucket
// of Prometheus holds what is in those below it too.
func cellsOf(lines []line) (cells [][]float64, most float64) {
	for i, l := range lines {
		cell := make([]float64, looks/together)
		for look, v := range l.values {
			if i > 0 {
				v -= lines[i-1].values[look]
			}
			if v > 0 {
				cell[look/together] += v
			}
		}
		cells, most = append(cells, cell), max(most, slices.Max(cell))
	}
	return cells, most
}

// bound is up to where a bucket reaches.
func bound(l line) float64 {
	le, err := strconv.ParseFloat(l.name, 64)
	if err != nil {
		return math.Inf(1)
	}
	return le
}

func colour(i int) string {
	all := []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#fade2a", "#c4162a"}
	return all[i%len(all)]
}

// told is a value with its unit, as Grafana shows it.
func told(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "none"
	case unit == "reqps":
		return fmt.Sprintf("%.3g/s", v)
	case unit == shares:
		return fmt.Sprintf("%.3g%%", 100*v)
	case unit != "s" || v == 0 || v >= 1:
		return fmt.Sprintf("%.3g", v)
	case v >= .001:
		return fmt.Sprintf("%.3g ms", 1000*v)
	}
	return fmt.Sprintf("%.3g µs", 1e6*v)
}
