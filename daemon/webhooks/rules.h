// What an endpoint may ask for: which URLs, which addresses, which events; and when a delivery that
// failed is tried again.
//
// Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace florin::webhooks {

// Where a URL of an endpoint points to.
struct Target {
    bool is_tls = true;
    std::string host;  // a name or an address, without brackets
    std::uint16_t port = 443;
    std::string host_header;  // with the port where it is not the scheme's own
    std::string path;         // with the query, never empty
};

constexpr std::size_t kUrlBytesMax = 2'048;

// Errc::malformed says in words for merchants what is wrong: not an absolute http(s) URL, user
// information, a fragment, a host that is no name and no address, a port outside 1 to 65535.
Result<Target> parse_url(std::string_view url);

// Whether this is an address that everybody on the internet would reach as the same host: not
// private, not local, not reserved, in IPv4, IPv6 and every form of the one inside the other.
bool is_public(boost::asio::ip::address const& address);

// Every name that is sent.
std::span<std::string_view const> event_names();
// A name an endpoint can enable, beside "*": one of these, or of what the wire convention has for
// payouts, disputes and other things that are not here yet.
bool is_event_name(std::string_view name);
// "*", or the name itself.
bool wants(std::vector<std::string> const& enabled_events, std::string_view type);
// A filter of a list: a name, or its beginning with ".*".
bool matches(std::string_view pattern, std::string_view type);

// Tries go on for so long after the event.
constexpr std::uint64_t kGiveUpMs = 72ULL * 3'600'000;
// The pause after failed try number `attempts` (1: the first).
std::uint64_t retry_delay_ms(std::int64_t attempts);

// All times multiplied, for tests: parts per million of the real ones.
struct Pace {
    std::uint64_t scale_ppm = 1'000'000;
    std::uint64_t scaled(std::uint64_t ms) const { return ms * scale_ppm / 1'000'000; }
    std::uint64_t give_up_ms() const { return scaled(kGiveUpMs); }
};
// When to try again after failed try number `attempts`; nullopt: not any more.
std::optional<std::uint64_t> next_try_ms(
    Pace pace, std::uint64_t event_ms, std::int64_t attempts, std::uint64_t now_ms
);

}  // namespace florin::webhooks
