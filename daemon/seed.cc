#include "daemon/seed.h"

#include "daemon/api/keys.h"
#include "daemon/flow/store.h"
#include "daemon/model/documents.h"

namespace florin {
namespace {

using model::Mode;

// Puts documents that are not there yet; what is there stays as it is.
Result<void> seed(ledger::Ledger& ledger, ledger::Command command) {
    std::erase_if(command.puts, [&](ledger::DocumentPut const& put) {
        auto const known = ledger.documents().get(put.key);
        return known && *known;
    });
    if (command.puts.empty()) {
        return {};
    }
    FLORIN_TRY(auto const answer, ledger.call(std::move(command)));
    auto const& receipt = std::get<ledger::Receipt>(answer);
    if (!receipt.committed()) {
        return fail(
            Errc::conflict, "seeding was refused: " + std::string{status_name(receipt.status)}
        );
    }
    return {};
}

model::Merchant document_of(config::Merchant const& wanted, std::int64_t now_s) {
    model::Merchant merchant;
    merchant.id = wanted.id;
    merchant.name = wanted.name;
    merchant.country = wanted.country;
    merchant.default_currency = wanted.default_currency;
    merchant.fee_basis_points = wanted.fee_basis_points;
    merchant.fee_fixed_minor = wanted.fee_fixed_minor;
    merchant.availability_days = wanted.availability_days;
    merchant.category_code = wanted.category_code;
    merchant.acceptor_id = wanted.acceptor_id;
    merchant.terminal_id = wanted.terminal_id;
    merchant.iban = wanted.iban;
    merchant.account_holder = wanted.account_holder;
    merchant.created = now_s;
    return merchant;
}

}  // namespace

Result<void> seed_merchants(
    ledger::Ledger& ledger, model::IdMaker& ids, std::vector<config::Merchant> const& merchants
) {
    for (config::Merchant const& wanted : merchants) {
        model::Merchant const merchant = document_of(wanted, ids.now_s());
        for (Mode const mode : {Mode::test, Mode::live}) {
            flow::Change change{model::owner_of("platform", mode)};
            change.put(merchant.id, merchant, 0);
            FLORIN_TRY_VOID(seed(ledger, std::move(change.command)));
        }
    }
    return {};
}

Result<std::string> new_test_key(
    ledger::Ledger& ledger,
    model::IdMaker& ids,
    crypto::HmacSha256 const& pepper,
    std::string const& kind,
    std::string const& merchant,
    std::string const& name
) {
    model::ApiKey wanted;
    wanted.kind = kind;
    wanted.merchant = merchant;
    wanted.mode = model::mode_name(Mode::test);
    wanted.name = name;
    wanted.created_by = "florind --dev";
    auto made = api::make_key(ids, pepper, std::move(wanted));
    flow::Change change{api::kKeyOwner};
    change.put(made.document.id, made.document, 0);
    FLORIN_TRY_VOID(seed(ledger, std::move(change.command)));
    return std::string{made.key.reveal()};
}

}  // namespace florin
