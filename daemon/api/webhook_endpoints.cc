// /v1/webhook_endpoints: where merchants are told what happened.
//
// A secret is answered once, when it is made. The answer that is kept for replays of the request is
// sealed (webhooks/secrets.h).
#include "daemon/api/list.h"
#include "daemon/api/objects.h"
#include "daemon/api/service.h"
#include "daemon/model/webhooks.h"
#include "daemon/webhooks/rules.h"

#include <algorithm>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;
using flow::Stored;
using model::Kind;
using model::WebhookEndpoint;

constexpr std::size_t kEndpointsMax = 16;  // of an account and mode
constexpr std::int64_t kOverlapDefault = 24 * 3600;
constexpr std::int64_t kOverlapMax = 7 * 24 * 3600;

Json optional_text(std::string const& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json endpoint_json(Call const& call, WebhookEndpoint const& endpoint) {
    return {
        {"id", endpoint.id},
        {"object", "webhook_endpoint"},
        {"api_version", optional_text(endpoint.api_version)},
        {"application", nullptr},
        {"created", endpoint.created},
        {"description", optional_text(endpoint.description)},
        {"enabled_events", endpoint.enabled_events},
        {"livemode", call.caller.mode == model::Mode::live},
        {"metadata", Json(endpoint.metadata)},
        {"status", endpoint.enabled ? "enabled" : "disabled"},
        {"url", endpoint.url},
    };
}

Json with_secret(Json json, webhooks::SigningSecret const& secret) {
    json.add("secret", secret.reveal());
    return json;
}

void refuse_expansion(Parameters& parameters) {
    auto const none = Expansions::none(parameters.take_strings("expand"));
    if (!none) {
        parameters.refuse(none.error());
    }
}

void check_url(Call& call, std::string const& url) {
    auto const refuse = [&](std::string const& why) {
        call.parameters.refuse(bad_parameter("url_invalid", "url", "Invalid URL: " + why + "."));
    };
    auto const target = webhooks::parse_url(url);
    if (!target) {
        refuse(target.error().context);
        return;
    }
    if (call.caller.mode == model::Mode::live && !target->is_tls) {
        refuse("in live mode it has to begin with https://");
        return;
    }
    // Names are looked up for each delivery; an address can be judged now.
    boost::system::error_code is_name;
    auto const address = boost::asio::ip::make_address(target->host, is_name);
    if (!is_name && !call.services.webhooks.allow_private && !webhooks::is_public(address)) {
        refuse("its host is a private or reserved address");
    }
}

void check_events(Call& call, std::vector<std::string> const& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] != "*" && !webhooks::is_event_name(names[i])) {
            call.parameters.refuse(bad_parameter(
                "",
                "enabled_events[" + std::to_string(i) + "]",
                "Invalid enabled_events: the name at " + std::to_string(i) +
                    " is not an event that this server has."
            ));
            return;
        }
    }
}

std::vector<std::string> without_repeats(std::vector<std::string> const& names) {
    std::vector<std::string> once;
    for (std::string const& name : names) {
        if (std::ranges::find(once, name) == once.end()) {
            once.push_back(name);
        }
    }
    return once;
}

// An answer that holds a secret, as it is kept for replays of the request.
Done sealed(Call const& call, std::string const& body) {
    auto const& secrets = call.services.webhooks.secrets;
    return {200, secrets.seal_answer(body, call.owner(), call.caller.idempotency_key), true};
}

ApiResult<Stored<WebhookEndpoint>> find_endpoint(Call const& call) {
    auto stored = flow::load<WebhookEndpoint>(call.documents(), call.owner(), call.id());
    if (!stored) {
        return std::unexpected{internal_error(stored.error().context)};
    }
    if (!*stored) {
        return std::unexpected{missing_resource("webhook endpoint", call.id())};
    }
    return std::move(**stored);
}

// A new queue: it begins with what is recorded after this change.
void open_queue(Call& call, WebhookEndpoint& endpoint, flow::Change& change) {
    endpoint.queue = call.services.ids.make("wq");
    model::WebhookQueue queue;
    queue.endpoint = endpoint.id;
    change.put(endpoint.queue, queue, 0);
}

// What it holds is removed in the background. An ApiError where the queue cannot be read.
std::optional<ApiError> drop_queue(Call& call, WebhookEndpoint& endpoint, flow::Change& change) {
    auto queue = flow::load<model::WebhookQueue>(call.documents(), call.owner(), endpoint.queue);
    if (!queue) {
        return internal_error(queue.error().context);
    }
    if (*queue) {
        (*queue)->value.dropped = true;
        change.put(endpoint.queue, **queue);
    }
    endpoint.queue.clear();
    return std::nullopt;
}

