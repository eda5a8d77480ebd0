package main

import (
	"bytes"
	"os"
	"testing"
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
