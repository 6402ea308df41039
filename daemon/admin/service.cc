#include "daemon/admin/service.h"

#include "daemon/admin/openapi.h"
#include "daemon/api/authorization.h"
#include "daemon/api/redact.h"
#include "daemon/log/log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using nlohmann::ordered_json;

constexpr int kUnauthorised = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kTooMany = 429;
constexpr int kServerFailed = 500;

int status_of(Errc code) {
    switch (code) {
        case Errc::malformed:
        case Errc::out_of_range:
        case Errc::unsupported: return 400;
        case Errc::refused: return kForbidden;
        case Errc::not_found: return kNotFound;
        case Errc::conflict:
        case Errc::already_held: return 409;
        case Errc::overloaded:
        case Errc::closed: return 503;
        case Errc::io:
        case Errc::corrupt:
        case Errc::timeout: return kServerFailed;
    }
    return kServerFailed;
}

http::Response response_of(Reply reply) {
    http::Response response;
    response.status = reply.status;
    response.body = std::move(reply.body);
    return response;
}

// 429. `wait_ns`: until there is room again, as far as that is known.
http::Response too_many(std::string_view message, std::uint64_t wait_ns) {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    auto response = response_of(error_reply("rate_limit", message, kTooMany));
    std::uint64_t const seconds = std::max<std::uint64_t>(1, (wait_ns + kSecondNs - 1) / kSecondNs);
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
    return response;
}

// What a request holds of its key's limits until it is answered.
class InFlight {
public:
    explicit InFlight(api::KeyLimiter& limiter) : limiter_{limiter} {}
    InFlight(InFlight const&) = delete;
    InFlight& operator=(InFlight const&) = delete;
    ~InFlight() { limiter_.leave(); }

private:
    api::KeyLimiter& limiter_;
};

// What there is, for any admin key.
Answer overview(Call& call) {
    ordered_json modes = ordered_json::array();
    for (auto const& [name, parts] : call.services.modes) {
        modes.push_back(name);
    }
    ordered_json const body = {{"modes", modes}};
    co_return reply(body);
}

// A job belongs to the resource that started it: "settlement-1".
Answer job(Call& call) {
    std::string const resource = call.id().substr(0, call.id().find('-'));
    if (!api::may(call.key, resource, api::Access::read)) {
        co_return error_reply("forbidden", "this key has no right to read " + resource, kForbidden);
    }
    auto const report = call.jobs.report(call.id());
    if (!report) {
        co_return fail(Errc::not_found, "no such job");
    }
    ordered_json body = {
        {"state",
         report->running  ? "running"
         : report->result ? "done"
                          : "failed"},
        {"step", report->progress.step},
        {"done", report->progress.done},
    };
    if (!report->running && report->result) {
        body["result"] = ordered_json::parse(*report->result);
    } else if (!report->running) {
        body["error"] = {
            {"code", errc_name(report->result.error().code)},
            {"message", api::redacted(report->result.error().context)}
        };
    }
    co_return reply(body);
}

Answer openapi(Call&) {
    co_return Reply{openapi_text()};
}

}  // namespace

flow::Person Call::person() const {
    return {.name = key.name, .key_id = key.id, .makers = makers_behind(key)};
}

Reply reply(ordered_json const& body, int status) {
    return {json_text(body), status};
}

Reply error_reply(std::string_view code, std::string_view message, int status) {
    // What came from outside is shown back in some messages: never a card number or a key of it.
    ordered_json const body = {{"error", {{"code", code}, {"message", api::redacted(message)}}}};
    return reply(body, status);
}

Answer as_reply(asio::awaitable<Result<std::string>> work) {
    FLORIN_CO_TRY(std::string body, co_await std::move(work));
    co_return Reply{std::move(body)};
}

Reply start_job(
    Call& call, std::string const& name, Jobs::Work work, std::function<Jobs::Progress()> progress
) {
    std::string const id =
        call.jobs.start(call.services.background, name, std::move(work), std::move(progress));
    return reply({{"job", id}});
}