// Counts one more endpoint, in the command that makes it. What is read here is from before: the
// ledger refuses the command where another endpoint was made since the count was read.
std::optional<ApiError> take_room(Call const& call, flow::Change& change) {
    constexpr char const* kId = "made";
    auto const count = flow::load<model::WebhookEndpoints>(call.documents(), call.owner(), kId);
    if (!count) {
        return internal_error(count.error().context);
    }
    // After the count was read, so that none is missing that the count knows.
    auto const known = call.documents().list(
        {.kind = static_cast<std::uint16_t>(Kind::webhook_endpoint),
         .owner = call.owner(),
         .after = {},
         .newest_first = false,
         .limit = kEndpointsMax}
    );
    if (!known) {
        return internal_error(known.error().context);
    }
    if (known->size() >= kEndpointsMax) {
        return bad_parameter(
            "",
            "",
            "You have reached the maximum of " + std::to_string(kEndpointsMax) +
                " webhook endpoints."
        );
    }
    auto next = count->value_or(Stored<model::WebhookEndpoints>{});
    ++next.value.made;
    change.put(kId, next);
    return std::nullopt;
}

WebhookEndpoint take_new_endpoint(Call& call) {
    Parameters& parameters = call.parameters;
    WebhookEndpoint endpoint;
    endpoint.url = parameters.require_string("url");
    if (!endpoint.url.empty()) {
        check_url(call, endpoint.url);
    }
    endpoint.enabled_events = without_repeats(parameters.take_strings("enabled_events"));
    if (endpoint.enabled_events.empty()) {
        parameters.refuse_missing("enabled_events");
    }
    check_events(call, endpoint.enabled_events);
    endpoint.description = parameters.take_settable("description").value.value_or("");
    endpoint.api_version = parameters.take_string("api_version", 40).value_or("");
    if (!endpoint.api_version.empty() && !is_api_version(endpoint.api_version)) {
        parameters.refuse(bad_parameter("", "api_version", "Invalid Stripe API version."));
    }
    if (parameters.take_boolean("connect").value_or(false)) {
        parameters.refuse(bad_parameter(
            "",
            "connect",
            "This server has no connected accounts (Connect is not supported): connect cannot be "
            "true."
        ));
    }
    if (auto const metadata = parameters.take_metadata()) {
        Metadata const changes = metadata->against({});
        if (auto error = check_metadata_size({}, changes)) {
            parameters.refuse(*error);
        }
        flow::merge_metadata(endpoint.metadata, changes);
    }
    refuse_expansion(parameters);
    return endpoint;
}

asio::awaitable<ApiResult<Done>> create_endpoint(Call& call) {
    WebhookEndpoint endpoint = take_new_endpoint(call);
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    endpoint.id = call.services.ids.make("we");
    endpoint.created = call.services.ids.now_s();
    auto const secret = call.services.webhooks.secrets.make();
    endpoint.secret = call.services.webhooks.secrets.seal(secret, call.owner(), endpoint.id);
    std::string body = with_secret(endpoint_json(call, endpoint), secret).text();
    auto const decide = [&](flow::Change& change) -> ApiResult<Done> {
        if (auto error = take_room(call, change)) {
            return std::unexpected{*error};
        }
        open_queue(call, endpoint, change);
        change.put(endpoint.id, endpoint, 0);
        return sealed(call, body);
    };
    auto const stored = co_await store_change(call, decide);
    if (!stored) {
        co_return std::unexpected{stored.error()};
    }
    call.services.webhooks.changed(call.owner(), endpoint.id);
    co_return Done{200, std::move(body)};
}

asio::awaitable<ApiResult<Done>> retrieve_endpoint(Call& call) {
    refuse_expansion(call.parameters);
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const endpoint = find_endpoint(call);
    if (!endpoint) {
        co_return std::unexpected{endpoint.error()};
    }
    co_return Done{200, endpoint_json(call, endpoint->value).text()};
}

struct Update {
    std::optional<std::string> url;
    std::optional<std::vector<std::string>> enabled_events;
    Settable<std::string> description;
    std::optional<MetadataChange> metadata;
    std::optional<bool> disabled;
};

Update take_update(Call& call) {
    Parameters& parameters = call.parameters;
    Update update;
    update.url = parameters.take_string("url");
    if (update.url) {
        check_url(call, *update.url);
    }
    if (parameters.has("enabled_events")) {
        update.enabled_events = without_repeats(parameters.take_strings("enabled_events"));
        if (update.enabled_events->empty()) {
            parameters.refuse(bad_parameter(
                "parameter_invalid_empty",
                "enabled_events",
                "You passed an empty value for enabled_events."
            ));
        }
        check_events(call, *update.enabled_events);
    }
    update.description = parameters.take_settable("description");
    update.metadata = parameters.take_metadata();
    update.disabled = parameters.take_boolean("disabled");
    refuse_expansion(parameters);
    return update;
}

// Into the endpoint, with what follows for its queue.
std::optional<ApiError> apply(
    Call& call, Update const& update, WebhookEndpoint& endpoint, flow::Change& change
) {
    endpoint.url = update.url.value_or(endpoint.url);
    endpoint.enabled_events = update.enabled_events.value_or(endpoint.enabled_events);
    if (update.description.is_given) {
        endpoint.description = update.description.value.value_or("");
    }
    if (update.metadata) {
        Metadata const changes = update.metadata->against(endpoint.metadata);
        if (auto error = check_metadata_size(endpoint.metadata, changes)) {
            return error;
        }
        flow::merge_metadata(endpoint.metadata, changes);
    }
    if (!update.disabled || *update.disabled == !endpoint.enabled) {
        return std::nullopt;
    }
    endpoint.enabled = !*update.disabled;
    if (endpoint.enabled) {
        open_queue(call, endpoint, change);
        return std::nullopt;
    }
    return drop_queue(call, endpoint, change);
}

