package main

import (
	"bytes"
	"fmt"
	"html"
	"slices"
)

// The size of one of Grafana's units, and what a panel keeps around its values, in
// pixels.
const (
	unitWide, unitHigh = 40, 28
	edge, above, below = 10, 28, 40
)

// picture draws the rows on what is decided, which come first.
func picture(from prometheus) ([]byte, error) {
	panels := shown()
	end := panels[len(panels)-1].GridPos
	var d drawing
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`, width*unitWide, (end.Y+end.H)*unitHigh)
	d.add(`<title>The first rows of the dashboard, drawn from what Prometheus has of a server</title>`)
	d.add(`<rect width="100%%" height="100%%" fill="#111217"/>`)
	for _, p := range panels {
		lines, err := from.lines(p)
		if err != nil {
			return nil, err
		}
		d.panel(p, lines)
	}
	d.add(`</svg>`)
	return d.Bytes(), nil
}

// shown are the panels of the picture.
func shown() []panel {
	all := dashboard().Panels
	return all[:slices.IndexFunc(all, func(p panel) bool { return p.Title == freshness().title })]
}

// A drawing is lines of SVG.
type drawing struct{ bytes.Buffer }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y float64, style, s string) {
	d.add(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, style, html.EscapeString(s))
}

// panel draws a panel in its place.
func (d *drawing) panel(p panel, lines []line) {
	x, y := float64(p.GridPos.X*unitWide), float64(p.GridPos.Y*unitHigh)
	w, h := float64(p.GridPos.W*unitWide), float64(p.GridPos.H*unitHigh)
	if p.Type == "row" {
		d.text(x+edge, y+h-8, `fill="#ccccdc" font-size="13" font-weight="bold"`, p.Title)
		return
	}
	d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="#181b1f" stroke="#2c3235"/>`, x+2, y+2, w-4, h-4)
	d.text(x+edge, y+18, `fill="#ccccdc"`, p.Title)
	f := frame{x: x + 5*edge, y: y + above, w: w - 6*edge, h: h - above - below, unit: p.unit()}
	switch {
	case len(lines) == 0:
		d.text(x+w/2, y+h/2, `fill="#8e8e9e" text-anchor="middle"`, "nothing")
	case p.Type == stat:
		now := lines[0].last()
		d.text(x+w/2, y+h/2+20, `fill="`+p.level(now)+`" font-size="30" text-anchor="middle"`, told(now, f.unit))
	case p.Type == "heatmap":
		d.heat(f, lines)
	case p.stacked():
		d.stack(f, slices.DeleteFunc(lines, line.idle))
	default:
		d.chart(f, slices.DeleteFunc(lines, line.idle))
	}
}

func (p panel) unit() string {
	unit, _ := p.FieldConfig.Defaults["unit"].(string)
	return unit
}

func (p panel) stacked() bool {
	custom, _ := p.FieldConfig.Defaults["custom"].(map[string]any)
	return custom["stacking"] != nil
}

// level is the colour of a value, by the steps of the panel.
func (p panel) level(v float64) (in string) {
	thresholds, _ := p.FieldConfig.Defaults["thresholds"].(map[string]any)
	steps, _ := thresholds["steps"].([]map[string]any)
	for _, s := range steps {
		if from, _ := s["value"].(float64); s["value"] == nil || v >= from {
			in, _ = s["color"].(string)
		}
	}
	return map[string]string{"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}[in]
}
