package store

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTimeout bounds what a scrape may ask of the database.
const scrapeTimeout = 3 * time.Second

// A census is taken when it is scraped, if the last one is older than this and
// than so many times what that took: in a directory that is large a scrape must
// not cost a processor. The scrape waits for it only so long: counting a million
// members takes seconds, and the next scrape has them.
const (
	censusEvery   = 10 * time.Second
	censusShare   = 20
	censusTimeout = time.Minute
)

// People are the gauges of what people administer, taken from SQL when they are
// scraped. They are for servers that administer.
func (s *Store) People() prometheus.Collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &people{
		store:         s,
		organizations: describe("postern_organizations", "Organizations in the directory."),
		users:         describe("postern_users", "Users in the directory, those without a membership too."),
		memberships:   describe("postern_memberships", "Memberships by state.", "state"),
		invitations:   describe("postern_invitations", "Invitations that wait to be accepted (open), and those whose time has passed (expired).", "state"),
		oldest:        describe("postern_invitations_oldest_open_age_seconds", "Age of the oldest open invitation; 0 if there is none."),
	}
}

type people struct {
	store                                                  *Store
	organizations, users, memberships, invitations, oldest *prometheus.Desc

	mu    sync.Mutex
	taken chan struct{} // closed when the last census has ended; nil: there was none yet
	known *Census       // nil: none succeeded yet
	at    time.Time     // when the last began
	took  time.Duration // the last that ended
}

// Describe implements prometheus.Collector.
func (p *people) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.organizations, p.users, p.memberships, p.invitations, p.oldest} {
		to <- d
	}
}

// Collect implements prometheus.Collector. While the database does not answer it
// gives what it knew last.
func (p *people) Collect(to chan<- prometheus.Metric) {
	c := p.census()
	if c == nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(p.organizations, float64(c.Organizations))
	gauge(p.users, float64(c.Users))
	for _, state := range []string{"invited", "active", "suspended", "removed", "superseded"} {
		gauge(p.memberships, float64(c.Memberships[state]), state)
	}
	gauge(p.invitations, float64(c.Open), "open")
	gauge(p.invitations, float64(c.Expired), "expired")
	age := 0.0
	if !c.Oldest.IsZero() {
		age = max(0, p.store.now().Sub(c.Oldest).Seconds())
	}
	gauge(p.oldest, age)
}

func (p *people) census() *Census {
	select {
	case <-p.due():
	case <-time.After(scrapeTimeout):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

// due begins a census if it is time for one, and returns what is closed when the
// last one has ended.
func (p *people) due() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken != nil {
		select {
		case <-p.taken:
		default:
			return p.taken // one is under way
		}
	}
	if now := p.store.now(); p.taken == nil || now.Sub(p.at) > max(censusEvery, censusShare*p.took) {
		p.at, p.taken = now, make(chan struct{})
		go p.take(p.taken)
	}
	return p.taken
}

func (p *people) take(taken chan<- struct{}) {
	defer close(taken)
	ctx, stop := context.WithTimeout(context.Background(), censusTimeout)
	defer stop()
	c, err := p.store.Census(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = p.store.now().Sub(p.at)
	if err == nil {
		p.known = &c
	}
}

// Clock is the gauge of the database's clock, which it is asked for when it is
// scraped.
func (s *Store) Clock() prometheus.Collector {
	return clock{s, prometheus.NewDesc("postern_clock_skew_seconds", clockHelp, nil, nil)}
}

const clockHelp = "How far the clock of the directory is ahead of this server's: of its database, or of the server that is asked for it."

type clock struct {
	store *Store
	skew  *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c clock) Describe(to chan<- *prometheus.Desc) { to <- c.skew }

// Collect implements prometheus.Collector. There is no sample while the database
// does not answer.
func (c clock) Collect(to chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), scrapeTimeout)
	defer stop()
	if ahead, err := c.store.ClockSkew(ctx); err == nil {
		to <- prometheus.MustNewConstMetric(c.skew, prometheus.GaugeValue, ahead.Seconds())
	}
}
