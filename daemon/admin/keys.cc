#include "daemon/admin/keys.h"

#include "crypto/operator_key.h"
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"
#include "daemon/api/rights.h"
#include "daemon/config/fields.h"
#include "daemon/flow/resolution.h"
#include "daemon/log/log.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using nlohmann::ordered_json;

constexpr std::int64_t kLimitMost = 1'000'000;
constexpr std::int64_t kExpiresInMostS = 10LL * 366 * 86'400;
constexpr std::int64_t kOverlapUsualS = 86'400;
constexpr std::int64_t kOverlapMostS = 30 * 86'400;

std::string state_of(model::ApiKey const& key, std::int64_t now_s) {
    if (key.revoked) {
        return "revoked";
    }
    return key.expires != 0 && key.expires <= now_s ? "expired" : "active";
}

ordered_json key_json(model::ApiKey const& key, std::int64_t now_s) {
    ordered_json rights = ordered_json::object();
    for (auto const& [resource, access] : key.rights) {
        rights[resource] = access;
    }
    return {
        {"id", key.id},
        {"kind", key.kind},
        {"mode", key.mode},
        {"merchant", key.merchant},
        {"name", key.name},
        {"state", state_of(key, now_s)},
        {"rights", rights},
        {"created", key.created},
        {"created_by", key.created_by},
        {"makers", key.makers},
        {"expires", key.expires},
        {"revoked_by", key.revoked_by},
        {"requests_per_second", key.requests_per_second},
        {"burst_requests", key.burst_requests},
        {"in_flight_max", key.in_flight_max},
    };
}

// With the key's text, which is not to be had again.
std::string shown_once(api::NewKey const& made) {
    ordered_json answer = key_json(made.document, made.document.created);
    answer["key"] = made.key.reveal();
    return json_text(answer);
}

void add_maker(std::vector<std::string>& makers, std::string const& name) {
    bool const is_known = std::ranges::any_of(makers, [&](std::string const& each) {
        return flow::is_same_person(each, name);
    });
    if (!name.empty() && !is_known) {
        makers.push_back(name);
    }
}

void log_change(char const* event, model::ApiKey const& key, model::ApiKey const& by) {
    log::info(
        event,
        {{"key", key.id},
         {"kind", key.kind},
         {"merchant", key.merchant},
         {"mode", key.mode},
         {"by", by.name},
         {"by_key", by.id}}
    );
}

}  // namespace

std::vector<std::string> makers_behind(model::ApiKey const& key) {
    std::vector<std::string> makers;
    add_maker(makers, key.created_by);
    for (std::string const& each : key.makers) {
        add_maker(makers, each);
    }
    return makers;
}

Result<model::ApiKey> KeyDesk::wanted(std::string const& text_of_body) const {
    FLORIN_TRY(Body body, Body::parse(text_of_body));
    model::ApiKey key;
    key.kind = body.take_text("kind").value_or("");
    constexpr std::string_view kKinds[] = {"secret", "restricted", "publishable", "admin"};
    if (std::ranges::find(kKinds, key.kind) == std::end(kKinds)) {
        body.refuse("kind", "\"secret\", \"restricted\", \"publishable\" or \"admin\"");
    }
    bool const is_admin = key.kind == "admin";
    key.mode = body.take_text("mode").value_or("");
    if (is_admin ? !key.mode.empty() : key.mode != "test" && key.mode != "live") {
        body.refuse("mode", is_admin ? "nothing: an admin key has none" : "\"test\" or \"live\"");
    }
    key.merchant = body.take_text("merchant").value_or("");
    if (is_admin ? !key.merchant.empty() : !config::is_name(key.merchant)) {
        body.refuse("merchant", is_admin ? "nothing: an admin key has none" : "a merchant's id");
    }
    key.name = body.take_text("name").value_or("");
    key.rights = body.take_texts("rights").value_or(api::Rights{});
    if (key.kind == "restricted" ? key.rights.empty() : !is_admin && !key.rights.empty()) {
        body.refuse("rights", "what restricted keys need, admin keys may have, and no others");
    }
    if (auto const seconds = body.take_integer("expires_in_s", 1, kExpiresInMostS)) {
        key.expires = parts_.ids.now_s() + *seconds;
    }
    key.requests_per_second = body.take_integer("requests_per_second", 0, kLimitMost).value_or(0);
    key.burst_requests = body.take_integer("burst_requests", 0, kLimitMost).value_or(0);
    key.in_flight_max = body.take_integer("in_flight_max", 0, kLimitMost).value_or(0);
    FLORIN_TRY_VOID(body.finish());
    if (is_admin) {
        FLORIN_TRY(key.name, crypto::operator_name(key.name));
    }
    FLORIN_TRY_VOID(check_rights(key));
    FLORIN_TRY_VOID(check_merchant(key));
    return key;
}

