#include "daemon/http/request_reader.h"

#include "ledger/base/bytes.h"
#include "ledger/base/check.h"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <utility>

namespace florin::http {
namespace {

namespace bhttp = boost::beast::http;
using boost::system::error_code;
using Parser = bhttp::request_parser<bhttp::string_body>;

constexpr std::size_t kReadAheadMax = 64 * 1024;
// "0", CRLF, CRLF: so much of a chunked body is there or will come, wherever one stands in it.
// Beast before 1.86 asserts that it gets so much, and would abort (boostorg/beast pull request
// 2861).
constexpr std::size_t kLastChunkBytes = 5;
// Larger buffers are given back when a connection falls idle.
constexpr std::size_t kKeptBytes = 4 * 1024;

std::string head_too_long(ServerLimits const& limits) {
    return "The request's headers are longer than " + std::to_string(limits.header_bytes_max) +
           " bytes.";
}

Complaint complaint_about(error_code const& error, ServerLimits const& limits) {
    if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
        return {431, head_too_long(limits)};
    }
    if (error == bhttp::error::body_limit) {
        return {
            413,
            "The request's body is longer than " + std::to_string(limits.body_bytes_max) + " bytes."
        };
    }
    return {400, "The request is not valid HTTP/1.1: " + error.message() + "."};
}

Method method_of(bhttp::verb verb) {
    if (verb == bhttp::verb::get) {
        return Method::get;
    }
    if (verb == bhttp::verb::post) {
        return Method::post;
    }
    return verb == bhttp::verb::delete_ ? Method::delete_ : Method::other;
}

// A method's name that may be shown: whoever asks can write there what he likes.
std::string verb_of(bhttp::request<bhttp::string_body> const& message) {
    constexpr std::size_t kLengthMax = 20;
    std::string_view const sent{message.method_string().data(), message.method_string().size()};
    bool const is_word = sent.size() <= kLengthMax && std::ranges::all_of(sent, [](char c) {
                             return (c >= 'A' && c <= 'Z') || c == '-';
                         });
    return std::string{is_word ? sent : method_name(Method::other)};
}

// A target as clients write it to its server ("/v1/balance?x=y"), also where it came whole, as to a
// proxy: whoever is meant by "https://host", it is who was asked (RFC 9112 section 3.2.2). nullopt:
// neither form.
std::optional<std::string> origin_form(std::string_view target) {
    if (target.starts_with('/')) {
        return std::string{target};
    }
    auto const mark = target.find("://");
    std::string_view const scheme = target.substr(0, mark);
    auto const is_scheme = [&](std::string_view name) {
        return std::ranges::equal(scheme, name, [](char sent, char small) {
            return sent == small || sent == small - 'a' + 'A';
        });
    };
    if (mark == std::string_view::npos || (!is_scheme("https") && !is_scheme("http"))) {
        return std::nullopt;
    }
    std::string_view rest = target.substr(mark + 3);
    std::string_view const authority = rest.substr(0, rest.find_first_of("/?"));
    // A name before the host makes it look like another one (RFC 9110 section 4.2.4).
    if (authority.empty() || authority.contains('@')) {
        return std::nullopt;
    }
    rest.remove_prefix(authority.size());
    return (rest.starts_with('/') ? "" : "/") + std::string{rest};
}

// All but the body. nullopt: the target cannot be read.
std::optional<Request> head_of(bhttp::request<bhttp::string_body> const& message) {
    Request request;
    request.method = method_of(message.method());
    request.verb = verb_of(message);
    auto const target = origin_form({message.target().data(), message.target().size()});
    auto const mark = target ? target->find('?') : 0;
    auto path = target ? decode_path(target->substr(0, mark)) : std::nullopt;
    if (!path) {
        return std::nullopt;
    }
    request.path = std::move(*path);
    request.query = mark == std::string::npos ? "" : target->substr(mark + 1);
    for (auto const& field : message) {
        request.headers.emplace_back(field.name_string(), field.value());
    }
    return request;
}

}  // namespace

std::optional<std::string> decode_path(std::string_view text) {
    std::string path;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            path.push_back(text[i]);
            continue;
        }
        auto const byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1 || (*byte)[0] == '\0') {
            return std::nullopt;
        }
        // An encoded slash is data and separates nothing (RFC 3986 section 2.2): decoded, the id
        // "pi_1%2Fcancel" would cancel a payment. No name of ours holds a slash, so that it can
        // stay encoded, as what it is, and matches nothing.
        path += *byte == "/" ? "%2F" : *byte;
        i += 2;
    }
    return path;
}

