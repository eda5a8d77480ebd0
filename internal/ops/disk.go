package ops

import "github.com/prometheus/client_golang/prometheus"

// FreeSpace is the gauge of what is left of the file system that a directory lies
// on. What it holds names the series. There is no sample where the system does
// not say.
func FreeSpace(holds, dir string) prometheus.Collector {
	return disk{dir, prometheus.NewDesc("postern_disk_free_bytes",
		"Bytes that may still be written to the file system of the directory's SQLite file, or of the decision log.",
		nil, prometheus.Labels{"holds": holds})}
}

type disk struct {
	dir  string
	free *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (d disk) Describe(to chan<- *prometheus.Desc) { to <- d.free }

// Collect implements prometheus.Collector.
func (d disk) Collect(to chan<- prometheus.Metric) {
	if n, err := freeBytes(d.dir); err == nil {
		to <- prometheus.MustNewConstMetric(d.free, prometheus.GaugeValue, float64(n))
	}
}