Result<void> KeyDesk::check_rights(model::ApiKey const& key) const {
    if (key.kind == "admin") {
        return crypto::check_operator_rights(key.rights);
    }
    std::set<std::string> const& known = parts_.merchant_resources;
    for (auto const& [resource, access] : key.rights) {
        if (resource != "*" && !known.contains(resource)) {
            std::string list;
            for (std::string const& each : known) {
                list += ", " + each;
            }
            return fail(Errc::malformed, "rights." + resource + ": expected one of *" + list);
        }
        if (access != "read" && access != "write") {
            return fail(Errc::malformed, "rights." + resource + ": expected \"read\" or \"write\"");
        }
    }
    return {};
}

Result<void> KeyDesk::check_merchant(model::ApiKey const& key) const {
    if (key.kind == "admin") {
        return {};
    }
    model::Mode const mode = key.mode == "live" ? model::Mode::live : model::Mode::test;
    FLORIN_TRY(
        auto const merchant,
        flow::load<model::Merchant>(
            parts_.ledger.documents(), model::owner_of("platform", mode), key.merchant
        )
    );
    if (!merchant) {
        return fail(
            Errc::not_found, "merchant: there is no " + key.merchant + " in mode " + key.mode
        );
    }
    return {};
}

Result<flow::Stored<model::ApiKey>> KeyDesk::load(std::string const& id) const {
    FLORIN_TRY(
        auto stored, flow::load<model::ApiKey>(parts_.ledger.documents(), api::kKeyOwner, id)
    );
    if (!stored) {
        return fail(Errc::not_found, "no such key: " + id.substr(0, 100));
    }
    return std::move(*stored);
}

asio::awaitable<Result<void>> KeyDesk::store(flow::Change change, std::vector<std::string> ids) {
    auto const receipt = co_await parts_.ledger.commit(std::move(change.command), "changing keys");
    // Also where it is not known what became of it: what is known of the keys is read anew.
    for (std::string const& id : ids) {
        parts_.keys.changed(id);
    }
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return Result<void>{};
}

KeyDesk::Answer KeyDesk::create(model::ApiKey by, std::string body) {
    FLORIN_CO_TRY_VOID(api::need(by, "keys", api::Access::write));
    FLORIN_CO_TRY(auto key, wanted(body));
    if (key.kind == "admin" && !api::may_give(by, key.rights)) {
        co_return fail(Errc::refused, "rights: nobody gives rights that they do not have");
    }
    key.created_by = by.name;
    key.makers = makers_behind(by);
    auto const made = api::make_key(parts_.ids, parts_.keys.pepper(), std::move(key));
    flow::Change change{api::kKeyOwner};
    change.put(made.document.id, made.document, 0);
    std::vector<std::string> ids{made.document.id};
    FLORIN_CO_TRY_VOID(co_await store(std::move(change), std::move(ids)));
    log_change("key.created", made.document, by);
    co_return shown_once(made);
}

KeyDesk::Answer KeyDesk::list(model::ApiKey by) {
    FLORIN_CO_TRY_VOID(api::need(by, "keys", api::Access::read));
    std::vector<model::ApiKey> found;
    auto const take = [&](std::string const&, flow::Stored<model::ApiKey> key) -> Result<bool> {
        found.push_back(std::move(key.value));
        return true;
    };
    FLORIN_CO_TRY_VOID(
        flow::each_of<model::ApiKey>(parts_.ledger.documents(), api::kKeyOwner, {}, take)
    );
    // Their ids are random, so that they say nothing about the order.
    std::ranges::stable_sort(found, std::ranges::greater{}, &model::ApiKey::created);
    ordered_json list = ordered_json::array();
    for (model::ApiKey const& key : found) {
        list.push_back(key_json(key, parts_.ids.now_s()));
    }
    co_return json_text(list);
}

