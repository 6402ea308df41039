// Which URLs, addresses and names are taken, and when a delivery is tried again.
#include "daemon/webhooks/rules.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::webhooks;

namespace {

constexpr std::uint64_t kMinute = 60'000;
constexpr std::uint64_t kHour = 60 * kMinute;

}  // namespace

TEST_CASE("a URL says where to connect and what to ask for") {
    struct Row {
        char const* url;
        bool is_tls;
        char const* host;
        std::uint16_t port;
        char const* host_header;
        char const* path;
    };
    Row const rows[] = {
        {"https://example.com", true, "example.com", 443, "example.com", "/"},
        {"HTTPS://example.com/", true, "example.com", 443, "example.com", "/"},
        {"https://example.com/a/b?c=d&e", true, "example.com", 443, "example.com", "/a/b?c=d&e"},
        {"https://example.com?x=1", true, "example.com", 443, "example.com", "/?x=1"},
        {"https://example.com:443/a", true, "example.com", 443, "example.com", "/a"},
        {"https://example.com:8443/a", true, "example.com", 8443, "example.com:8443", "/a"},
        {"http://localhost:1/", false, "localhost", 1, "localhost:1", "/"},
        {"http://a_b-c.d:65535/%41", false, "a_b-c.d", 65535, "a_b-c.d:65535", "/%41"},
        {"http://192.0.2.7/", false, "192.0.2.7", 80, "192.0.2.7", "/"},
        {"https://[2001:db8::1]:444/x", true, "2001:db8::1", 444, "[2001:db8::1]:444", "/x"},
        {"https://xn--bcher-kva.example/",
         true,
         "xn--bcher-kva.example",
         443,
         "xn--bcher-kva.example",
         "/"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.url);
        auto const target = parse_url(row.url);
        REQUIRE(target.has_value());
        CHECK(target->is_tls == row.is_tls);
        CHECK(target->host == row.host);
        CHECK(target->port == row.port);
        CHECK(target->host_header == row.host_header);
        CHECK(target->path == row.path);
    }
}

TEST_CASE("what is not an absolute http URL of a plain host is refused, and why is said") {
    struct Row {
        std::string url;
        char const* why;
    };
    Row const rows[] = {
        {"", "not an absolute URL"},
        {"example.com/hooks", "not an absolute URL"},
        {"/hooks", "not an absolute URL"},
        {"//example.com/hooks", "not an absolute URL"},
        {"ftp://example.com/", "neither https nor http"},
        {"file:///etc/passwd", "neither https nor http"},
        {"javascript:alert(1)", "neither https nor http"},
        {"https:example.com", "names no host"},
        {"https:///hooks", "host is not a name"},
        {"https://user@example.com/", "user name"},
        {"https://user:pass@example.com/", "user name"},
        {"https://@example.com/", "user name"},
        {"https://example.com/#part", "fragment"},
        {"https://example.com/a#", "fragment"},
        {"https://example.com:0/", "port"},
        {"https://example.com:/", "port"},
        {"https://example.com:65536/", "port"},
        {"https://example.com:99999999999999999999/", "port"},
        {"https://example.com:http/", "port"},
        {"https://ex%61mple.com/", "host is not a name"},
        {"https://example.com%00.other/", "host is not a name"},
        {"https://b\xc3\xbc"
         "cher.example/",
         "not an absolute URL"},
        {"https://exam ple.com/", "not an absolute URL"},
        {"https://example.com/a b", "not an absolute URL"},
        {"https://example.com/\r\nX-Header: 1", "not an absolute URL"},
        {"https://.example.com/", "host is not a name"},
        {"https://exa;mple.com/", "host is not a name"},
        {"http://10.0.0.1*:/", "host is not a name"},
        {"https://[fe80::1%25eth0]/", ""},
        {"https://[::1/", "not an absolute URL"},
        {"https://[v1.x]/", "not an IPv6 address"},
        {"https://[::1]x/", "port"},
        {"https://example.com/%4", "not an absolute URL"},
        {"https://example.com/%zz", "not an absolute URL"},
        {"https://example.com\\\\@evil.example/", "not an absolute URL"},
        {"hsr:<", "not an absolute URL"},
        {"https://" + std::string(254, 'a') + "/", "host is not a name"},
        {"https://example.com/" + std::string(kUrlBytesMax, 'a'), "longer than"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.url);
        auto const target = parse_url(row.url);
        REQUIRE_FALSE(target.has_value());
        CAPTURE(target.error().context);
        CHECK(target.error().code == Errc::malformed);
        CHECK(target.error().context.find(row.why) != std::string::npos);
    }
}

