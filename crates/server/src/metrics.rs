//! What is counted and timed, for Prometheus: one value that is passed down, no global recorder.
//!
//! Label values are words of the program's own, route patterns and names of sources; never an identity, an account, an
//! address or anything else that a request brought along. The text of `/metrics` is OpenMetrics 1.0. How much is queued
//! is read from the database when somebody asks, see [`Metrics::queue`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted. Cloning it is cheap and gives the same counters.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    queued: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    owned: Gauge,
    beat_age: Gauge<f64, AtomicU64>,
    deliveries: Family<DeliveryLabels, Counter>,
    circuit: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    opening_seconds: Histogram,
    hashing_seconds: Histogram,
    settled: Family<StateLabels, Counter>,
    certificate: Family<NoLabels, Gauge<f64, AtomicU64>>,
}

/// For what is there or not: a family that nobody set is not shown.
type NoLabels = [(&'static str, &'static str); 0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    source: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lockstep");
        let requests = Family::default();
        registry.register("requests", "Requests answered", requests.clone());
        let request_seconds = Family::new_with_constructor(request_histogram as fn() -> Histogram);
        registry.register_with_unit("request", "Time to answer a request", Unit::Seconds, request_seconds.clone());
        let queued = Gauge::default();
        registry.register("changes_unfinished", "Password changes that are not final", queued.clone());
        let oldest = Gauge::default();
        let help = "Age of the oldest password change that is not final";
        registry.register_with_unit("changes_oldest_age", help, Unit::Seconds, oldest.clone());
        let owned = Gauge::default();
        registry.register("buckets_owned", "Buckets, of 256, that this node works in", owned.clone());
        let beat_age = Gauge::default();
        let help = "Time since this node last told the others that it lives";
        registry.register_with_unit("node_beat_age", help, Unit::Seconds, beat_age.clone());
        let deliveries = Family::default();
        registry.register("deliveries", "Attempts to give an account its new password", deliveries.clone());
        let circuit = Family::default();
        let help = "Whether a source is left alone because it fails: 0 closed, 1 open, between them half open";
        registry.register("circuit_open", help, circuit.clone());
        let opening_seconds = computation_histogram();
        registry.register_with_unit(
            "payload_opening",
            "Time to decrypt a payload (RSA)",
            Unit::Seconds,
            opening_seconds.clone(),
        );
        let hashing_seconds = computation_histogram();
        registry.register_with_unit(
            "password_hashing",
            "Time to hash a password (Argon2)",
            Unit::Seconds,
            hashing_seconds.clone(),
        );
        let settled = Family::default();
        registry.register("changes_settled", "Password changes that became final", settled.clone());
        let certificate = Family::default();
        let help = "Time until the server's own certificate expires";
        registry.register_with_unit("tls_certificate_expires", help, Unit::Seconds, certificate.clone());
        Self {
            registry: Arc::new(registry),
            requests,
            request_seconds,
            queued,
            oldest,
            owned,
            beat_age,
            deliveries,
            circuit,
            opening_seconds,
            hashing_seconds,
            settled,
            certificate,
        }
    }

    /// A request was answered. `route` is the pattern that it matched, not its path.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        let labels = RouteLabels { method: method.clone(), route: route.clone() };
        self.request_seconds.get_or_create(&labels).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// How many changes are not final, and how old the oldest of them is: read from the database for each scrape.
    pub fn queue(&self, unfinished: u64, oldest: Duration) {
        self.queued.set(i64::try_from(unfinished).unwrap_or(i64::MAX));
        self.oldest.set(oldest.as_secs_f64());
    }

    /// How many buckets this node owns, and how long ago its last beat succeeded: for each scrape.
    pub fn node(&self, owned: usize, beat_age: Duration) {
        self.owned.set(i64::try_from(owned).unwrap_or(i64::MAX));
        self.beat_age.set(beat_age.as_secs_f64());
    }

    /// The connector of `source` was called; `outcome` is `applied`, `refused`, `unreachable`, `busy` or
    /// `unknown`.
    pub fn delivery(&self, source: &str, outcome: &str) {
        let labels = DeliveryLabels { source: source.to_owned(), outcome: outcome.to_owned() };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// Whether the circuit breaker of `source` is closed (0) or not (1): read from it for each scrape.
    pub fn circuit(&self, source: &str, open: f64) {
        self.circuit.get_or_create(&SourceLabels { source: source.to_owned() }).set(open);
    }

    /// A payload was opened in this time.
    pub fn opened(&self, took: Duration) {
        self.opening_seconds.observe(took.as_secs_f64());
    }

    /// A password was hashed or verified in this time.
    pub fn hashed(&self, took: Duration) {
        self.hashing_seconds.observe(took.as_secs_f64());
    }

    /// A change became final; `state` is the contract's word for how.
    pub fn settled(&self, state: &str) {
        self.settled.get_or_create(&StateLabels { state: state.to_owned() }).inc();
    }

    /// The server's own certificate expires in so many seconds. Without TLS nobody says so, and it is not shown.
    pub fn certificate(&self, expires_in: f64) {
        self.certificate.get_or_create(&[]).set(expires_in);
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// A millisecond to half a minute, which is as long as a request may wait.
fn request_histogram() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// What one processor computes: a tenth of a millisecond to a second.
fn computation_histogram() -> Histogram {
    Histogram::new([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::new();
        metrics.request("POST", "/v2024/set-password", 202, Duration::from_millis(3));
        metrics.request("POST", "/v2024/set-password", 202, Duration::from_millis(4));
        metrics.queue(7, Duration::from_millis(1500));
        metrics.node(128, Duration::from_millis(250));
        metrics.clone().delivery("Payroll", "applied");
        metrics.circuit("Payroll", 1.0);
        metrics.opened(Duration::from_micros(700));
        metrics.hashed(Duration::from_millis(20));
        metrics.settled("FINISHED");
        assert!(!metrics.text().expect("text").contains("_tls_certificate_expires_seconds{"));
        metrics.certificate(-5.0);
        let text = metrics.text().expect("text");
        for line in [
            "lockstep_requests_total{method=\"POST\",route=\"/v2024/set-password\",status=\"202\"} 2",
            "lockstep_request_seconds_count{method=\"POST\",route=\"/v2024/set-password\"} 2",
            "lockstep_changes_unfinished 7",
            "lockstep_changes_oldest_age_seconds 1.5",
            "lockstep_buckets_owned 128",
            "lockstep_node_beat_age_seconds 0.25",
            "lockstep_deliveries_total{source=\"Payroll\",outcome=\"applied\"} 1",
            "lockstep_circuit_open{source=\"Payroll\"} 1.0",
            "lockstep_payload_opening_seconds_bucket{le=\"0.001\"} 1",
            "lockstep_password_hashing_seconds_bucket{le=\"0.01\"} 0",
            "lockstep_changes_settled_total{state=\"FINISHED\"} 1",
            "lockstep_tls_certificate_expires_seconds{} -5.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let metrics = Metrics::new();
        metrics.delivery("a\"} 9\nlockstep_requests_total 1", "applied");
        let text = metrics.text().expect("text");
        assert!(!text.lines().any(|line| line.starts_with("lockstep_requests_total")), "{text}");
    }
}
