#include "daemon/banks.h"

#include "connectors/guard.h"
#include "connectors/iso8583/connector.h"
#include "crypto/mac.h"
#include "daemon/log/log.h"

namespace florin {
namespace {

Result<connectors::iso8583::MacOptions> mac_of(config::Connector const& connector) {
    connectors::iso8583::MacOptions mac;
    auto const algorithm = crypto::mac_algorithm_of(connector.mac);
    if (!algorithm) {
        return mac;  // "none"
    }
    mac.algorithm = *algorithm;
    mac.grace_ms = static_cast<unsigned>(connector.mac_key_grace_ms);
    FLORIN_TRY(auto key, crypto::load_hex_key(connector.mac_key_file));
    (connector.mac_key_exchange ? mac.key_encryption_key : mac.key) = std::move(key);
    return mac;
}

void set_places(connectors::iso8583::Iso8583Options& options, config::Connector const& wanted) {
    auto const count = [](std::int64_t value) { return static_cast<std::size_t>(value); };
    bool const has_list = !wanted.links.empty();
    config::Link const& first = has_list ? wanted.links.front() : wanted.link;
    options.link.host = first.host;
    options.link.port = std::to_string(first.port);
    options.link.connections = count(first.connections);
    options.link.outstanding_max = count(wanted.outstanding_max);
    options.link.answers_on_any_connection = wanted.answers_on_any_connection;
    for (std::size_t i = 1; i < wanted.links.size(); ++i) {
        config::Link const& link = wanted.links[i];
        options.more_links.push_back(
            {.host = link.host,
             .port = std::to_string(link.port),
             .connections = count(link.connections)}
        );
    }
}

connectors::GuardOptions guard_options(config::Connector const& wanted) {
    constexpr std::int64_t kGraceMs = 1'000;
    auto const count = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
    return {
        .breaker =
            {.window_ms = count(wanted.breaker_window_ms),
             .calls_min = count(wanted.breaker_min_calls),
             .failure_percent = count(wanted.breaker_failure_percent),
             .open_ms = count(wanted.breaker_open_ms),
             .open_ms_max = count(wanted.breaker_open_ms_max),
             .probes = count(wanted.breaker_probes)},
        .in_flight_max = count(wanted.in_flight_max),
        .waiting_max = count(wanted.waiting_max),
        .deadline_ms =
            count(wanted.deadline_ms != 0 ? wanted.deadline_ms : wanted.timeout_ms + kGraceMs),
    };
}

void log_breaker(connectors::BreakerChange const& change) {
    auto const write = change.to == connectors::BreakerState::open ? log::warn : log::info;
    write(
        "connector.breaker",
        {{"connector", change.connector},
         {"state", connectors::breaker_state_name(change.to)},
         {"window_calls", change.window.calls},
         {"window_failures", change.window.failures},
         {"open_for_ms", change.open_for_ms},
         {"last_error", change.last_error}}
    );
}

}  // namespace

Result<std::unique_ptr<connectors::Connector>> make_bank(
    config::Connector const& wanted,
    boost::asio::any_io_executor const& home,
    connectors::EvidenceSink& sink,
    Clock const& clock
) {
    connectors::iso8583::Iso8583Options options;
    options.id = ConnectorId{wanted.name};
    set_places(options, wanted);
    options.acquirer_id = wanted.acquirer_id;
    if (!wanted.packaging.empty()) {
        FLORIN_TRY(options.link.packaging, connectors::iso8583::load_packaging(wanted.packaging));
    }
    FLORIN_TRY(options.link.mac, mac_of(wanted));
    FLORIN_TRY_VOID(connectors::iso8583::check_mac_options(options.link.mac, options.link.packaging)
    );
    options.link.on_notice = [name = wanted.name](std::string_view event, std::string const& text) {
        log::warn(event, {{"connector", name}, {"what", text}});
    };
    auto const timeout = static_cast<unsigned>(wanted.timeout_ms);
    options.authorise_timeout_ms = timeout;
    options.capture_timeout_ms = timeout;
    options.reverse_timeout_ms = timeout;
    options.refund_timeout_ms = timeout;
    auto link = std::make_unique<connectors::iso8583::Iso8583Connector>(
        home, std::move(options), sink, clock
    );
    std::unique_ptr<connectors::Connector> guard = std::make_unique<connectors::Guard>(
        home, std::move(link), guard_options(wanted), sink, clock, log_breaker
    );
    return guard;
}

}  // namespace florin
