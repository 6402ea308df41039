#include "daemon/api/service.h"

#include "daemon/api/authorization.h"
#include "daemon/api/redact.h"
#include "daemon/api/request_content.h"
#include "daemon/api/rights.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

// How long a duplicate waits for the first before it is told to come back.
constexpr auto kDuplicateWait = std::chrono::seconds{20};
constexpr auto kDuplicatePoll = std::chrono::milliseconds{10};

ApiError unauthorised(std::string message) {
    ApiError error;
    error.http_status = 401;
    error.message = std::move(message);
    return error;
}

ApiError forbidden(std::string message) {
    ApiError error;
    error.http_status = 403;
    error.code = "account_invalid";
    error.message = std::move(message);
    return error;
}

// Web pages of any origin make payment methods with a publishable key, which is public: browsers
// ask whether they may, and then want it said in the answer (Fetch standard, CORS protocol).
// Nothing else here is for pages.
constexpr std::string_view kForPages = "/v1/payment_methods";

// Nobody but a browser's preflight, which is an OPTIONS, has that header.
bool is_preflight(http::Request const& request) {
    return request.method == http::Method::other && request.path == kForPages &&
           request.header("Origin") && request.header("Access-Control-Request-Method");
}

std::vector<std::pair<std::string, std::string>> preflight_headers() {
    return {
        {"Access-Control-Allow-Origin", "*"},
        {"Access-Control-Allow-Methods", "POST"},
        {"Access-Control-Allow-Headers",
         "authorization, content-type, idempotency-key, stripe-version"},
        {"Access-Control-Max-Age", "600"},
    };
}

// With a publishable key, sound or not: a page is to read why it was refused.
bool is_from_page(http::Request const& request) {
    auto const header = request.header("Authorization");
    auto const key = request.path == kForPages && header ? key_from_header(*header) : std::nullopt;
    return key && key->reveal().starts_with("pk_");
}

// Why a key that is known may not do this; nullopt: it may.
std::optional<ApiError> why_not(
    model::ApiKey const& known, ApiKey const& key, http::Request const& request
) {
    std::string_view const resource = resource_of(request.path);
    Access const wanted = request.method == http::Method::get ? Access::read : Access::write;
    bool const is_for_pages = known.kind == "publishable" && request.method == http::Method::post &&
                              request.path == kForPages;
    // An operator's key acts for no merchant, whatever its rights.
    bool const is_merchants = known.kind == "secret" || known.kind == "restricted";
    if (!is_for_pages && !is_merchants) {
        return forbidden("This API call cannot be made with this kind of API key.");
    }
    if (is_merchants && !may(known, resource, wanted)) {
        return forbidden(
            "The provided key '" + masked(key) +
            "' does not have the required permissions for this endpoint. The right '" +
            shown(resource, 40) + "=" + std::string{access_name(wanted)} +
            "' would allow this request."
        );
    }
    auto const account = request.header("Stripe-Account");
    if (account && *account != known.merchant) {
        return forbidden(
            "The provided key does not have access to account '" + shown(*account) + "'."
        );
    }
    return std::nullopt;
}

// 429. `wait_ns`: until there is room again, as far as that is known.
ApiError too_many(std::string message, std::uint64_t wait_ns, bool should_retry) {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    ApiError error;
    error.http_status = 429;
    error.code = "rate_limit";
    error.message = std::move(message);
    error.should_retry = should_retry;
    error.retry_after_s =
        std::max<std::int64_t>(1, static_cast<std::int64_t>((wait_ns + kSecondNs - 1) / kSecondNs));
    return error;
}

// 503, for a request that nothing was done for.
ApiError too_busy() {
    ApiError error;
    error.http_status = 503;
    error.type = ErrorType::api_error;
    error.message = "More is asked of Florin than it can do now. Nothing was done; try again.";
    error.should_retry = true;
    error.retry_after_s = 1;
    return error;
}

ApiError unknown_url(http::Request const& request) {
    ApiError error;
    error.http_status = 404;
    error.message =
        "Unrecognized request URL (" + request.verb + ": " + shown(request.path, 200) + ").";
    return error;
}

// The convention has /v1/:resource/search, which this version does not: as an id it would find
// fault with `query` first, and look like an endpoint that is there. No id is called so.
bool is_search(http::PathParameters const& parameters) {
    auto const id = parameters.find("id");
    return id != parameters.end() && id->second == "search";
}

}  // namespace

bool is_api_version(std::string_view text) {
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() < 10 || text.size() > 40) {
        return false;
    }
    for (std::size_t i = 0; i < 10; ++i) {
        bool const is_dash = i == 4 || i == 7;
        if (is_dash ? text[i] != '-' : !is_digit(text[i])) {
            return false;
        }
    }
    std::string_view const name = text.substr(10);
    return name.empty() ||
           (name.size() > 1 && name[0] == '.' && std::ranges::all_of(name.substr(1), [](char c) {
                return (c >= 'a' && c <= 'z') || c == '_';
            }));
}

