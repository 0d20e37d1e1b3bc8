package web

import (
	"context"
	"iter"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// Metrics are what people may count on. They implement record.Meter.
type Metrics struct {
	registry      *prometheus.Registry
	reads         *prometheus.CounterVec
	readDuration  *prometheus.HistogramVec
	callbacks     *prometheus.CounterVec
	pulledRecords *prometheus.CounterVec
	lossWindows   *prometheus.CounterVec
	reloadOK      prometheus.Gauge
	reloadTime    prometheus.Gauge
}

// NewMetrics makes the metrics of a process.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_reads_total", Help: "Reads and pulls, by provider and how they ended.",
		}, []string{"provider", "result"}),
		readDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waybill_read_duration_seconds", Help: "How long reads and pulls took.", Buckets: prometheus.DefBuckets,
		}, []string{"provider"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_callbacks_total", Help: "Callbacks, by provider and how they were answered.",
		}, []string{"provider", "result"}),
		pulledRecords: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_pulled_records_total", Help: "Records that pulls brought and that were new.",
		}, []string{"provider"}),
		lossWindows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_loss_windows_total", Help: "Stretches of time in which records may have been lost.",
		}, []string{"provider"}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waybill_config_last_reload_successful", Help: "Whether the last reload of the configuration was taken.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waybill_config_last_reload_success_timestamp_seconds", Help: "When a configuration was last taken.",
		}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "waybill_build_info", Help: "The version of the program.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build, m.reads, m.readDuration, m.callbacks, m.pulledRecords, m.lossWindows, m.reloadOK, m.reloadTime,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Seed makes the series of a provider exist from the start, so that rates and
// alerts see their first increase. Loss windows that the start itself recorded are
// among the counts already.
func (m *Metrics) Seed(accounts map[string]*providers.Account, counts state.Counts) {
	m.lossWindows.Reset()
	for name, a := range accounts {
		if a.Poller != nil || a.Puller != nil {
			m.reads.WithLabelValues(name, "ok")
		}
		if a.Puller != nil {
			m.pulledRecords.WithLabelValues(name)
		}
		if a.Gate != nil {
			m.callbacks.WithLabelValues(name, "accepted")
		}
		m.lossWindows.WithLabelValues(name)
	}
	for name, n := range counts.LossWindows {
		m.lossWindows.WithLabelValues(name).Add(float64(n)) // a count of windows, no amount
	}
}

// Call counts a read or a pull.
func (m *Metrics) Call(account string, err error, notFound bool, took time.Duration) {
	result := "ok"
	switch {
	case err != nil:
		result = providers.KindOf(err).String()
	case notFound:
		result = "not_found"
	}
	m.reads.WithLabelValues(account, result).Inc()
	m.readDuration.WithLabelValues(account).Observe(took.Seconds())
}

// Pulled counts records that a pull brought and that were new.
func (m *Metrics) Pulled(account string, n int) {
	m.pulledRecords.WithLabelValues(account).Add(float64(n)) // a count of records, no amount
}

// Lost counts loss windows.
func (m *Metrics) Lost(windows []plan.LossWindow) {
	for i := range windows {
		m.lossWindows.WithLabelValues(windows[i].Account).Inc()
	}
}

func (m *Metrics) callback(account, result string) {
	m.callbacks.WithLabelValues(account, result).Inc()
}

// Taken says that a configuration was taken.
func (m *Metrics) Taken(at time.Time) {
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(at.Unix()))
}

// Reloaded says whether what is declared is what runs.
func (m *Metrics) Reloaded(ok bool) {
	if ok {
		m.reloadOK.Set(1)
	} else {
		m.reloadOK.Set(0)
	}
}

// Sources are what the gauges are read from when somebody asks.
type Sources struct {
	Store   Figures
	Catalog providers.Catalog
	Queues  func() []*schedule.Queue
	Now     func() time.Time
}

// Figures is the state, as far as the gauges need it.
type Figures interface {
	Counts(ctx context.Context) (state.Counts, error)
	Items(ctx context.Context, filter state.ItemFilter) iter.Seq2[*plan.Item, error]
}

// Gather adds the gauges: what is counted when somebody asks.
func (m *Metrics) Gather(s Sources) { m.registry.MustRegister(gauges{s}) }

// gauges are what is counted when somebody asks: from the state, the queues and
// the policies.
type gauges struct{ Sources }

var (
	itemsDesc        = prometheus.NewDesc("waybill_items", "Tracked items.", []string{"type", "outcome"}, nil)
	recordsDesc      = prometheus.NewDesc("waybill_records", "Records pulled and pushed.", []string{"type", "status"}, nil)
	expectationsDesc = prometheus.NewDesc("waybill_expectations", "Expectations of tracked items.", []string{"state"}, nil)
	accountDesc      = prometheus.NewDesc("waybill_account_up", "Whether the account's last call was answered.", []string{"provider"}, nil)
	lagDesc          = prometheus.NewDesc("waybill_schedule_lag_seconds", "By how much the most overdue item is late.", nil, nil)
	walDesc          = prometheus.NewDesc("waybill_wal_bytes", "Size of the state's write-ahead log.", nil, nil)
	retentionDesc    = prometheus.NewDesc("waybill_retention_deadline_timestamp_seconds", "When reports begin to be lost unless a pull succeeds.", []string{"address"}, nil)
)

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{itemsDesc, recordsDesc, expectationsDesc, accountDesc, lagDesc, walDesc, retentionDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counts, err := g.Store.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(itemsDesc, err)
	} else {
		gauge(walDesc, float64(counts.LogBytes))
		for name := range g.Catalog.Types {
			for _, outcome := range []plan.Outcome{plan.Pending, plan.Succeeded, plan.Failed, plan.Partial, plan.Unknown} {
				gauge(itemsDesc, float64(counts.Items[state.ItemCount{Type: name, Outcome: outcome}]), name, string(outcome))
			}
			if g.Catalog.Types[name].Kind != plan.Counted {
				continue
			}
			for _, status := range []plan.RecordStatus{plan.Matched, plan.Unmatched, plan.Quarantined} {
				gauge(recordsDesc, float64(counts.Records[state.RecordCount{Type: name, Status: status}]), name, string(status))
			}
		}
		for _, s := range []plan.ExpectationState{plan.ExpectPending, plan.ExpectMet, plan.ExpectFailed, plan.ExpectMetLate} {
			gauge(expectationsDesc, float64(counts.Expectations[s]), strings.ReplaceAll(string(s), " ", "_"))
		}
	}
	now := g.Now()
	var lag time.Duration
	for _, q := range g.Queues() {
		lag = max(lag, q.Lag(now))
		if q.Account() != nil {
			up := 0.0
			if ok, _ := q.Up(); ok {
				up = 1
			}
			gauge(accountDesc, up, q.Name())
		}
	}
	gauge(lagDesc, lag.Seconds())
	for _, t := range g.Catalog.Types {
		if t.Kind != plan.Policy {
			continue
		}
		for item, err := range g.Store.Items(ctx, state.ItemFilter{Type: t.Name}) {
			if err != nil {
				break
			}
			if last := item.Pulls.LastSuccessAt; !last.IsZero() {
				gauge(retentionDesc, float64(last.Add(g.Catalog.Vendors[t.Name].Retention).Unix()), item.Address.String())
			}
		}
	}
}
