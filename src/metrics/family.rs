//! Every family in one table: name, kind, labels and help. `conf/metrics.md` explains each to operators, and a test
//! keeps the two lists equal.

/// What is written on a family's `# TYPE` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One family: all series of one name.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal)*] $help:literal;)+) => {
        $(pub const $constant: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)+

        /// The table, in the order of the documentation.
        pub const FAMILIES: &[&Family] = &[$(&$constant),+];
    };
}

families! {
    HTTP_REQUESTS: Counter "vacpack_http_requests_total" ["route" "method" "code"]
        "Requests of clients that were answered, or given up on.";
    REQUEST_DURATION: Histogram "vacpack_request_duration_seconds" ["route" "cache"]
        "From the request's head to the response's last byte.";
    TIME_TO_FIRST_BYTE: Histogram "vacpack_time_to_first_byte_seconds" ["route" "cache"]
        "From the request's head to the response's head.";
    PHASE_DURATION: Histogram "vacpack_phase_duration_seconds" ["phase"]
        "Where the time of requests goes. A request adds to each phase it went through.";
    REQUESTS_IN_FLIGHT: Gauge "vacpack_requests_in_flight" []
        "Requests being answered now.";
    CONNECTIONS: Gauge "vacpack_connections" []
        "Open connections of clients.";
    TLS_HANDSHAKES: Counter "vacpack_tls_handshakes_total" ["result"]
        "TLS handshakes of clients, by how they ended.";
    TLS_CURRENT: Gauge "vacpack_tls_certificates_current" []
        "1 while the certificates in use are what their files hold, 0 while those do not work.";
    TLS_EXPIRY: Gauge "vacpack_tls_certificate_expiry_timestamp_seconds" []
        "When the first of the certificates in use expires.";
    LIMITS_MET: Counter "vacpack_limits_met_total" ["limit"]
        "Connections, requests and answers that met one of the limits.";
    RESPONSE_BODY_BYTES: Counter "vacpack_response_body_bytes_total" ["side"]
        "Bytes of response bodies as they crossed the wire, without heads and framing.";

    COMPRESSION_INPUT_BYTES: Counter "vacpack_compression_input_bytes_total" ["algorithm" "mode"]
        "Bytes that went into encoders.";
    COMPRESSION_OUTPUT_BYTES: Counter "vacpack_compression_output_bytes_total" ["algorithm" "mode"]
        "Bytes that came out of encoders.";
    COMPRESSION_SECONDS: Counter "vacpack_compression_seconds_total" ["algorithm" "mode"]
        "Time spent inside encoders.";
    COMPRESSION_RATIO: Histogram "vacpack_compression_ratio" ["algorithm"]
        "Output over input of each encoded body. Lower is smaller.";
    COMPRESSION_SKIPPED: Counter "vacpack_compression_skipped_total" ["reason"]
        "Bodies passed through as they were, by reason.";
    COMPRESSION_TRANSCODED: Counter "vacpack_compression_transcoded_total" ["algorithm" "result"]
        "Bodies that the app had compressed and that were decoded, by how that ended.";
    ENCODER_DOWNGRADES: Counter "vacpack_encoder_downgrades_total" ["step"]
        "Encoders that were given less memory than planned, by what was given up.";
    ENCODER_MEMORY_BYTES: Gauge "vacpack_encoder_memory_bytes" []
        "Memory that live encoders hold.";
    ENCODER_RESERVED_BYTES: Gauge "vacpack_encoder_reserved_bytes" []
        "Memory that live encoders may come to hold.";
    ENCODER_CAPACITY_BYTES: Gauge "vacpack_encoder_capacity_bytes" []
        "Memory that encoders may reserve.";
    PRESSURE_STEP: Gauge "vacpack_compression_pressure_step" []
        "How far live compression has stepped down because the CPU is short: 0 is not at all.";

    IMPROVE_QUEUED: Gauge "vacpack_improve_queued" []
        "Stored bodies that wait to be compressed again.";
    IMPROVE_PAUSED: Gauge "vacpack_improve_paused" []
        "1 while an operator holds that still.";
    IMPROVE_IMPROVED: Counter "vacpack_improve_improved_total" ["algorithm"]
        "Stored bodies that were swapped for smaller ones.";
    IMPROVE_SAVED_BYTES: Counter "vacpack_improve_saved_bytes_total" ["algorithm"]
        "Bytes by which stored bodies became smaller.";
    IMPROVE_CPU_SECONDS: Counter "vacpack_improve_cpu_seconds_total" []
        "CPU time of the thread that compresses stored bodies again.";
    IMPROVE_GIVEN_UP: Counter "vacpack_improve_given_up_total" ["reason"]
        "Stored bodies that were to be compressed again and were not, by reason.";

    CACHE_REQUESTS: Counter "vacpack_cache_requests_total" ["status"]
        "Requests of clients, by what the cache had for them.";
    CACHE_NOT_STORED: Counter "vacpack_cache_not_stored_total" ["reason"]
        "Responses of the app that were not stored, by reason.";
    CACHE_OVERVARIED: Counter "vacpack_cache_overvaried_total" ["field"]
        "Responses of the app that vary by a field of which almost every client has its own value.";
    CACHE_ENTRIES: Gauge "vacpack_cache_entries" []
        "Resources in the cache.";
    CACHE_SIZE_BYTES: Gauge "vacpack_cache_size_bytes" []
        "Memory that the cache accounts for: bodies, heads and keys.";
    CACHE_CAPACITY_BYTES: Gauge "vacpack_cache_capacity_bytes" []
        "Memory that the cache may account for.";
    CACHE_ALLOWED_BYTES: Gauge "vacpack_cache_allowed_bytes" []
        "What of that it may account for now: less while the container is short of memory.";
    CACHE_TRIMS: Counter "vacpack_cache_trims_total" []
        "Times that the cache was made smaller because the container was short of memory.";
    CACHE_TRIMMED_BYTES: Counter "vacpack_cache_trimmed_bytes_total" []
        "Bytes that the cache let go of for that.";
    CACHE_FILLS_IN_FLIGHT_BYTES: Gauge "vacpack_cache_fills_in_flight_bytes" []
        "Bytes of responses that are being received for the cache now.";
    CACHE_SHAREABLE_FETCHES: Gauge "vacpack_cache_shareable_fetches" []
        "Responses coming in for the cache now that other requests may read along with.";
    CACHE_SHARED_FETCHES: Counter "vacpack_cache_shared_fetches_total" ["how"]
        "Requests of clients that found another one fetching the same, by what came of it.";
    CACHE_EVICTIONS: Counter "vacpack_cache_evictions_total" ["cause"]
        "Resources that left the cache, by cause.";
    PURGES: Counter "vacpack_purges_total" ["result"]
        "Purge requests, by result.";
    PURGED_OBJECTS: Counter "vacpack_purged_objects_total" ["scope"]
        "Stored answers that purges removed or made stale, by what the purge named.";

    UPSTREAM_CONNECTIONS: Counter "vacpack_upstream_connections_total" ["reused"]
        "Connections taken for requests to the app: new ones, and kept ones that were reused.";
    UPSTREAM_ERRORS: Counter "vacpack_upstream_errors_total" ["reason"]
        "Attempts to get an answer from the app that failed, by reason.";
    UPSTREAM_RETRIES: Counter "vacpack_upstream_retries_total" []
        "Failed attempts that were made once more.";
    UPSTREAM_ADDRESSES: Gauge "vacpack_upstream_addresses" []
        "Addresses of the app.";
    UPSTREAM_EJECTED: Gauge "vacpack_upstream_ejected" []
        "Addresses of the app that are left alone now, because they failed.";
    UPSTREAM_EJECTIONS: Counter "vacpack_upstream_ejections_total" []
        "Times that an address of the app was left alone.";
    UPSTREAM_IN_FLIGHT: Gauge "vacpack_upstream_requests_in_flight" []
        "Requests that are with the app now.";
    UPSTREAM_QUEUED: Gauge "vacpack_upstream_requests_queued" []
        "Requests that wait until the app has a place for them.";
    REQUESTS_SHED: Counter "vacpack_requests_shed_total" ["priority" "reason"]
        "Requests that were not sent to the app, by reason.";

    CONFIG_LAST_RELOAD_SUCCESSFUL: Gauge "vacpack_config_last_reload_successful" []
        "1 while the configuration that was read last is in force, 0 while it is wrong and an older one is.";
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP: Gauge "vacpack_config_last_reload_success_timestamp_seconds" []
        "When the configuration in force was read.";
    CONFIG_RELOADS: Counter "vacpack_config_reloads_total" ["result"]
        "Times that the configuration was read again, by result.";
    CONFIG_RESTART_NEEDED: Gauge "vacpack_config_restart_needed" []
        "1 while the configuration asks for something that only a start reads.";
    MEMORY_BUDGET_BYTES: Gauge "vacpack_memory_budget_bytes" []
        "Memory that cache, fills and encoders may take together.";
    CONTAINER_MEMORY_BYTES: Gauge "vacpack_container_memory_bytes" []
        "Memory of the container that the kernel cannot simply take back, as its control group counts it.";
    CONTAINER_MEMORY_LIMIT_BYTES: Gauge "vacpack_container_memory_limit_bytes" []
        "The container's memory limit.";
    CONTAINER_MEMORY_EVENTS: Counter "vacpack_container_memory_events_total" ["event"]
        "What befell the container for want of memory.";
    CONTAINER_STALLED_SECONDS: Counter "vacpack_container_stalled_seconds_total" ["resource"]
        "Time for which somebody in the container waited for a resource.";
    CPU_PERIODS: Counter "vacpack_cpu_periods_total" []
        "Periods of the container's CPU limit that passed while it ran.";
    CPU_PERIODS_THROTTLED: Counter "vacpack_cpu_periods_throttled_total" []
        "Those of them in which the limit was used up.";
    CPU_THROTTLED_SECONDS: Counter "vacpack_cpu_throttled_seconds_total" []
        "Time for which the container was held back by its CPU limit.";
    ACCESS_LOG_DROPPED: Counter "vacpack_access_log_dropped_total" []
        "Access log lines given up because standard output could not take them.";
    BUILD_INFO: Gauge "vacpack_build_info" ["version" "revision"]
        "Always 1. The labels say which build runs.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        for family in FAMILIES {
            assert!(family.name.starts_with("vacpack_"), "{}", family.name);
            assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }
}