Routes all_routes() {
    Routes routes;
    add_customers(routes);
    add_payment_intents(routes);
    add_payment_operations(routes);
    add_payment_methods(routes);
    add_charges(routes);
    add_refunds(routes);
    add_balance(routes);
    add_balance_transactions(routes);
    add_events(routes);
    add_webhook_endpoints(routes);
    return routes;
}

Service::Service(Services services) : services_{std::move(services)}, routes_{all_routes()} {}

std::set<std::string> Service::resources() const {
    std::set<std::string> names;
    routes_.each([&](http::Method, std::vector<std::string> const& parts) {
        if (parts.size() > 1 && parts[0] == "v1") {
            names.insert(parts[1]);
        }
    });
    return names;
}

ApiResult<std::shared_ptr<Keys::Known>> Service::authenticate(http::Request const& request) const {
    auto const header = request.header("Authorization");
    if (!header) {
        return std::unexpected{unauthorised(
            "You did not provide an API key. Provide it in the Authorization header, using Bearer "
            "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )};
    }
    auto const key = key_from_header(*header);
    if (!key) {
        return std::unexpected{unauthorised("The Authorization header is neither Bearer nor Basic.")
        };
    }
    auto found = services_.keys.find(*key);
    if (!found) {
        return std::unexpected{internal_error(found.error().context)};
    }
    if (!*found) {
        return std::unexpected{unauthorised("Invalid API Key provided: " + masked(*key))};
    }
    if (auto refusal = why_not((*found)->document, *key, request)) {
        return std::unexpected{std::move(*refusal)};
    }
    return std::move(*found);
}

// The rate first, so that what is refused for being too much at once has counted too.
ApiResult<Service::InFlight> Service::limit(std::shared_ptr<Keys::Known> key) {
    KeyLimiter& limiter = key->limiter;
    if (std::uint64_t const wait_ns = limiter.take(); wait_ns > 0) {
        ++rate_limited_;
        return std::unexpected{too_many(
            "This API key has made too many requests in a short time. Slow down, or ask for a "
            "higher limit.",
            wait_ns,
            false  // SDKs come back within a second or two: that would only repeat the refusal
        )};
    }
    if (!limiter.enter()) {
        ++rate_limited_;
        return std::unexpected{too_many(
            "Too many requests of this API key are being worked on at the same time. Nothing was "
            "done; try again when one of them is answered.",
            0,
            true
        )};
    }
    return InFlight{std::move(key)};
}

asio::awaitable<ApiResult<Done>> Service::serve(
    http::Request const& request, bool& replayed, std::string& original_request
) {
    // Before anything else is done for it, so that refusing costs next to nothing.
    auto const ticket = services_.admission.enter();
    if (!ticket) {
        co_return std::unexpected{too_busy()};
    }
    auto key = authenticate(request);
    if (!key) {
        co_return std::unexpected{key.error()};
    }
    auto const in_flight = limit(std::move(*key));
    if (!in_flight) {
        co_return std::unexpected{in_flight.error()};
    }
    auto const match = routes_.find(request.method, request.path);
    if (!match || is_search(match->parameters)) {
        co_return std::unexpected{unknown_url(request)};
    }
    auto const version = request.header("Stripe-Version");
    if (version && !is_api_version(*version)) {
        co_return std::unexpected{
            bad_parameter("", "", "Invalid Stripe API version: " + shown(*version, 40))
        };
    }
    Keys::Known const& known = *in_flight->key;
    flow::Caller caller{
        .owner = known.owner,
        .merchant = known.document.merchant,
        .mode = known.mode,
        .request_id = request.request_id,
        .idempotency_key = {},
        .fingerprint = {},
    };
    co_return co_await run(
        *match->target,
        request,
        known.document,
        std::move(caller),
        match->parameters,
        replayed,
        original_request
    );
}

// What was answered, decrypted where it holds a secret.
ApiResult<Done> Service::replayed_answer(
    model::IdempotencyKey const& stored, flow::Caller const& caller
) const {
    int const status = static_cast<int>(stored.status);
    if (!stored.sealed) {
        return Done{status, stored.body};
    }
    auto body =
        services_.webhooks.secrets.open_answer(stored.body, caller.owner, caller.idempotency_key);
    if (!body) {
        return std::unexpected{internal_error(body.error().context)};
    }
    return Done{status, std::move(*body)};
}

asio::awaitable<http::Response> Service::handle(http::Request request) {
    http::Response response;
    if (is_preflight(request)) {
        response.status = 204;
        response.headers = preflight_headers();
        co_return response;
    }
    bool replayed = false;
    std::string original_request;
    auto result = co_await serve(request, replayed, original_request);
    std::optional<bool> should_retry;
    if (result) {
        response.status = result->status;
        response.body = indented(result->body);
    } else {
        response = result.error().response();
        should_retry = result.error().should_retry;
    }
    auto const version = request.header("Stripe-Version");
    bool const is_known_version = version && is_api_version(*version);
    response.headers.emplace_back(
        "Stripe-Version", is_known_version ? std::string{*version} : services_.default_api_version
    );
    if (auto const key = idempotency_key_of(request); key && *key) {
        response.headers.emplace_back("Idempotency-Key", **key);
    }
    if (auto const account = request.header("Stripe-Account")) {
        response.headers.emplace_back("Stripe-Account", redacted(*account));
    }
    if (is_from_page(request)) {
        response.headers.emplace_back("Access-Control-Allow-Origin", "*");
    }
    if (response.status == 401) {
        response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"Florin\"");
    }
    if (replayed) {
        response.headers.emplace_back("Idempotent-Replayed", "true");
        response.headers.emplace_back("Original-Request", original_request);
    }
    if (!should_retry && (response.status == 409 || response.status == 503)) {
        response.headers.emplace_back("Stripe-Should-Retry", "true");
    } else if (!should_retry && response.status == 402) {
        response.headers.emplace_back("Stripe-Should-Retry", "false");
    }
    co_return response;
}

asio::awaitable<ApiResult<Done>> Service::run(
    Endpoint const& endpoint,
    http::Request const& request,
    model::ApiKey const& api_key,
    flow::Caller caller,
    http::PathParameters path,
    bool& replayed,
    std::string& original_request
) {
    auto const form = form_of(request);
    if (!form) {
        co_return std::unexpected{form.error()};
    }
    if (auto error = misplaced_secret(*form)) {
        co_return std::unexpected{*error};
    }
    auto const sent = idempotency_key_of(request);
    if (!sent) {
        co_return std::unexpected{sent.error()};
    }
    std::optional<std::string> const& key = *sent;
    if (key) {
        caller.idempotency_key = *key;
        // Keyed: the parameters may hold a card number, and a plain hash of those can be guessed.
        caller.fingerprint = crypto::hex(services_.keys.pepper().of(
            std::string{http::method_name(request.method)} + " " + request.path + "\n" +
            http::canonical_form(*form)
        ));
    }
    auto const give_up = std::chrono::steady_clock::now() + kDuplicateWait;
    for (;;) {
        if (key) {
            auto const stored = flow::load<model::IdempotencyKey>(
                services_.ledger.documents(), caller.owner, caller.idempotency_key
            );
            if (!stored) {
                co_return std::unexpected{internal_error(stored.error().context)};
            }
            if (*stored && (*stored)->value.fingerprint != caller.fingerprint) {
                ApiError error;
                error.type = ErrorType::idempotency_error;
                error.message =
                    "Keys for idempotent requests can only be used with the same endpoint and "
                    "parameters they were first used with.";
                co_return std::unexpected{error};
            }
            if (*stored && (*stored)->value.done) {
                replayed = true;
                original_request = (*stored)->value.request_id;
                co_return replayed_answer((*stored)->value, caller);
            }
            if (*stored && std::chrono::steady_clock::now() > give_up) {
                ApiError error;
                error.http_status = 409;
                error.type = ErrorType::idempotency_error;
                error.code = "idempotency_key_in_use";
                error.message = "There is another request in progress with this idempotency key.";
                co_return std::unexpected{error};
            }
            if (*stored) {
                asio::steady_timer pause{co_await asio::this_coro::executor, kDuplicatePoll};
                boost::system::error_code ignored;
                auto token = asio::redirect_error(asio::use_awaitable, ignored);
                co_await pause.async_wait(token);
                continue;
            }
        }
        Parameters parameters{*form};
        Call call{
            .services = services_,
            .key = api_key,
            .caller = caller,
            .path = path,
            .parameters = parameters,
        };
        auto result = co_await endpoint(call);
        // Somebody else claimed the key in between: wait for them.
        if (!result && result.error().code == "idempotency_key_in_use") {
            continue;
        }
        if (!result && key) {
            // A duplicate that looked just before the first claimed the key finds the payment
            // changed by it, and must not say so: it has the answer of the first.
            auto const stored = flow::load<model::IdempotencyKey>(
                services_.ledger.documents(), caller.owner, caller.idempotency_key
            );
            if (stored && *stored && (*stored)->value.request_id != caller.request_id) {
                continue;
            }
        }
        co_return result;
    }
}

}  // namespace florin::api
