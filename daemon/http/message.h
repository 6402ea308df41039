// A request as the handlers see it, and what they answer. No Beast here: only
// http/request_reader.cc and http/session.cc know it.
// Thread rule: values.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace florin::http {

enum class Method { get, post, delete_, other };
std::string_view method_name(Method method);

struct Request {
    Method method = Method::other;
    std::string verb;   // the method's name as it was sent; "OTHER" for what is no word
    std::string path;   // decoded, without the query
    std::string query;  // raw
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string request_id;  // req_…, answered as Request-Id
    std::string peer;        // address of the other side

    // The first header of this name, in any case; nullopt: not sent.
    std::optional<std::string_view> header(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
};

// Runs on the connection's thread. A client that hangs up does not cancel it.
using Handler = std::function<boost::asio::awaitable<Response>(Request request)>;

// {"error":{"type":…,"message":…}} as every error of the transport looks.
std::string transport_error_json(std::string_view type, std::string_view message);

}  // namespace florin::http
