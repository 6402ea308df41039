#include "tools/florin/first_key.h"

#include "crypto/aead.h"
#include "crypto/api_key.h"
#include "crypto/operator_key.h"
#include "ledger/base/clock.h"
#include "ledger/ledger.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace florin::tools {
namespace {

using nlohmann::ordered_json;

// Kinds of documents as the journal numbers them, and whose keys are.
constexpr std::uint16_t kApiKey = 2;
constexpr char const* kKeyOwner = "platform/keys";

Result<void> store(std::filesystem::path const& data_dir, std::string id, std::string body) {
    SystemClock const clock;
    // What is kept belongs to one user.
    ::umask(077);
    ledger::LedgerOptions options;
    options.data_dir = data_dir;
    auto ledger = ledger::Ledger::open(options, clock);
    if (!ledger && ledger.error().code == Errc::already_held) {
        return fail(
            Errc::already_held,
            ledger.error().context +
                "; while a daemon runs, leave out --vault-key and ask it with an admin key"
        );
    }
    if (!ledger) {
        return std::unexpected{ledger.error()};
    }
    if ((*ledger)->kind() != ledger::LedgerKind::full) {
        return fail(
            Errc::refused, data_dir.string() + ": holds a ledger for other programs, without keys"
        );
    }
    ledger::Command command;
    command.puts.push_back(
        {.key = {kApiKey, kKeyOwner, std::move(id)}, .expected_version = 0, .body = std::move(body)}
    );
    FLORIN_TRY(auto const answer, (*ledger)->call(std::move(command)));
    auto const& receipt = std::get<ledger::Receipt>(answer);
    if (!receipt.committed()) {
        return fail(
            Errc::conflict,
            "the key was not stored: " + std::string{ledger::status_name(receipt.status)}
        );
    }
    return {};
}

}  // namespace

Result<ordered_json> make_first_key(FirstKey const& wanted) {
    FLORIN_TRY(std::string const name, crypto::operator_name(wanted.name));
    FLORIN_TRY_VOID(crypto::check_operator_rights(wanted.rights));
    FLORIN_TRY(auto const ring, crypto::KeyRing::load(wanted.vault_key_file));
    crypto::SystemRandom random;
    crypto::HmacSha256 const pepper{ring.derive(crypto::kApiKeyPurpose)};
    auto const made = crypto::make_api_key(random, pepper, "ak_live");
    auto const now_s = static_cast<std::int64_t>(SystemClock{}.wall_ns() / 1'000'000'000);
    ordered_json rights = ordered_json::object();
    for (auto const& [resource, access] : wanted.rights) {
        rights[resource] = access;
    }
    ordered_json document = {
        {"id", made.id},
        {"kind", "admin"},
        {"merchant", ""},
        {"mode", "live"},
        {"hash", made.hash},
        {"name", name},
        {"rights", rights},
        {"created", now_s},
        {"created_by", "florin keys create --vault-key"},
    };
    std::string const body = document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    FLORIN_TRY_VOID(store(wanted.data_dir, made.id, body));
    document.erase("hash");
    document["key"] = made.key.reveal();
    return document;
}

}  // namespace florin::tools
