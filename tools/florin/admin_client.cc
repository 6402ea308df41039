#include "tools/florin/admin_client.h"

#include "crypto/tls.h"
#include "ledger/base/bytes.h"
#include "tools/florin/output.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

namespace florin::tools {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace fs = std::filesystem;
using boost::system::error_code;
using nlohmann::ordered_json;
using Stream = beast::ssl_stream<beast::tcp_stream>;

// An argument that is not UTF-8 is for the daemon to refuse.
constexpr auto kReplace = ordered_json::error_handler_t::replace;
constexpr auto kTimeout = std::chrono::seconds{60};
constexpr auto kPoll = std::chrono::milliseconds{50};
constexpr std::size_t kAnswerMax = 256U << 20U;

struct Address {
    std::string host, port;
};

Result<Address> parse_url(std::string_view url) {
    constexpr std::string_view kScheme = "https://";
    if (!url.starts_with(kScheme)) {
        return fail(Errc::malformed, "'" + std::string{url} + "' is not https://HOST:PORT");
    }
    url.remove_prefix(kScheme.size());
    url = url.substr(0, url.find('/'));
    auto const colon = url.rfind(':');
    bool const has_port = colon != std::string_view::npos && url.find(']', colon) == url.npos;
    std::string_view host = has_port ? url.substr(0, colon) : url;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    return Address{std::string{host}, has_port ? std::string{url.substr(colon + 1)} : "443"};
}

Result<std::string> read_file(fs::path const& file) {
    std::ifstream in{file, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::not_found, file.string() + ": cannot read");
    }
    return text.str();
}

Result<ordered_json> read_json(fs::path const& file) {
    FLORIN_TRY(auto const text, read_file(file));
    auto json = ordered_json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
        return fail(Errc::malformed, file.string() + ": not a JSON object");
    }
    return json;
}

// What --data-dir and the other options amount to.
struct Found {
    Address address;
    std::string ca_pem;
    ApiKey key;
};

Result<Found> find_daemon(DaemonOptions const& options) {
    Found found;
    std::string url = options.url;
    std::string ca = options.ca_file;
    if (url.empty()) {
        fs::path const run = fs::path{options.data_dir} / "run.json";
        if (options.data_dir.empty()) {
            return fail(Errc::malformed, "say where the daemon is: --data-dir D or --url URL");
        }
        if (!fs::exists(run)) {
            return fail(
                Errc::not_found,
                "no daemon is running on " + options.data_dir + ": there is no " + run.string()
            );
        }
        FLORIN_TRY(auto const json, read_json(run));
        url = json.value("admin_url", "");
        ca = ca.empty() ? json.value("ca", "") : ca;
    }
    FLORIN_TRY(found.address, parse_url(url));
    if (ca.empty()) {
        return fail(
            Errc::malformed, "say which certificate authority the daemon's is from: --ca FILE"
        );
    }
    FLORIN_TRY(found.ca_pem, read_file(ca));

    char const* const from_environment = std::getenv("FLORIN_ADMIN_KEY");
    fs::path const dev = fs::path{options.data_dir} / "dev.json";
    std::string key;
    if (!options.admin_key_file.empty()) {
        FLORIN_TRY(key, read_file(options.admin_key_file));
    } else if (from_environment != nullptr) {
        key = from_environment;
    } else if (!options.data_dir.empty() && fs::exists(dev)) {
        FLORIN_TRY(auto const json, read_json(dev));
        key = json.value("admin_key", "");
    }
    key.erase(key.find_last_not_of(" \r\n") + 1);
    if (key.empty()) {
        return fail(Errc::refused, "no admin key: set FLORIN_ADMIN_KEY or give --admin-key-file");
    }
    found.key = ApiKey{key};
    return found;
}

class HttpsClient final : public AdminClient {
public:
    HttpsClient(Found found, std::shared_ptr<asio::ssl::context> tls)
        : found_{std::move(found)}, tls_{std::move(tls)} {}

    Result<void> choose_mode(std::string const& mode) {
        FLORIN_TRY(auto const overview, exchange(http::verb::get, "/admin/v1", {}));
        auto const modes = overview.value("modes", ordered_json::array());
        if (mode.empty() && modes.size() != 1) {
            return fail(Errc::malformed, "say which mode: --mode test or --mode live");
        }
        root_ = "/admin/v1/" + (mode.empty() ? modes[0].get<std::string>() : mode);
        return {};
    }

