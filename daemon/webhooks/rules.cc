#include "daemon/webhooks/rules.h"

#include "ledger/base/bytes.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace florin::webhooks {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view kEventNames[] = {
    "balance.available",
    "charge.captured",
    "charge.expired",
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "customer.created",
    "customer.deleted",
    "customer.updated",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
};

// Named by the wire convention for things that are not here yet: endpoints may ask for them, and
// nothing is sent.
constexpr std::string_view kEventNamesToCome[] = {
    "account.updated",
    "application_fee.created",
    "application_fee.refund.updated",
    "application_fee.refunded",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "checkout.session.completed",
    "checkout.session.expired",
    "payout.canceled",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "payout.reconciliation_completed",
    "payout.updated",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "reporting.report_run.failed",
    "reporting.report_run.succeeded",
    "transfer.created",
    "transfer.reversed",
    "transfer.updated",
};

// IPv4 that is not of the public internet (IANA special-purpose registry, RFC 6890 and later).
struct Block4 {
    std::uint32_t network;
    unsigned bits;
};
constexpr Block4 kReserved4[] = {
    {0x00000000, 8},   // 0.0.0.0/8        this network
    {0x0A000000, 8},   // 10.0.0.0/8       private
    {0x64400000, 10},  // 100.64.0.0/10    shared, carrier-grade NAT
    {0x7F000000, 8},   // 127.0.0.0/8      loopback
    {0xA9FE0000, 16},  // 169.254.0.0/16   link-local, metadata services of clouds
    {0xAC100000, 12},  // 172.16.0.0/12    private
    {0xC0000000, 24},  // 192.0.0.0/24     protocol assignments
    {0xC0000200, 24},  // 192.0.2.0/24     documentation
    {0xC0586300, 24},  // 192.88.99.0/24   6to4 relays, deprecated
    {0xC0A80000, 16},  // 192.168.0.0/16   private
    {0xC6120000, 15},  // 198.18.0.0/15    benchmarks
    {0xC6336400, 24},  // 198.51.100.0/24  documentation
    {0xCB007100, 24},  // 203.0.113.0/24   documentation
    {0xE0000000, 4},   // 224.0.0.0/4      multicast
    {0xF0000000, 4},   // 240.0.0.0/4      reserved, broadcast
};

bool is_public4(std::uint32_t address) {
    return std::ranges::none_of(kReserved4, [&](Block4 const& block) {
        std::uint32_t const mask = ~std::uint32_t{0} << (32 - block.bits);
        return (address & mask) == block.network;
    });
}

std::uint32_t four_at(ip::address_v6::bytes_type const& bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
           std::uint32_t{bytes[at + 2]} << 8U | bytes[at + 3];
}

template <std::size_t N>
bool begins_with(
    ip::address_v6::bytes_type const& bytes, std::array<unsigned char, N> const& prefix
) {
    return std::ranges::equal(prefix, std::span{bytes}.first(N));
}

// Only 2000::/3 is handed out, and not all of it is plain.
bool is_public6(ip::address_v6 const& address) {
    auto const bytes = address.to_bytes();
    // NAT64 (RFC 6052): the rest is an IPv4 address that a gateway would reach.
    constexpr std::array<unsigned char, 12> kNat64{0, 0x64, 0xff, 0x9b};
    if (begins_with(bytes, kNat64)) {
        return is_public4(four_at(bytes, 12));
    }
    if ((bytes[0] & 0xe0U) != 0x20) {
        return false;  // mapped and compatible IPv4, loopback, fc00::/7, fe80::/10, ff00::/8…
    }
    constexpr std::array<unsigned char, 2> k6to4{0x20, 0x02};
    if (begins_with(bytes, k6to4)) {
        return is_public4(four_at(bytes, 2));
    }
    // 2001::/23 protocol assignments with Teredo and ORCHID, 2001:db8::/32 and 3fff::/20
    // documentation.
    bool const is_assignment = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02;
    bool const is_documentation =
        begins_with(bytes, std::array<unsigned char, 4>{0x20, 0x01, 0x0d, 0xb8}) ||
        (bytes[0] == 0x3f && bytes[1] == 0xff && bytes[2] < 0x10);
    return !is_assignment && !is_documentation;
}

// Letters, digits, dashes, underscores and dots: nothing that one reader splits otherwise than
// another.
bool is_host_name(std::string_view host) {
    constexpr std::size_t kNameMax = 253;
    return !host.empty() && host.size() <= kNameMax && host.front() != '.' &&
           std::ranges::all_of(host, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
           });
}

std::unexpected<Error> bad_url(std::string what) {
    return fail(Errc::malformed, std::move(what));
}
std::unexpected<Error> not_a_url() {
    return bad_url("it is not an absolute URL such as https://example.com/hooks");
}

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 3986 appendix A: unreserved, reserved, and percent-escapes.
bool has_url_characters(std::string_view text) {
    constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=";
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (!from_hex(text.substr(i + 1, 2)) || i + 2 >= text.size()) {
                return false;
            }
            i += 2;
        } else if (!is_letter_or_digit(text[i]) && kOthers.find(text[i]) == kOthers.npos) {
            return false;
        }
    }
    return true;
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

