#include "daemon/admin/merchants.h"

#include "connectors/iso20022/iban.h"
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"
#include "daemon/api/rights.h"
#include "daemon/config/config.h"
#include "daemon/config/fields.h"
#include "daemon/log/log.h"
#include "ledger/base/currency.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

namespace asio = boost::asio;
using model::Mode;
using nlohmann::ordered_json;

constexpr Mode kModes[] = {Mode::test, Mode::live};

std::string platform(Mode mode) {
    return model::owner_of("platform", mode);
}

ordered_json merchant_json(model::Merchant const& merchant, Mode mode) {
    return {
        {"id", merchant.id},
        {"mode", model::mode_name(mode)},
        {"name", merchant.name},
        {"country", merchant.country},
        {"default_currency", merchant.default_currency},
        {"fee_basis_points", merchant.fee_basis_points},
        {"fee_fixed_minor", merchant.fee_fixed_minor},
        {"availability_days", merchant.availability_days},
        {"category_code", merchant.category_code},
        {"acceptor_id", merchant.acceptor_id},
        {"terminal_id", merchant.terminal_id},
        {"iban", merchant.iban},
        {"account_holder", merchant.account_holder},
        {"created", merchant.created},
    };
}

void take_form(
    Body& body,
    char const* name,
    std::string& into,
    bool (*is_right)(std::string_view),
    char const* right
) {
    auto const value = body.take_text(name);
    if (value && !is_right(*value)) {
        body.refuse(name, right);
    } else if (value) {
        into = *value;
    }
}

// What may change later too; what is not named stays.
void take_terms(Body& body, model::Merchant& merchant) {
    merchant.name = body.take_text("name").value_or(merchant.name);
    merchant.fee_basis_points = body.take_integer("fee_basis_points", 0, config::kFeeBasisPointsMax)
                                    .value_or(merchant.fee_basis_points);
    merchant.fee_fixed_minor = body.take_integer("fee_fixed_minor", 0, config::kFeeFixedMinorMax)
                                   .value_or(merchant.fee_fixed_minor);
    merchant.availability_days =
        body.take_integer("availability_days", 0, config::kAvailabilityDaysMax)
            .value_or(merchant.availability_days);
    take_form(
        body, "category_code", merchant.category_code, config::is_category, config::kCategoryForm
    );
    take_form(
        body, "acceptor_id", merchant.acceptor_id, config::is_acceptor, config::kAcceptorForm
    );
    take_form(
        body, "terminal_id", merchant.terminal_id, config::is_terminal, config::kTerminalForm
    );
    take_form(body, "iban", merchant.iban, connectors::iso20022::is_iban, config::kIbanForm);
    merchant.account_holder = body.take_text("account_holder").value_or(merchant.account_holder);
}

std::vector<Mode> take_modes(Body& body) {
    auto const names = body.take_list("modes");
    if (!names) {
        return {std::begin(kModes), std::end(kModes)};
    }
    std::vector<Mode> modes;
    for (Mode const mode : kModes) {
        if (std::ranges::find(*names, model::mode_name(mode)) != names->end()) {
            modes.push_back(mode);
        }
    }
    if (modes.size() != names->size()) {
        body.refuse("modes", "a list of \"test\" and \"live\"");
    }
    return modes;
}

// A new merchant starts with what the configuration would give it.
model::Merchant take_merchant(Body& body) {
    config::Merchant const usual;
    model::Merchant merchant;
    merchant.availability_days = usual.availability_days;
    merchant.category_code = usual.category_code;
    merchant.terminal_id = usual.terminal_id;
    merchant.country = usual.country;
    merchant.default_currency = usual.default_currency;
    take_form(body, "id", merchant.id, config::is_name, config::kNameForm);
    if (merchant.id.empty() || merchant.id == "platform") {
        body.refuse("id", config::kNameForm);
    }
    take_form(body, "country", merchant.country, config::is_country, config::kCountryForm);
    if (auto const code = body.take_text("default_currency")) {
        auto const currency = Currency::from_alphabetic(*code);
        if (currency) {
            merchant.default_currency = currency->alphabetic();
        } else {
            body.refuse("default_currency", "an ISO 4217 code, for example \"EUR\"");
        }
    }
    take_terms(body, merchant);
    if (merchant.name.empty()) {
        body.refuse("name", "the merchant's name");
    }
    return merchant;
}

}  // namespace

Result<std::vector<MerchantDesk::InMode>> MerchantDesk::load(std::string const& id) const {
    std::vector<InMode> found;
    for (Mode const mode : kModes) {
        FLORIN_TRY(
            auto stored, flow::load<model::Merchant>(parts_.ledger.documents(), platform(mode), id)
        );
        if (stored) {
            found.push_back({.mode = mode, .stored = std::move(*stored)});
        }
    }
    return found;
}

asio::awaitable<Result<void>> MerchantDesk::store(std::vector<InMode> merchants) {
    flow::Change change{"platform"};
    for (InMode const& each : merchants) {
        model::Merchant const& merchant = each.stored.value;
        change.put_for(platform(each.mode), merchant.id, merchant, each.stored.version);
    }
    auto const receipt = co_await parts_.ledger.commit(std::move(change.command), "merchant");
    for (InMode const& each : merchants) {
        parts_.merchants.changed(each.stored.value.id, each.mode);
    }
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return Result<void>{};
}