TEST_CASE("only addresses of the public internet are public, in every form they can have") {
    struct Row {
        char const* address;
        bool is_public;
    };
    Row const rows[] = {
        {"0.0.0.0", false},
        {"0.255.255.255", false},
        {"1.0.0.0", true},
        {"9.255.255.255", true},
        {"10.0.0.0", false},
        {"10.255.255.255", false},
        {"11.0.0.0", true},
        {"100.63.255.255", true},
        {"100.64.0.0", false},
        {"100.127.255.255", false},
        {"100.128.0.0", true},
        {"126.255.255.255", true},
        {"127.0.0.1", false},
        {"127.255.255.255", false},
        {"128.0.0.0", true},
        {"169.253.255.255", true},
        {"169.254.169.254", false},
        {"169.255.0.0", true},
        {"172.15.255.255", true},
        {"172.16.0.0", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"192.0.0.8", false},
        {"192.0.1.0", true},
        {"192.0.2.1", false},
        {"192.88.99.1", false},
        {"192.167.255.255", true},
        {"192.168.0.0", false},
        {"192.168.255.255", false},
        {"192.169.0.0", true},
        {"198.17.255.255", true},
        {"198.18.0.0", false},
        {"198.19.255.255", false},
        {"198.20.0.0", true},
        {"198.51.100.1", false},
        {"203.0.113.1", false},
        {"223.255.255.255", true},
        {"224.0.0.1", false},
        {"239.255.255.255", false},
        {"240.0.0.1", false},
        {"255.255.255.255", false},
        {"::", false},
        {"::1", false},
        {"::8.8.8.8", false},
        {"::ffff:8.8.8.8", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:0:127.0.0.1", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::10.1.2.3", false},
        {"64:ff9b:1::8.8.8.8", false},
        {"100::1", false},
        {"2000::1", true},
        {"2001::1", false},
        {"2001:1ff:ffff::1", false},
        {"2001:200::1", true},
        {"2001:db8::1", false},
        {"2001:db9::1", true},
        {"2002:7f00:1::1", false},
        {"2002:a00:1::1", false},
        {"2002:808:808::1", true},
        {"2606:4700::1111", true},
        {"3fff::1", false},
        {"3fff:fff::1", false},
        {"3fff:1000::1", true},
        {"3ffe::1", true},
        {"4000::1", false},
        {"fc00::1", false},
        {"fd12:3456::1", false},
        {"fe80::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
    };
    for (Row const& row : rows) {
        CAPTURE(row.address);
        CHECK(is_public(boost::asio::ip::make_address(row.address)) == row.is_public);
    }
}

TEST_CASE("tries are spaced out, and end 72 hours after the event") {
    std::uint64_t const delays[] = {
        kMinute, 5 * kMinute, 30 * kMinute, 2 * kHour, 5 * kHour, 10 * kHour, 12 * kHour, 12 * kHour
    };
    for (std::size_t i = 0; i < std::size(delays); ++i) {
        CHECK(retry_delay_ms(static_cast<std::int64_t>(i) + 1) == delays[i]);
    }
    // An event at time 0 whose tries take no time.
    std::vector<std::uint64_t> tries{0};
    while (auto const next =
               next_try_ms({}, 0, static_cast<std::int64_t>(tries.size()), tries.back())) {
        tries.push_back(*next);
    }
    CHECK(tries.size() == 11);
    CHECK(tries.back() == 65 * kHour + 36 * kMinute);
    // The last moment counts, the one after does not.
    CHECK(next_try_ms({}, 0, 9, 60 * kHour) == 72 * kHour);
    CHECK_FALSE(next_try_ms({}, 0, 9, 60 * kHour + 1).has_value());
    Pace const fast{.scale_ppm = 1'000};
    CHECK(next_try_ms(fast, 5'000, 1, 6'000) == 6'060);
    CHECK(fast.give_up_ms() == 259'200);
}

TEST_CASE("names of events are known one by one, and filters end with a star") {
    CHECK(event_names().size() == 23);
    CHECK(is_event_name("payment_intent.succeeded"));
    CHECK(is_event_name("payout.paid"));
    CHECK(is_event_name("charge.dispute.created"));
    CHECK_FALSE(is_event_name("invoice.paid"));
    CHECK_FALSE(is_event_name("payment_intent.*"));
    CHECK_FALSE(is_event_name("*"));
    CHECK_FALSE(is_event_name("payment_intent"));
    CHECK(wants({"*"}, "refund.created"));
    CHECK(wants({"charge.failed", "refund.created"}, "refund.created"));
    CHECK_FALSE(wants({"charge.failed"}, "refund.created"));
    CHECK_FALSE(wants({"refund.*"}, "refund.created"));
    CHECK(matches("refund.created", "refund.created"));
    CHECK(matches("refund.*", "refund.created"));
    CHECK_FALSE(matches("refund*", "refund.created"));
    CHECK_FALSE(matches("ref.*", "refund.created"));
    CHECK_FALSE(matches("refund.*", "refunds.created"));
    CHECK_FALSE(matches("*", "refund.created"));
}