struct RequestReader::Parsing {
    explicit Parsing(ServerLimits const& limits) {
        parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
        parser.body_limit(limits.body_bytes_max);
    }
    Parser parser;
    std::size_t head_bytes = 0;
    bool has_looked_at_head = false;
    bool waits_for_more = false;  // what is there was not enough for it
};

RequestReader::RequestReader(ServerLimits const& limits) : limits_{limits} {}

RequestReader::~RequestReader() = default;

void RequestReader::add(std::string_view bytes) {
    unread_.erase(0, std::exchange(parsed_, 0));
    unread_.append(bytes);
}

Reading RequestReader::read() {
    if (!parsing_) {
        parsing_ = std::make_unique<Parsing>(limits_);
    }
    Parser& parser = parsing_->parser;
    for (;;) {
        if (parser.is_header_done() && !std::exchange(parsing_->has_looked_at_head, true)) {
            if (auto const head = head_is_whole(); head != Reading::needs_bytes) {
                return head;
            }
        }
        if (parser.is_done()) {
            request_.body = std::move(parser.get().body());
            return Reading::whole;
        }
        error_code error;
        std::string_view const rest = std::string_view{unread_}.substr(parsed_);
        bool const waits = parsing_->waits_for_more && parser.is_header_done() && parser.chunked();
        bool const is_too_little = rest.empty() || (waits && rest.size() < kLastChunkBytes);
        if (!is_too_little) {
            std::size_t const count = parser.put(boost::asio::buffer(rest), error);
            parsed_ += count;
            parsing_->head_bytes += parsing_->has_looked_at_head ? 0 : count;
            parsing_->waits_for_more = error == bhttp::error::need_more;
        }
        if (error == bhttp::error::need_more || is_too_little) {
            bool const is_full =
                unread_.size() - parsed_ > limits_.header_bytes_max + kReadAheadMax;
            return is_full ? refuse(431, head_too_long(limits_)) : Reading::needs_bytes;
        }
        if (error) {
            Complaint about = complaint_about(error, limits_);
            return refuse(about.status, std::move(about.message));
        }
    }
}

// What follows from the head is settled here: the fields of a trailer come into the same message
// later, and must not pass for headers (RFC 9110 section 6.5.1). `needs_bytes`: nothing to say.
Reading RequestReader::head_is_whole() {
    auto const& head = parsing_->parser.get();
    // The parser counts from where it was given bytes last.
    if (parsing_->head_bytes > limits_.header_bytes_max) {
        return refuse(431, head_too_long(limits_));
    }
    bool const is_smuggling = head.count(bhttp::field::content_length) > 0 &&
                              head.count(bhttp::field::transfer_encoding) > 0;
    if (is_smuggling) {
        return refuse(400, "Content-Length and Transfer-Encoding exclude each other.");
    }
    // RFC 9112 section 3.2: a proxy could take another host for the one that is meant.
    std::size_t const hosts = head.count(bhttp::field::host);
    if (hosts > 1 || (hosts == 0 && head.version() == 11)) {
        return refuse(400, "The request needs one Host header.");
    }
    auto request = head_of(head);
    if (!request) {
        return refuse(
            400, "The request's target is neither a path nor a URL, or has a bad percent-escape."
        );
    }
    request_ = std::move(*request);
    // A HEAD or CONNECT does something to the bytes after it, and neither is offered: the answer
    // has a body, so the connection ends with it. HTTP/1.0 has one request only.
    bool const is_plain = head.method() != bhttp::verb::head &&
                          head.method() != bhttp::verb::connect && head.version() == 11;
    keeps_alive_ = head.keep_alive() && is_plain;
    bool const expects = head.count(bhttp::field::expect) > 0 &&
                         bhttp::token_list{head[bhttp::field::expect]}.exists("100-continue");
    return expects ? Reading::wants_continue : Reading::needs_bytes;
}

Reading RequestReader::refuse(int status, std::string message) {
    complaint_ = {status, std::move(message)};
    return Reading::broken;
}

Request RequestReader::take() {
    FLORIN_CHECK(parsing_ && parsing_->has_looked_at_head, "a request that is whole is taken");
    parsing_.reset();
    return std::exchange(request_, {});
}

bool RequestReader::keeps_alive() const {
    return keeps_alive_;
}

Complaint const& RequestReader::complaint() const {
    return complaint_;
}

bool RequestReader::is_idle() const {
    return !parsing_ && parsed_ == unread_.size();
}

void RequestReader::clear() {
    parsing_.reset();
    parsed_ = 0;
    unread_.clear();
    if (unread_.capacity() > kKeptBytes) {
        unread_.shrink_to_fit();
    }
}

}  // namespace florin::http