Rows all_rows() {
    using http::Method;
    Rows rows{
        {Method::get, "/admin/v1", "", api::Access::read, overview},
        {Method::get, "/admin/v1/openapi.json", "", api::Access::read, openapi},
        {Method::get, "/admin/v1/jobs/:id", "", api::Access::read, job},
    };
    add_journal(rows);
    add_ledger(rows);
    add_attempts(rows);
    add_routes(rows);
    add_settlement(rows);
    add_recon(rows);
    add_totals(rows);
    add_keys(rows);
    add_merchants(rows);
    return rows;
}

Service::Service(Services services) : services_{std::move(services)}, rows_{all_rows()} {
    for (Row const& row : rows_) {
        routes_.add(row.method, row.path, &row);
    }
}

Result<std::shared_ptr<api::Keys::Known>> Service::authenticate(http::Request const& request
) const {
    auto const header = request.header("Authorization");
    auto const key = header ? api::key_from_header(*header) : std::nullopt;
    if (!key) {
        return fail(Errc::refused, "an admin key is needed: Authorization: Bearer ak_…");
    }
    FLORIN_TRY(auto found, services_.keys.find(*key));
    if (!found || found->document.kind != "admin") {
        return fail(Errc::refused, "this is not an admin key");
    }
    return found;
}

asio::awaitable<Result<Reply>> Service::run(Row const& row, Call call) {
    if (!row.resource.empty() && !api::may(call.key, row.resource, row.access)) {
        char const* const wanted = row.access == api::Access::read ? "read " : "write ";
        co_return error_reply(
            "forbidden", "this key has no right to " + (wanted + row.resource), kForbidden
        );
    }
    if (auto const mode = call.path.find("mode"); mode != call.path.end()) {
        auto const found = services_.modes.find(mode->second);
        if (found == services_.modes.end()) {
            co_return fail(
                Errc::not_found,
                "mode: '" + api::redacted(mode->second.substr(0, 40)) +
                    "' has no connector here; GET /admin/v1 lists the modes"
            );
        }
        call.mode = &found->second;
    }
    Answer work = row.endpoint(call);
    co_return co_await asio::co_spawn(services_.background, std::move(work), asio::use_awaitable);
}

asio::awaitable<http::Response> Service::handle(http::Request request) {
    auto const key = authenticate(request);
    if (!key) {
        bool const is_refusal = key.error().code == Errc::refused;
        co_return response_of(
            is_refusal
                ? error_reply("unauthenticated", key.error().context, kUnauthorised)
                : error_reply(errc_name(key.error().code), key.error().context, kServerFailed)
        );
    }
    api::KeyLimiter& limiter = (*key)->limiter;
    if (std::uint64_t const wait_ns = limiter.take(); wait_ns > 0) {
        co_return too_many("this key has made too many requests in a short time", wait_ns);
    }
    if (!limiter.enter()) {
        co_return too_many(
            "too many requests of this key are being worked on at the same time; nothing was done",
            0
        );
    }
    InFlight const in_flight{limiter};
    auto const match = routes_.find(request.method, request.path);
    if (!match) {
        std::string const what = request.verb + " " + api::redacted(request.path.substr(0, 200));
        co_return response_of(
            error_reply(errc_name(Errc::not_found), "no such operation: " + what, kNotFound)
        );
    }
    Call call{
        .services = services_,
        .jobs = jobs_,
        .request = request,
        .path = match->parameters,
        .key = (*key)->document,
    };
    auto answer = co_await run(**match->target, std::move(call));
    if (!answer) {
        int const status = status_of(answer.error().code);
        if (status >= kServerFailed) {
            log::error(
                "admin.failed",
                {{"path", api::redacted(request.path)},
                 {"what", api::redacted(answer.error().context)}}
            );
        }
        co_return response_of(
            error_reply(errc_name(answer.error().code), answer.error().context, status)
        );
    }
    co_return response_of(std::move(*answer));
}

}  // namespace florin::admin
