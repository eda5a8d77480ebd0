package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheFileIsWhatThisProgramWrites(t *testing.T) {
	want, err := written()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("postern.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("postern.json is another dashboard: go run ./deploy/grafana >deploy/grafana/postern.json")
	}
}

// The picture is drawn by hand, so that it may lag behind what panels ask; not
// behind which there are.
func TestThePictureHasThePanels(t *testing.T) {
	drawn, err := os.ReadFile("../docs/dashboard.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range shown() {
		if !bytes.Contains(drawn, []byte(">"+html.EscapeString(p.Title)+"</text>")) {
			t.Errorf("the picture has no %s: main.go says how it is drawn", p.Title)
		}
	}
	if bytes.Contains(drawn, []byte(">nothing</text>")) {
		t.Error("the picture has a panel with nothing in it: draw it once there was a short load")
	}
}

func TestWhatPrometheusAnswersIsDrawn(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.FormValue("query"), `job=~".*"`) {
			http.Error(w, `{"status": "error", "error": "no job"}`, http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"data": {"result": [{"metric": {"decision": "a<b", "le": "0.5"}, "values": [[%d, "1"], [%d, "NaN"], [%d, "3"], [%d, "4"]]}]}}`,
			at.Unix()-40, at.Unix()-20, at.Unix()-10, at.Unix())
	}))
	t.Cleanup(server.Close)
	svg, err := picture(prometheus{server.URL, at})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">4/s</text>", ">400%</text>", "<title>a&lt;b</title>", `fill-opacity="1.00"`} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("got no %s", want)
		}
	}
	if err := xml.Unmarshal(svg, new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestAValueHasTheColourOfItsStep(t *testing.T) {
	errors := slices.IndexFunc(shown(), func(p panel) bool { return p.Title == "Errors" })
	for v, want := range map[float64]string{0: "#73bf69", .0005: "#ff9830", .5: "#f2495c"} {
		if got := shown()[errors].level(v); got != want {
			t.Errorf("got %s of %v, want %s", got, v, want)
		}
	}
}

func TestALineStopsWhereThereIsNothing(t *testing.T) {
	values := slices.Repeat([]float64{math.NaN()}, looks)
	values[0], values[1], values[looks-1] = 5, 10, 0
	got := frame{x: 1, y: 2, w: looks - 1, h: 100, top: 10}.path(values)
	if want := "M1 52.0L2 2.0M60 102.0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryPanelHasItsOwnPlaceAndName(t *testing.T) {
	titles, taken := map[string]bool{}, map[place]string{}
	for _, p := range dashboard().Panels {
		if titles[p.Title] {
			t.Errorf("got two panels called %s", p.Title)
		}
		titles[p.Title] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := place{X: p.GridPos.X + x, Y: p.GridPos.Y + y}
				if cell.X >= width || taken[cell] != "" {
					t.Fatalf("%s lies on %q or outside, at %v", p.Title, taken[cell], cell)
				}
				taken[cell] = p.Title
			}
		}
	}
}