// Changes the endpoint, and tells the dispatcher, which looks at what is stored: also after an
// error in storing, for then it may be stored nevertheless. Deliveries change the queue all the
// time, so that a conflict is usual. decide(endpoint, change) -> ApiResult<Done>; `decide` outlives
// the call.
template <class Decide>
asio::awaitable<ApiResult<Done>> change_endpoint(Call& call, Decide const& decide) {
    bool was_decided = false;
    auto const decide_on_present = [&](flow::Change& change) -> ApiResult<Done> {
        was_decided = false;
        auto endpoint = find_endpoint(call);
        if (!endpoint) {
            return std::unexpected{endpoint.error()};
        }
        auto done = decide(*endpoint, change);
        was_decided = done.has_value();
        return done;
    };
    auto saved = co_await store_change(call, decide_on_present);
    if (was_decided) {
        call.services.webhooks.changed(call.owner(), call.id());
    }
    co_return saved;
}

asio::awaitable<ApiResult<Done>> update_endpoint(Call& call) {
    Update const wanted = take_update(call);
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const decide = [&](Stored<WebhookEndpoint>& endpoint,
                            flow::Change& change) -> ApiResult<Done> {
        if (auto error = apply(call, wanted, endpoint.value, change)) {
            return std::unexpected{*error};
        }
        change.put(endpoint.value.id, endpoint);
        return Done{200, endpoint_json(call, endpoint.value).text()};
    };
    co_return co_await change_endpoint(call, decide);
}

asio::awaitable<ApiResult<Done>> roll_secret(Call& call) {
    auto const overlap =
        call.parameters.take_integer("expires_in", 0, kOverlapMax).value_or(kOverlapDefault);
    refuse_expansion(call.parameters);
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const& secrets = call.services.webhooks.secrets;
    std::string body;  // of the last decision, in the clear
    auto const decide = [&](Stored<WebhookEndpoint>& endpoint,
                            flow::Change& change) -> ApiResult<Done> {
        auto const secret = secrets.make();
        WebhookEndpoint& value = endpoint.value;
        value.old_secret = overlap > 0 ? value.secret : "";
        value.old_secret_until = overlap > 0 ? call.services.ids.now_s() + overlap : 0;
        value.secret = secrets.seal(secret, call.owner(), value.id);
        change.put(value.id, endpoint);
        body = with_secret(endpoint_json(call, value), secret).text();
        return sealed(call, body);
    };
    auto const saved = co_await change_endpoint(call, decide);
    if (!saved) {
        co_return std::unexpected{saved.error()};
    }
    co_return Done{200, std::move(body)};
}

asio::awaitable<ApiResult<Done>> remove_endpoint(Call& call) {
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    auto const decide = [&](Stored<WebhookEndpoint>& endpoint,
                            flow::Change& change) -> ApiResult<Done> {
        change.remove(Kind::webhook_endpoint, call.id(), endpoint.version);
        if (!endpoint.value.queue.empty()) {
            if (auto error = drop_queue(call, endpoint.value, change)) {
                return std::unexpected{*error};
            }
        }
        Json const json = {{"id", call.id()}, {"object", "webhook_endpoint"}, {"deleted", true}};
        return Done{200, json.text()};
    };
    co_return co_await change_endpoint(call, decide);
}

asio::awaitable<ApiResult<Done>> list_endpoints(Call& call) {
    Page const page = take_page(call.parameters);
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    if (auto const none = Expansions::none(paths, "data."); !none) {
        co_return std::unexpected{none.error()};
    }
    auto const render = [&](ledger::Document const& document) -> std::optional<Json> {
        auto const endpoint = model::from_text<WebhookEndpoint>(document.body.value_or(""));
        if (!endpoint) {
            return std::nullopt;
        }
        return endpoint_json(call, *endpoint);
    };
    Listing const listing{
        .kind = Kind::webhook_endpoint,
        .prefix = "we",
        .url = "/v1/webhook_endpoints",
        .link = {},
        .are_removed = true,
    };
    co_return list_page(call, listing, page, {}, render);
}

}  // namespace

void add_webhook_endpoints(Routes& routes) {
    routes.add(http::Method::post, "/v1/webhook_endpoints", create_endpoint);
    routes.add(http::Method::get, "/v1/webhook_endpoints", list_endpoints);
    routes.add(http::Method::get, "/v1/webhook_endpoints/:id", retrieve_endpoint);
    routes.add(http::Method::post, "/v1/webhook_endpoints/:id", update_endpoint);
    routes.add(http::Method::delete_, "/v1/webhook_endpoints/:id", remove_endpoint);
    routes.add(http::Method::post, "/v1/webhook_endpoints/:id/roll_secret", roll_secret);
}

}  // namespace florin::api
