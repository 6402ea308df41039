#include "daemon/http/request_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace florin::http {
namespace {

constexpr ServerLimits kLimits{.header_bytes_max = 128, .body_bytes_max = 16};

// Gives the reader `text` in pieces; answers what the first request comes to.
Reading feed(RequestReader& reader, std::string_view text, std::size_t piece) {
    for (;;) {
        Reading const reading = reader.read();
        bool const goes_on = reading == Reading::needs_bytes || reading == Reading::wants_continue;
        if (!goes_on || (text.empty() && reading == Reading::needs_bytes)) {
            return reading;
        }
        if (reading == Reading::needs_bytes) {
            reader.add(text.substr(0, piece));
            text.remove_prefix(std::min(piece, text.size()));
        }
    }
}

std::string line_of(std::size_t size) {
    std::string const frame = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
    return "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(size - frame.size(), 'x') + "\r\n\r\n";
}

constexpr char const* kChunked =
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_CASE("what is no request is refused with its status, however it was cut") {
    struct Row {
        std::string text;
        int status;
    };
    Row const rows[] = {
        {line_of(129), 431},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n", 413},
        {std::string{kChunked} + "11\r\nx", 413},
        {std::string{kChunked} + "9\r\nabcdefghi\r\n8\r\nx", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET ftp://h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET https:///x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET https://a@h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET https:/h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nNo colon\r\n\r\n", 400},
        {std::string{kChunked} + "0\r\nNo colon\r\n\r\n", 400},
        {std::string{kChunked} + "0\r\nContent-Length: 1\r\n\r\n", 400},
        {std::string{kChunked} + "zz\r\n\r\n", 400},
    };
    for (Row const& row : rows) {
        for (std::size_t const piece : {1UL, 2UL, 5UL, 7UL, 1000UL}) {
            CAPTURE(row.text);
            CAPTURE(piece);
            RequestReader reader{kLimits};
            REQUIRE(feed(reader, row.text, piece) == Reading::broken);
            CHECK(reader.complaint().status == row.status);
        }
    }
}

TEST_CASE("a head of just the allowed length is a request") {
    for (std::size_t piece = 1; piece <= kLimits.header_bytes_max; ++piece) {
        RequestReader reader{kLimits};
        REQUIRE(feed(reader, line_of(kLimits.header_bytes_max), piece) == Reading::whole);
    }
}

TEST_CASE("a trailer is read and dropped, however it was cut") {
    std::string const text =
        std::string{kChunked} + "3\r\nabc\r\n0\r\nAuthorization: x\r\nConnection: close\r\n\r\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        CAPTURE(piece);
        RequestReader reader{kLimits};
        REQUIRE(feed(reader, text, piece) == Reading::whole);
        Request const request = reader.take();
        CHECK(request.body == "abc");
        CHECK(request.headers.size() == 2);
        CHECK(reader.keeps_alive());
        CHECK(reader.is_idle());
    }
}

TEST_CASE("requests follow each other, and none follows one that ends the connection") {
    RequestReader reader{kLimits};
    reader.add(
        "POST /a%20b?c=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxyDELETE /d "
        "HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    REQUIRE(reader.read() == Reading::whole);
    Request const first = reader.take();
    CHECK(first.method == Method::post);
    CHECK(first.path == "/a b");
    CHECK(first.query == "c=%20");
    CHECK(first.body == "xy");
    CHECK(reader.keeps_alive());
    CHECK_FALSE(reader.is_idle());
    REQUIRE(reader.read() == Reading::whole);
    CHECK(reader.take().method == Method::delete_);
    CHECK(reader.is_idle());
    for (char const* const last :
         {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
          "CONNECT /x HTTP/1.1\r\nHost: h\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"}) {
        reader.add(last);
        REQUIRE(reader.read() == Reading::whole);
        reader.take();
        CHECK_FALSE(reader.keeps_alive());
    }
}

TEST_CASE("an encoded slash is data, and separates nothing") {
    CHECK(decode_path("/v1/a%2Fb") == "/v1/a%2Fb");
    CHECK(decode_path("/v1/a%2fb") == "/v1/a%2Fb");
    CHECK(decode_path("%2Fv1/a") == "%2Fv1/a");
    CHECK(decode_path("/v1/a%252Fb") == "/v1/a%2Fb");
    CHECK(decode_path("/%76%31/a%20b%2E") == "/v1/a b.");
    CHECK_FALSE(decode_path("/v1/a%2").has_value());
    CHECK_FALSE(decode_path("/v1/a%2G").has_value());
    CHECK_FALSE(decode_path("/v1/%00").has_value());
}

TEST_CASE("a target may come with scheme and host, which are not looked at") {
    struct Row {
        std::string target, path, query;
    };
    Row const rows[] = {
        {"https://elsewhere/v1/a%20b?c=/d", "/v1/a b", "c=/d"},
        {"HTTP://h:8080/x", "/x", ""},
        {"https://h", "/", ""},
        {"https://h?x=y", "/", "x=y"},
        {"https://h//x", "//x", ""},
        {"//h/x", "//h/x", ""},
        {"/https://h/x", "/https://h/x", ""},
    };
    for (Row const& row : rows) {
        CAPTURE(row.target);
        RequestReader reader{kLimits};
        reader.add("GET " + row.target + " HTTP/1.1\r\nHost: h\r\n\r\n");
        REQUIRE(reader.read() == Reading::whole);
        Request const request = reader.take();
        CHECK(request.path == row.path);
        CHECK(request.query == row.query);
    }
    // Before HTTP/1.1 there was no Host.
    RequestReader reader{kLimits};
    reader.add("GET / HTTP/1.0\r\n\r\n");
    CHECK(reader.read() == Reading::whole);
}

TEST_CASE("who wants to be told to go on is told once") {
    RequestReader reader{kLimits};
    reader.add("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(reader.read() == Reading::wants_continue);
    CHECK(reader.read() == Reading::needs_bytes);
    reader.add("xy");
    CHECK(reader.read() == Reading::whole);
}

TEST_CASE("a chunk extension without end is refused when too much was read ahead") {
    RequestReader reader{kLimits};
    reader.add(std::string{kChunked} + "1;");
    std::string const block(10'000, 'x');
    Reading reading = reader.read();
    for (int i = 0; i < 10 && reading == Reading::needs_bytes; ++i) {
        reader.add(block);
        reading = reader.read();
    }
    REQUIRE(reading == Reading::broken);
    CHECK(reader.complaint().status == 431);
}

}  // namespace
}  // namespace florin::http
