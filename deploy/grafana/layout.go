package main

import "strings"

// A row is a heading and the bands of charts below it.
type row struct {
	title string
	bands []band
}

// A band is charts side by side.
type band []chart

// A chart is one panel in the words of this program.
type chart struct {
	title, says string
	kind        string  // timeseries unless it says otherwise
	unit        string  // of Grafana's
	most        float64 // of the axis; 0: as much as there is
	stack       bool
	low         bool   // the axis goes below 0
	steps       []step // from where on a number is worth a look
	asks        []ask
}

type ask struct{ query, legend string }

// A step colours what is at or above a value.
type step struct {
	value float64
	color string
}

const (
	width  = 24 // of a dashboard, in Grafana's units
	tall   = 7
	stat   = "stat"
	short  = 4 // of a band of stats
	shares = "percentunit"
)

// lay puts the rows below each other.
func (b *board) lay(rows ...row) {
	y := 0
	add := func(p panel, at place) {
		p.ID, p.GridPos = len(b.Panels)+1, at
		b.Panels = append(b.Panels, p)
	}
	for _, r := range rows {
		add(panel{Type: "row", Title: r.title}, place{H: 1, W: width, Y: y})
		y++
		for _, charts := range r.bands {
			w, h := width/len(charts), charts.height()
			for i, c := range charts {
				add(c.panel(), place{h, w, i * w, y})
			}
			y += h
		}
	}
}

func (b band) height() int {
	if b[0].kind == stat {
		return short
	}
	return tall
}

func (c chart) panel() panel {
	from := chosen()
	p := panel{Type: c.kind, Title: c.title, Description: c.says, Datasource: &from, FieldConfig: c.fields(), Options: c.options()}
	if p.Type == "" {
		p.Type = "timeseries"
	}
	for i, a := range c.asks {
		t := target{RefID: string(rune('A' + i)), Datasource: chosen(), Expr: a.query, LegendFormat: a.legend}
		t.Exemplar = strings.Contains(a.query, "_duration_seconds_bucket")
		if c.kind == "heatmap" {
			t.Format = "heatmap"
		}
		p.Targets = append(p.Targets, t)
	}
	return p
}

func (c chart) fields() *fields {
	d := map[string]any{"unit": c.unit}
	if !c.low {
		d["min"] = 0
	}
	if c.unit == "" {
		d["unit"] = "short"
	}
	if c.most > 0 {
		d["max"] = c.most
	}
	if c.kind == "" {
		d["custom"] = map[string]any{"fillOpacity": 4, "showPoints": "never"}
	}
	if c.stack {
		d["custom"] = map[string]any{"fillOpacity": 12, "showPoints": "never", "stacking": map[string]string{"mode": "normal"}}
	}
	steps := []map[string]any{{"color": "green", "value": nil}}
	for _, s := range c.steps {
		steps = append(steps, map[string]any{"color": s.color, "value": s.value})
	}
	d["thresholds"] = map[string]any{"mode": "absolute", "steps": steps}
	return &fields{Defaults: d, Overrides: []any{}}
}

func (c chart) options() map[string]any {
	switch c.kind {
	case stat:
		return map[string]any{"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area"}
	case "":
		return map[string]any{
			"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}},
			"tooltip": map[string]string{"mode": "multi", "sort": "desc"},
		}
	}
	return nil
}
