package agent

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// metrics are what people may count on (PRODUCT.md). A nil *metrics counts
// nothing, for plan and apply.
type metrics struct {
	registry      *prometheus.Registry
	reads         *prometheus.CounterVec
	readDuration  *prometheus.HistogramVec
	callbacks     *prometheus.CounterVec
	pulledRecords *prometheus.CounterVec
	lossWindows   *prometheus.CounterVec
	reloadOK      prometheus.Gauge
	reloadTime    prometheus.Gauge
}

func newMetrics(version string) *metrics {
	m := &metrics{
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

// seed makes the series of a provider exist from the start, so that rates and
// alerts see their first increase. Loss windows that the start itself recorded are
// among the counts already.
func (m *metrics) seed(accounts map[string]*account, counts state.Counts) {
	m.lossWindows.Reset()
	for name, a := range accounts {
		switch {
		case a.Poller != nil:
			m.reads.WithLabelValues(name, "ok")
		case a.Puller != nil:
			m.reads.WithLabelValues(name, "ok")
			m.pulledRecords.WithLabelValues(name)
		case a.Gate != nil:
			m.callbacks.WithLabelValues(name, "accepted")
		}
		m.lossWindows.WithLabelValues(name)
	}
	for name, n := range counts.LossWindows {
		m.lossWindows.WithLabelValues(name).Add(float64(n)) // a count of windows, no amount
	}
}

func (m *metrics) read(a *account, r reading, took time.Duration) {
	if m == nil {
		return
	}
	m.call(a.Name, r.err, r.err == nil && r.observation.NotFound, took)
}

func (m *metrics) pull(a *account, err error, took time.Duration) {
	if m != nil {
		m.call(a.Name, err, false, took)
	}
}

func (m *metrics) call(provider string, err error, notFound bool, took time.Duration) {
	result := "ok"
	switch {
	case err != nil:
		result = providers.KindOf(err).String()
	case notFound:
		result = "not_found"
	}
	m.reads.WithLabelValues(provider, result).Inc()
	m.readDuration.WithLabelValues(provider).Observe(took.Seconds())
}

func (m *metrics) pulled(account string, n int) {
	if m != nil {
		m.pulledRecords.WithLabelValues(account).Add(float64(n)) // a count of records, no amount
	}
}

func (m *metrics) callback(account, result string) {
	if m != nil {
		m.callbacks.WithLabelValues(account, result).Inc()
	}
}

func (m *metrics) losses(windows []plan.LossWindow) {
	if m == nil {
		return
	}
	for i := range windows {
		m.lossWindows.WithLabelValues(windows[i].Account).Inc()
	}
}

// gauges are what is counted when somebody asks: from the state, the queues and
// the policies.
type gauges struct {
	agent *Agent
}

var (
	itemsDesc        = prometheus.NewDesc("waybill_items", "Tracked items.", []string{"type", "outcome"}, nil)
	recordsDesc      = prometheus.NewDesc("waybill_records", "Records pulled and pushed.", []string{"type", "status"}, nil)
	expectationsDesc = prometheus.NewDesc("waybill_expectations", "Expectations of tracked items.", []string{"state"}, nil)
	accountDesc      = prometheus.NewDesc("waybill_account_up", "Whether the account's last call was answered.", []string{"provider"}, nil)
	lagDesc          = prometheus.NewDesc("waybill_schedule_lag_seconds", "By how much the most overdue item is late.", nil, nil)
	retentionDesc    = prometheus.NewDesc("waybill_retention_deadline_timestamp_seconds", "When reports begin to be lost unless a pull succeeds.", []string{"address"}, nil)
)

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{itemsDesc, recordsDesc, expectationsDesc, accountDesc, lagDesc, retentionDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a := g.agent
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counts, err := a.store.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(itemsDesc, err)
	} else {
		for name := range a.rec.catalog.types {
			for _, outcome := range []plan.Outcome{plan.Pending, plan.Succeeded, plan.Failed, plan.Partial, plan.Unknown} {
				gauge(itemsDesc, float64(counts.Items[state.ItemCount{Type: name, Outcome: outcome}]), name, string(outcome))
			}
			if a.rec.catalog.types[name].Kind != plan.Counted {
				continue
			}
			for _, status := range []plan.RecordStatus{plan.Matched, plan.Unmatched, plan.Quarantined} {
				gauge(recordsDesc, float64(counts.Records[state.RecordCount{Type: name, Status: status}]), name, string(status))
			}
		}
		for _, s := range []plan.ExpectationState{plan.ExpectPending, plan.ExpectMet, plan.ExpectFailed, plan.ExpectMetLate} {
			gauge(expectationsDesc, float64(counts.Expectations[s]), string(s))
		}
	}
	now := a.runner.Now()
	var lag time.Duration
	for _, q := range a.allQueues() {
		lag = max(lag, q.lag(now))
		if q.account != nil {
			up := 0.0
			if ok, _ := q.up(); ok {
				up = 1
			}
			gauge(accountDesc, up, q.name)
		}
	}
	gauge(lagDesc, lag.Seconds())
	for _, t := range a.rec.catalog.types {
		if t.Kind != plan.Policy {
			continue
		}
		for item, err := range a.store.Items(ctx, state.ItemFilter{Type: t.Name}) {
			if err != nil {
				break
			}
			if last := item.Pulls.LastSuccessAt; !last.IsZero() {
				gauge(retentionDesc, float64(last.Add(retention).Unix()), item.Address.String())
			}
		}
	}
}
