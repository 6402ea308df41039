// Fuzzes the reader of HTTP requests.
//
// The first byte of an input says how the rest is cut into pieces. What is asserted: how it is cut
// makes no difference to the requests, nor to whether something is refused; limits hold; a request
// that is written out again is read as the same one; what is read ahead stays bounded.
#include "daemon/http/request_reader.h"
#include "ledger/base/bytes.h"
#include "ledger/base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace florin::http {
namespace {

constexpr ServerLimits kLimits{.header_bytes_max = 512, .body_bytes_max = 256};

struct Outcome {
    std::vector<Request> requests;
    std::vector<bool> keeps_alive;
    int refused_with = 0;  // 0: not refused
    int continues = 0;
};

// As a session does: until the bytes are used up or the connection would be closed.
Outcome read_all(std::string_view bytes, std::size_t piece) {
    Outcome outcome;
    RequestReader reader{kLimits};
    int continues_of_this = 0;
    for (;;) {
        switch (reader.read()) {
            case Reading::needs_bytes:
                if (bytes.empty()) {
                    return outcome;
                }
                reader.add(bytes.substr(0, piece));
                bytes.remove_prefix(std::min(piece, bytes.size()));
                break;
            case Reading::wants_continue:
                FLORIN_CHECK(++continues_of_this == 1, "100 Continue is said once");
                ++outcome.continues;
                break;
            case Reading::whole:
                outcome.requests.push_back(reader.take());
                outcome.keeps_alive.push_back(reader.keeps_alive());
                continues_of_this = 0;
                if (!reader.keeps_alive()) {
                    return outcome;
                }
                break;
            case Reading::broken:
                outcome.refused_with = reader.complaint().status;
                FLORIN_CHECK(!reader.complaint().message.empty(), "a refusal says why");
                return outcome;
        }
    }
}

bool same(Request const& a, Request const& b) {
    return a.method == b.method && a.path == b.path && a.query == b.query &&
           a.headers == b.headers && a.body == b.body;
}

bool is_named(std::string_view name, std::string_view wanted) {
    return std::ranges::equal(name, wanted, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
    });
}

void check_request(Request const& request) {
    FLORIN_CHECK(request.path.starts_with('/'), "a path begins with /");
    FLORIN_CHECK(request.path.find('\0') == std::string::npos, "no zero byte in a path");
    FLORIN_CHECK(request.body.size() <= kLimits.body_bytes_max, "a body has a limit");
    std::size_t head = request.query.size();
    bool has_length = false;
    bool has_coding = false;
    for (auto const& [name, value] : request.headers) {
        head += name.size() + value.size();
        has_length = has_length || is_named(name, "content-length");
        has_coding = has_coding || is_named(name, "transfer-encoding");
        auto const breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
        FLORIN_CHECK(std::ranges::none_of(name + value, breaks), "a header is one line");
    }
    FLORIN_CHECK(head <= kLimits.header_bytes_max, "a head has a limit");
    FLORIN_CHECK(!(has_length && has_coding), "one length is enough");
}

// Written as a client that is as plain as possible would, it means the same.
void check_written_again(Request const& request) {
    if (request.method == Method::other) {
        return;  // its name is not kept
    }
    std::string text = request.method == Method::get    ? "GET "
                       : request.method == Method::post ? "POST "
                                                        : "DELETE ";
    // A slash that separates is written plain; one that does not is "%2F" in the path too.
    for (char const c : request.path) {
        text += c == '/' ? "/" : "%" + to_hex(std::string_view{&c, 1});
    }
    text += request.query.empty() ? "" : "?" + request.query;
    text += " HTTP/1.1\r\n";
    auto plain = request.headers;
    std::erase_if(plain, [](auto const& header) {
        return is_named(header.first, "content-length") ||
               is_named(header.first, "transfer-encoding") || is_named(header.first, "trailer");
    });
    plain.emplace_back("Content-Length", std::to_string(request.body.size()));
    if (!request.header("Host")) {
        plain.emplace_back("Host", "x");  // HTTP/1.0 goes without
    }
    for (auto const& [name, value] : plain) {
        text += name + ": " + value + "\r\n";
    }
    text += "\r\n" + request.body;
    // Escapes make it longer than it was: nothing is said about a head that no longer fits.
    if (text.size() - request.body.size() > kLimits.header_bytes_max) {
        return;
    }
    auto const again = read_all(text, text.size());
    FLORIN_CHECK(again.requests.size() == 1, "a request that was read can be read");
    FLORIN_CHECK(again.requests[0].path == request.path, "the path is the same");
    FLORIN_CHECK(again.requests[0].query == request.query, "the query is the same");
    FLORIN_CHECK(again.requests[0].headers == plain, "the headers are the same");
    FLORIN_CHECK(again.requests[0].body == request.body, "the body is the same");
}

void fuzz(std::size_t piece, std::string_view bytes) {
    // What is wrong may be refused when it is seen, or when a few bytes more have come.
    std::string const longer = std::string{bytes} + "\r\n\r\n\r\n\r\n";
    auto const whole = read_all(bytes, std::max<std::size_t>(bytes.size(), 1));
    bool const is_refused_later = read_all(longer, longer.size()).refused_with != 0;
    for (std::size_t const size : {piece, std::size_t{1}}) {
        auto const cut = read_all(bytes, size);
        FLORIN_CHECK(cut.requests.size() == whole.requests.size(), "pieces make other requests");
        FLORIN_CHECK(std::ranges::equal(cut.requests, whole.requests, same), "pieces change them");
        FLORIN_CHECK(cut.keeps_alive == whole.keeps_alive, "pieces end the connection");
        FLORIN_CHECK(cut.continues == whole.continues, "pieces change what is expected");
        FLORIN_CHECK(cut.refused_with == 0 || is_refused_later, "only pieces are refused");
        FLORIN_CHECK(
            whole.refused_with == 0 || read_all(longer, size).refused_with != 0,
            "pieces are not refused"
        );
    }
    for (Request const& request : whole.requests) {
        check_request(request);
        check_written_again(request);
    }
}

}  // namespace
}  // namespace florin::http

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size > 0) {
        florin::http::fuzz(data[0] + 1U, {reinterpret_cast<char const*>(data + 1), size - 1});
    }
    return 0;
}