    Result<ordered_json> get(std::string const& path) override {
        return exchange(http::verb::get, root_ + path, {});
    }
    Result<ordered_json> post(std::string const& path, ordered_json const& body) override {
        return exchange(http::verb::post, root_ + path, body.dump(-1, ' ', false, kReplace));
    }

    Result<ordered_json> run_job(std::string const& path, std::string const& title) override {
        FLORIN_TRY(auto const started, post(path, ordered_json::object()));
        std::string const target = "/admin/v1/jobs/" + started.value("job", "");
        ProgressBar bar{title};
        for (;;) {
            FLORIN_TRY(auto const at, exchange(http::verb::get, target, {}));
            std::string const state = at.value("state", "");
            if (state == "done") {
                return at.at("result");
            }
            if (state != "running") {
                return fail(Errc::refused, at.at("error").value("message", "it failed"));
            }
            bar.show(at.value("step", ""), at.value("done", std::uint64_t{0}), 0);
            std::this_thread::sleep_for(kPoll);
        }
    }

private:
    using Request = http::request<http::string_body>;
    using Response = http::response<http::string_body>;

    Result<ordered_json> exchange(http::verb verb, std::string const& target, std::string body) {
        Request request{verb, target, 11};
        request.set(http::field::host, found_.address.host);
        request.set(http::field::authorization, "Bearer " + std::string{found_.key.reveal()});
        request.set(http::field::content_type, "application/json");
        request.body() = std::move(body);
        request.prepare_payload();
        context_.restart();
        auto future = asio::co_spawn(context_, send(std::move(request)), asio::use_future);
        context_.run();
        FLORIN_TRY(Response const response, future.get());
        auto json = ordered_json::parse(response.body(), nullptr, false);
        if (json.is_discarded()) {
            return fail(Errc::malformed, "the daemon's answer is not JSON");
        }
        if (response.result_int() >= 300) {
            auto const error = json.value("error", ordered_json::object());
            return fail(Errc::refused, error.value("message", "the daemon refused"));
        }
        return json;
    }

    asio::awaitable<Result<Response>> send(Request request) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        auto const failed = [&](std::string_view what) {
            return fail(
                Errc::io,
                std::string{what} + " " + found_.address.host + ":" + found_.address.port + ": " +
                    error.message()
            );
        };
        asio::ip::tcp::resolver resolver{context_};
        auto const addresses =
            co_await resolver.async_resolve(found_.address.host, found_.address.port, token);
        if (error) {
            co_return failed("cannot resolve");
        }
        Stream stream{beast::tcp_stream{context_}, *tls_};
        stream.next_layer().expires_after(kTimeout);
        co_await stream.next_layer().async_connect(addresses, token);
        if (error) {
            co_return failed("no daemon answers at");
        }
        stream.set_verify_callback(asio::ssl::host_name_verification{found_.address.host}, error);
        if (!error) {
            co_await stream.async_handshake(asio::ssl::stream_base::client, token);
        }
        if (error) {
            co_return failed("no TLS with");
        }
        co_await http::async_write(stream, request, token);
        if (error) {
            co_return failed("cannot send to");
        }
        beast::flat_buffer buffer;
        http::response_parser<http::string_body> parser;
        parser.body_limit(kAnswerMax);
        co_await http::async_read(stream, buffer, parser, token);
        if (error) {
            co_return failed("no answer from");
        }
        co_return parser.release();
    }

    Found found_;
    std::shared_ptr<asio::ssl::context> tls_;
    asio::io_context context_;
    std::string root_ = "/admin/v1";
};

}  // namespace

std::string path_part(std::string_view id) {
    std::string out;
    for (char const c : id) {
        bool const is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                              (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        out += is_plain ? std::string{c} : "%" + to_hex(std::string_view{&c, 1});
    }
    return out;
}

Result<std::unique_ptr<AdminClient>> AdminClient::connect(
    DaemonOptions const& options, Scope scope
) {
    FLORIN_TRY(auto found, find_daemon(options));
    FLORIN_TRY(auto tls, crypto::make_client_context(found.ca_pem));
    auto client = std::make_unique<HttpsClient>(std::move(found), std::move(tls));
    if (scope == Scope::mode) {
        FLORIN_TRY_VOID(client->choose_mode(options.mode));
    }
    return client;
}

}  // namespace florin::tools