KeyDesk::Answer KeyDesk::show(model::ApiKey by, std::string id) {
    FLORIN_CO_TRY_VOID(api::need(by, "keys", api::Access::read));
    FLORIN_CO_TRY(auto const stored, load(id));
    co_return json_text(key_json(stored.value, parts_.ids.now_s()));
}

KeyDesk::Answer KeyDesk::roll(model::ApiKey by, std::string id, std::string text_of_body) {
    FLORIN_CO_TRY_VOID(api::need(by, "keys", api::Access::write));
    FLORIN_CO_TRY(Body body, Body::parse(text_of_body));
    auto const overlap_s =
        body.take_integer("overlap_s", 0, kOverlapMostS).value_or(kOverlapUsualS);
    auto const expires_in_s = body.take_integer("expires_in_s", 1, kExpiresInMostS);
    FLORIN_CO_TRY_VOID(body.finish());
    FLORIN_CO_TRY(auto old, load(id));
    std::int64_t const now_s = parts_.ids.now_s();
    if (state_of(old.value, now_s) != "active") {
        co_return fail(Errc::conflict, "key " + id + " is " + state_of(old.value, now_s));
    }
    // Whoever gets the new text has what the key has, and is who it says. A key without a person's
    // name is nobody's to roll.
    bool const is_own = flow::check_named({.name = by.name, .key_id = by.id}).has_value() &&
                        flow::is_same_person(by.name, old.value.name);
    if (old.value.kind == "admin" && !is_own) {
        co_return fail(
            Errc::refused,
            "this is the key of " + old.value.name +
                ": nobody else can roll it; revoke it, and make a new one"
        );
    }
    if (old.value.kind == "admin" && !api::may_give(by, old.value.rights)) {
        co_return fail(Errc::refused, "rights: nobody gives rights that they do not have");
    }
    model::ApiKey like = old.value;
    like.makers = makers_behind(old.value);
    for (std::string const& each : makers_behind(by)) {
        add_maker(like.makers, each);
    }
    like.created_by = by.name;
    // Not the old one's end, which may be an earlier roll's.
    like.expires = expires_in_s ? now_s + *expires_in_s : 0;
    auto const made = api::make_key(parts_.ids, parts_.keys.pepper(), std::move(like));
    // Never later than it would have ended anyway.
    std::int64_t const ends = now_s + overlap_s;
    old.value.expires = old.value.expires == 0 ? ends : std::min(old.value.expires, ends);
    flow::Change change{api::kKeyOwner};
    change.put(made.document.id, made.document, 0);
    change.put(id, old);
    std::vector<std::string> ids{id, made.document.id};
    FLORIN_CO_TRY_VOID(co_await store(std::move(change), std::move(ids)));
    log_change("key.rolled", old.value, by);
    log_change("key.created", made.document, by);
    co_return shown_once(made);
}

KeyDesk::Answer KeyDesk::revoke(model::ApiKey by, std::string id) {
    FLORIN_CO_TRY_VOID(api::need(by, "keys", api::Access::write));
    FLORIN_CO_TRY(auto stored, load(id));
    if (!stored.value.revoked) {
        stored.value.revoked = true;
        stored.value.revoked_by = by.name;
        flow::Change change{api::kKeyOwner};
        change.put(id, stored);
        std::vector<std::string> ids{id};
        FLORIN_CO_TRY_VOID(co_await store(std::move(change), std::move(ids)));
        log_change("key.revoked", stored.value, by);
    }
    co_return json_text(key_json(stored.value, parts_.ids.now_s()));
}

void add_keys(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/keys";
    auto const row = [&](Method method, std::string const& path, Access access, Endpoint endpoint) {
        rows.push_back({method, path, "keys", access, std::move(endpoint)});
    };
    row(Method::post, base, Access::write, [](Call& call) {
        return as_reply(call.services.key_desk.create(call.key, call.request.body));
    });
    row(Method::get, base, Access::read, [](Call& call) {
        return as_reply(call.services.key_desk.list(call.key));
    });
    row(Method::get, base + "/:id", Access::read, [](Call& call) {
        return as_reply(call.services.key_desk.show(call.key, call.id()));
    });
    row(Method::post, base + "/:id/roll", Access::write, [](Call& call) {
        return as_reply(call.services.key_desk.roll(call.key, call.id(), call.request.body));
    });
    row(Method::post, base + "/:id/revoke", Access::write, [](Call& call) {
        return as_reply(call.services.key_desk.revoke(call.key, call.id()));
    });
}

}  // namespace florin::admin
