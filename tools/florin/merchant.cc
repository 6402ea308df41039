#include "tools/florin/merchant.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace florin::tools {
namespace {

using nlohmann::ordered_json;

ordered_json request_of(MerchantOptions const& options) {
    ordered_json body = ordered_json::object();
    for (auto const& [name, value] : options.texts) {
        if (!value.empty()) {
            body[name] = value;
        }
    }
    for (auto const& [name, value] : options.numbers) {
        if (value >= 0) {
            body[name] = value;
        }
    }
    if (!options.modes.empty()) {
        body["modes"] = options.modes;
    }
    return body;
}

int print_merchants(Result<ordered_json> const& merchants, Format format) {
    if (!merchants) {
        return report_error(merchants.error());
    }
    if (format == Format::json) {
        fmt::print("{}\n", merchants->dump(2));
        return kDone;
    }
    Table table{
        {"merchant",
         "mode",
         "name",
         "country",
         "currency",
         ">fee_bp",
         ">fee_fixed",
         ">days",
         "category",
         "iban",
         "account_holder"}
    };
    for (auto const& merchant : *merchants) {
        std::string const currency = text_of(merchant, "default_currency");
        table.add(
            {text_of(merchant, "id"),
             text_of(merchant, "mode"),
             text_of(merchant, "name"),
             text_of(merchant, "country"),
             currency,
             text_of(merchant, "fee_basis_points"),
             text_of(merchant, "fee_fixed_minor"),
             text_of(merchant, "availability_days"),
             text_of(merchant, "category_code"),
             text_of(merchant, "iban"),
             text_of(merchant, "account_holder")}
        );
    }
    table.print(format);
    return kDone;
}

}  // namespace

int merchant_create(DaemonOptions const& daemon, MerchantOptions const& options, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    ordered_json body = request_of(options);
    body["id"] = options.id;
    return print_merchants((*client)->post("/merchants", body), format);
}

int merchant_list(DaemonOptions const& daemon, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    return print_merchants((*client)->get("/merchants"), format);
}

int merchant_show(DaemonOptions const& daemon, std::string const& id, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    return print_merchants((*client)->get("/merchants/" + path_part(id)), format);
}

int merchant_update(DaemonOptions const& daemon, MerchantOptions const& options, Format format) {
    auto client = AdminClient::connect(daemon, Scope::platform);
    if (!client) {
        return report_error(client.error());
    }
    std::string const path = "/merchants/" + path_part(options.id);
    return print_merchants((*client)->post(path, request_of(options)), format);
}

}  // namespace florin::tools
