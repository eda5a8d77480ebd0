package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a picture shows: so many looks, so far apart.
const (
	looks = 60
	apart = 10 * time.Second
)

// A prometheus is asked for what was up to a time.
type prometheus struct {
	url string
	at  time.Time
}

// A line is a series by the name that its legend gives it. Where there was
// nothing it is NaN.
type line struct {
	name   string
	values []float64
}

func (l line) last() float64 { return l.values[len(l.values)-1] }

// idle tells whether there was nothing but 0.
func (l line) idle() bool {
	return !slices.ContainsFunc(l.values, func(v float64) bool { return v > 0 || v < 0 })
}

// lines are those of a panel, the highest at the end first.
func (p prometheus) lines(of panel) (all []line, err error) {
	for _, t := range of.Targets {
		found, err := p.ask(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of.Title, err)
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b line) int {
		switch x, y := a.last(), b.last(); {
		case x > y || math.IsNaN(y) && !math.IsNaN(x):
			return -1
		case x < y || math.IsNaN(x) && !math.IsNaN(y):
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return all, nil
}

// matrix is what Prometheus answers.
type matrix struct {
	Error string
	Data  struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
		}
	}
}

func (p prometheus) ask(t target) (all []line, err error) {
	begin := p.at.Add(-(looks - 1) * apart)
	response, err := http.PostForm(p.url+"/api/v1/query_range", url.Values{
		"query": {strings.NewReplacer("$__rate_interval", "1m", "$job", ".*").Replace(t.Expr)},
		"start": {fmt.Sprint(begin.Unix())}, "end": {fmt.Sprint(p.at.Unix())}, "step": {fmt.Sprint(apart.Seconds())},
	})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var found matrix
	if err := json.Unmarshal(text, &found); err != nil || found.Error != "" {
		return nil, fmt.Errorf("got an answer %d %.200s", response.StatusCode, text)
	}
	for _, series := range found.Data.Result {
		l := line{named(t.LegendFormat, series.Metric), slices.Repeat([]float64{math.NaN()}, looks)}
		for _, v := range series.Values {
			l.set(begin, v)
		}
		all = append(all, l)
	}
	return all, nil
}

// set takes one value, as Prometheus writes it, to its place.
func (l line) set(begin time.Time, v [2]any) {
	at, _ := v[0].(float64)
	text, _ := v[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if i := int((at - float64(begin.Unix())) / apart.Seconds()); err == nil && i >= 0 && i < len(l.values) {
		l.values[i] = value
	}
}

// named is a legend with the values of labels in it.
func named(legend string, labels map[string]string) string {
	return regexp.MustCompile(`{{(\w+)}}`).ReplaceAllStringFunc(legend, func(label string) string {
		return labels[strings.Trim(label, "{}")]
	})
}
