//! What each metric means.

/// Says what each metric means.
pub(super) fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "ringback_commands_total",
        "Commands that were decided, by what was asked for and what came of it"
    );
    describe_histogram!(
        "ringback_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time from a request's head to its answer, by API, method and status"
    );
    describe_histogram!("ringback_batch_commands", "Commands in one commit");
    describe_counter!(
        "ringback_batch_conflicts_total",
        "Batches that another process was faster than, and that were decided again"
    );
    describe_counter!(
        "ringback_messages_total",
        "Attempts to hand a message to a route, by route, country of the number and outcome; with route none, messages that \
         ended without hand-over"
    );
    describe_counter!(
        "ringback_messages_dropped_total",
        "Messages that ended before an attempt, because they were too late or their code was no longer of use"
    );
    describe_gauge!(
        "ringback_messages_waiting",
        "Messages that wait for a route or for their next attempt, by route"
    );
    describe_gauge!(
        "ringback_messages_oldest_seconds",
        "Age of the oldest message that waits, by route"
    );
    describe_gauge!(
        "ringback_route_state",
        "Whether a route is asked: 0 it is, 1 one message tries it, 2 it is left alone"
    );
    describe_counter!(
        "ringback_route_opened_total",
        "Times that a route failed so often that it was left alone"
    );
    describe_counter!(
        "ringback_receipts_total",
        "Receipts of routes, by what they said"
    );
    describe_counter!(
        "ringback_message_cost_total",
        "What messages cost that routes took, in millionths of the operator's currency"
    );
    describe_counter!(
        "ringback_events_recorded_total",
        "Events that this process put on record"
    );
    describe_histogram!(
        "ringback_events_waited_seconds",
        metrics::Unit::Seconds,
        "How long the oldest event of a turn had waited to go on record"
    );
    describe_gauge!(
        "ringback_endpoint_behind",
        "Events after an endpoint's place in the record, of any kind"
    );
    describe_gauge!(
        "ringback_endpoint_parked",
        "Events that an endpoint did not take yet, and that are tried again"
    );
    describe_gauge!(
        "ringback_endpoint_given_up",
        "Events that an endpoint did not take, and that are tried no more"
    );
    describe_gauge!(
        "ringback_endpoint_oldest_seconds",
        "Age of the oldest event that an endpoint was not told"
    );
    describe_counter!(
        "ringback_endpoint_posts_total",
        "Posts of events, by endpoint and what came of them"
    );
    describe_gauge!(
        "ringback_conversion_ratio",
        "Of the last codes over a route to a country, the share that was handed in"
    );
    describe_gauge!(
        "ringback_conversion_fallen",
        "1 while a country's codes of the last three hours are handed in less than half as often as in its week"
    );
    describe_counter!(
        "ringback_guard_decisions_total",
        "Codes that the guard was asked for: allowed, recorded (sent all the same), refused; by its first reason"
    );
    describe_counter!(
        "ringback_inbound_refused_total",
        "Posts of what people write back that were not what the route's provider sends"
    );
    describe_counter!(
        "ringback_opt_outs_total",
        "Words of numbers' owners to a route: stop, start, or what the provider said of them"
    );
}
