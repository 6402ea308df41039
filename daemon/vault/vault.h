// The vault: card numbers, apart from the journal, encrypted, durable before anything refers to
// them.
//
//   D/vault/vault.sqlite   table card(token, owner, sealed, checksum)
//                          checksum = SHA-256("card " token " " owner, sealed)
//                          table key_check(key_id, sealed, checksum)
//                          checksum = SHA-256(sealed)
//
// A number is sealed with AES-256-GCM under a key from a file, bound to its token and owner. The
// checksum finds damage without the key (`florin ledger verify` does). A key of the file that is
// not the one that sealed here is refused when the vault is opened. CVCs and cryptograms
// are never written: one that came with a payment method (or with a payment) waits in memory for
// the confirmation, bounded in number and time. Thread rule: every function may be called from any
// thread; SQLite is used by one thread of the vault's own ("florin-vault"), which commits
// everything that waits in one transaction.
#pragma once

#include "connectors/cards.h"
#include "crypto/aead.h"
#include "ledger/base/clock.h"
#include "ledger/base/id.h"
#include "ledger/base/secret.h"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace florin::vault {

class Vault {
public:
    // Opens or creates `directory`/vault.sqlite.
    static Result<std::unique_ptr<Vault>> open(
        std::filesystem::path const& directory,
        crypto::KeyRing keys,
        crypto::Random& random,
        Clock const& clock
    );

    Vault() = default;
    Vault(Vault const&) = delete;
    Vault& operator=(Vault const&) = delete;
    virtual ~Vault() = default;

    // Durable when it answers.
    virtual boost::asio::awaitable<Result<VaultToken>> put(std::string owner, Pan pan) = 0;
    // Errc::not_found for a token that is not there or somebody else's.
    virtual boost::asio::awaitable<Result<Pan>> get(std::string owner, VaultToken token) = 0;

    // Removes what nothing refers to; a token that is not there, or somebody else's, is no error.
    virtual boost::asio::awaitable<Result<void>> remove(std::string owner, VaultToken token) = 0;

    // The same number gives the same text, and nothing of it can be read back.
    virtual std::string fingerprint(Pan const& pan) const = 0;

    virtual void hold_cvc(PaymentMethodId const& method, Cvv cvc) = 0;
    // Empty where there is none (any more). Taken once.
    virtual Cvv take_cvc(PaymentMethodId const& method) = 0;
    // The same for the cryptogram of a 3-D Secure result, until its payment is confirmed.
    virtual void hold_cryptogram(PaymentId const& payment, connectors::Cryptogram cryptogram) = 0;
    virtual connectors::Cryptogram take_cryptogram(PaymentId const& payment) = 0;
};

}  // namespace florin::vault