MerchantDesk::Answer MerchantDesk::create(model::ApiKey by, std::string text_of_body) {
    FLORIN_CO_TRY_VOID(api::need(by, "merchants", api::Access::write));
    FLORIN_CO_TRY(Body body, Body::parse(text_of_body));
    model::Merchant merchant = take_merchant(body);
    std::vector<Mode> const modes = take_modes(body);
    FLORIN_CO_TRY_VOID(body.finish());
    merchant.created = parts_.ids.now_s();
    FLORIN_CO_TRY(auto const there, load(merchant.id));
    std::vector<InMode> fresh;
    ordered_json list = ordered_json::array();
    for (Mode const mode : modes) {
        if (std::ranges::find(there, mode, &InMode::mode) != there.end()) {
            co_return fail(
                Errc::conflict,
                "id: " + merchant.id + " is there already in mode " +
                    std::string{model::mode_name(mode)}
            );
        }
        fresh.push_back({.mode = mode, .stored = {.value = merchant, .version = 0}});
        list.push_back(merchant_json(merchant, mode));
    }
    FLORIN_CO_TRY_VOID(co_await store(std::move(fresh)));
    log::info("merchant.created", {{"merchant", merchant.id}, {"by", by.name}, {"by_key", by.id}});
    co_return json_text(list);
}

MerchantDesk::Answer MerchantDesk::list(model::ApiKey by) {
    FLORIN_CO_TRY_VOID(api::need(by, "merchants", api::Access::read));
    std::vector<ordered_json> found;
    for (Mode const mode : kModes) {
        auto const take = [&](std::string const&, flow::Stored<model::Merchant> stored) {
            found.push_back(merchant_json(stored.value, mode));
            return Result<bool>{true};
        };
        FLORIN_CO_TRY_VOID(
            flow::each_of<model::Merchant>(parts_.ledger.documents(), platform(mode), {}, take)
        );
    }
    std::ranges::stable_sort(found, {}, [](ordered_json const& each) {
        return each["id"].get<std::string>();
    });
    co_return json_text(ordered_json(std::move(found)));
}

MerchantDesk::Answer MerchantDesk::show(model::ApiKey by, std::string id) {
    FLORIN_CO_TRY_VOID(api::need(by, "merchants", api::Access::read));
    FLORIN_CO_TRY(auto const found, load(id));
    if (found.empty()) {
        co_return fail(Errc::not_found, "no such merchant: " + id.substr(0, 100));
    }
    ordered_json list = ordered_json::array();
    for (InMode const& each : found) {
        list.push_back(merchant_json(each.stored.value, each.mode));
    }
    co_return json_text(list);
}

MerchantDesk::Answer MerchantDesk::update(
    model::ApiKey by, std::string id, std::string text_of_body
) {
    FLORIN_CO_TRY_VOID(api::need(by, "merchants", api::Access::write));
    FLORIN_CO_TRY(auto found, load(id));
    if (found.empty()) {
        co_return fail(Errc::not_found, "no such merchant: " + id.substr(0, 100));
    }
    std::vector<InMode> chosen;
    ordered_json list = ordered_json::array();
    for (InMode& each : found) {
        // Read once for each mode, whose terms may differ in what is not named.
        FLORIN_CO_TRY(Body body, Body::parse(text_of_body));
        std::vector<Mode> const modes = take_modes(body);
        take_terms(body, each.stored.value);
        FLORIN_CO_TRY_VOID(body.finish());
        if (std::ranges::find(modes, each.mode) != modes.end()) {
            list.push_back(merchant_json(each.stored.value, each.mode));
            chosen.push_back(std::move(each));
        }
    }
    if (chosen.empty()) {
        co_return fail(Errc::not_found, "modes: " + id.substr(0, 100) + " is in none of them");
    }
    FLORIN_CO_TRY_VOID(co_await store(std::move(chosen)));
    log::info("merchant.changed", {{"merchant", id}, {"by", by.name}, {"by_key", by.id}});
    co_return json_text(list);
}

void add_merchants(Rows& rows) {
    using api::Access;
    using http::Method;
    std::string const base = "/admin/v1/merchants";
    auto const row = [&](Method method, std::string const& path, Access access, Endpoint endpoint) {
        rows.push_back({method, path, "merchants", access, std::move(endpoint)});
    };
    row(Method::post, base, Access::write, [](Call& call) {
        return as_reply(call.services.merchant_desk.create(call.key, call.request.body));
    });
    row(Method::get, base, Access::read, [](Call& call) {
        return as_reply(call.services.merchant_desk.list(call.key));
    });
    row(Method::get, base + "/:id", Access::read, [](Call& call) {
        return as_reply(call.services.merchant_desk.show(call.key, call.id()));
    });
    row(Method::post, base + "/:id", Access::write, [](Call& call) {
        return as_reply(call.services.merchant_desk.update(call.key, call.id(), call.request.body));
    });
}

}  // namespace florin::admin
