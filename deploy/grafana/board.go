package main

// A board is a dashboard as Grafana reads it.
type board struct {
	Title         string   `json:"title"`
	UID           string   `json:"uid"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Version       int      `json:"version"`
	Editable      bool     `json:"editable"`
	Refresh       string   `json:"refresh"`
	Time          span     `json:"time"`
	Timezone      string   `json:"timezone"`
	Annotations   struct {
		List []annotation `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// chosen is the data source that whoever looks has chosen.
func chosen() source { return source{"prometheus", "${datasource}"} }

type annotation struct {
	Name        string `json:"name"`
	Datasource  source `json:"datasource"`
	Enable      bool   `json:"enable"`
	IconColor   string `json:"iconColor"`
	Expr        string `json:"expr"`
	TitleFormat string `json:"titleFormat"`
}

type variable struct {
	Name       string            `json:"name"`
	Label      string            `json:"label"`
	Type       string            `json:"type"`
	Datasource *source           `json:"datasource,omitempty"`
	Query      any               `json:"query"`
	Definition string            `json:"definition,omitempty"`
	IncludeAll bool              `json:"includeAll,omitempty"`
	Multi      bool              `json:"multi,omitempty"`
	Current    map[string]string `json:"current"`
	Refresh    int               `json:"refresh,omitempty"`
	Sort       int               `json:"sort,omitempty"`
}

type panel struct {
	ID          int            `json:"id"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	GridPos     place          `json:"gridPos"`
	Datasource  *source        `json:"datasource,omitempty"`
	FieldConfig *fields        `json:"fieldConfig,omitempty"`
	Options     map[string]any `json:"options,omitempty"`
	Targets     []target       `json:"targets,omitempty"`
	Collapsed   bool           `json:"collapsed"`
	Panels      []panel        `json:"panels,omitempty"` // of a row that is collapsed
}

type place struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type fields struct {
	Defaults  map[string]any `json:"defaults"`
	Overrides []any          `json:"overrides"`
}

type target struct {
	RefID        string `json:"refId"`
	Datasource   source `json:"datasource"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Format       string `json:"format,omitempty"`
	Exemplar     bool   `json:"exemplar,omitempty"`
}