// authority := host (":" port)?; host := "[" IPv6 "]" | name or IPv4
Result<void> parse_authority(std::string_view authority, Target& target) {
    if (authority.find('@') != authority.npos) {
        return bad_url("it has a user name or password");
    }
    bool const is_v6 = authority.starts_with('[');
    std::size_t end = authority.find(':');
    if (is_v6) {
        std::size_t const bracket = authority.find(']');
        if (bracket == authority.npos) {
            return not_a_url();
        }
        target.host = authority.substr(1, bracket - 1);
        boost::system::error_code error;
        ip::make_address_v6(target.host, error);
        // A zone ("%eth0") is a matter of one machine.
        if (error || target.host.find('%') != std::string::npos) {
            return bad_url("its host is not an IPv6 address");
        }
        end = bracket + 1;
    } else {
        target.host = authority.substr(0, end);
        if (!is_host_name(target.host)) {
            return bad_url(
                "its host is not a name of letters, digits, dashes and dots (an international "
                "name has to be in its xn-- form)"
            );
        }
    }
    std::uint16_t const usual = target.is_tls ? 443 : 80;
    target.port = usual;
    if (end < authority.size()) {
        std::string_view const port = authority.substr(end);
        char const* const last = port.data() + port.size();
        auto const read = std::from_chars(port.data() + 1, last, target.port);
        if (port.front() != ':' || read.ec != std::errc{} || read.ptr != last || target.port == 0) {
            return bad_url("its port is not a number from 1 to 65535");
        }
    }
    target.host_header = is_v6 ? "[" + target.host + "]" : target.host;
    if (target.port != usual) {
        target.host_header += ":" + std::to_string(target.port);
    }
    return {};
}

}  // namespace

// url := ("https" | "http") "://" authority path? ("?" query)?
Result<Target> parse_url(std::string_view url) {
    if (url.size() > kUrlBytesMax) {
        return bad_url("it is longer than " + std::to_string(kUrlBytesMax) + " characters");
    }
    std::size_t const colon = url.find(':');
    if (colon == url.npos || !has_url_characters(url) ||
        !std::ranges::all_of(url.substr(0, colon), is_letter_or_digit)) {
        return not_a_url();
    }
    Target target;
    std::string const scheme = lower(url.substr(0, colon));
    if (scheme != "https" && scheme != "http") {
        return bad_url("its scheme is neither https nor http");
    }
    target.is_tls = scheme == "https";
    if (url.find('#') != url.npos) {
        return bad_url("it has a fragment");
    }
    if (!url.substr(colon).starts_with("://")) {
        return bad_url("it names no host");
    }
    std::string_view const rest = url.substr(colon + 3);
    std::size_t const end = std::min(rest.find_first_of("/?"), rest.size());
    FLORIN_TRY_VOID(parse_authority(rest.substr(0, end), target));
    // What a request line holds.
    target.path = rest.substr(end);
    if (!target.path.starts_with('/')) {
        target.path.insert(0, "/");
    }
    return target;
}

bool is_public(ip::address const& address) {
    return address.is_v4() ? is_public4(address.to_v4().to_uint()) : is_public6(address.to_v6());
}

std::span<std::string_view const> event_names() {
    return kEventNames;
}

bool is_event_name(std::string_view name) {
    return std::ranges::find(kEventNames, name) != std::end(kEventNames) ||
           std::ranges::find(kEventNamesToCome, name) != std::end(kEventNamesToCome);
}

bool wants(std::vector<std::string> const& enabled_events, std::string_view type) {
    return std::ranges::any_of(enabled_events, [&](std::string const& each) {
        return each == "*" || each == type;
    });
}

bool matches(std::string_view pattern, std::string_view type) {
    if (pattern.ends_with(".*")) {
        return type.starts_with(pattern.substr(0, pattern.size() - 1));
    }
    return pattern == type;
}

std::uint64_t retry_delay_ms(std::int64_t attempts) {
    constexpr std::uint64_t kMinute = 60'000;
    constexpr std::uint64_t kHour = 60 * kMinute;
    constexpr std::uint64_t kDelays[] = {
        kMinute, 5 * kMinute, 30 * kMinute, 2 * kHour, 5 * kHour, 10 * kHour
    };
    auto const step = static_cast<std::size_t>(std::max<std::int64_t>(attempts, 1) - 1);
    return step < std::size(kDelays) ? kDelays[step] : 12 * kHour;
}

std::optional<std::uint64_t> next_try_ms(
    Pace pace, std::uint64_t event_ms, std::int64_t attempts, std::uint64_t now_ms
) {
    std::uint64_t const due = now_ms + pace.scaled(retry_delay_ms(attempts));
    return due <= event_ms + pace.give_up_ms() ? std::optional{due} : std::nullopt;
}

}  // namespace florin::webhooks
